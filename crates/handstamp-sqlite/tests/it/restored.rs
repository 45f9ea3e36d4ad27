//! A copy made while the program runs, put in the place of the database later: what the guide for
//! operations says.

use handstamp_core::event::Action;
use handstamp_core::record::EndReason;
use handstamp_core::store::{EventFilter, Page};
use handstamp_core::{CookieAction, KeyRing, SessionConfig, SessionError, SessionManager};

use crate::fixture::Place;

async fn manager(place: &Place, keys: &KeyRing) -> SessionManager {
    let (store, config) = (place.open().await, SessionConfig::default());
    SessionManager::builder(store, config, keys.clone()).maintenance(false).build()
}

/// What SQLite's own `VACUUM INTO` makes of a database in use.
fn copy(from: &Place) -> Place {
    let to = Place::new();
    let name = to.path().display().to_string();
    from.meddle(&format!("VACUUM INTO '{name}'"));
    to
}

async fn restored_events(sessions: &SessionManager) -> usize {
    let actions = vec![Action::Risk("store_restored".into())];
    let filter = EventFilter { actions, ..EventFilter::default() };
    sessions.events(&filter, &Page::first(10)).await.unwrap().events.len()
}

#[tokio::test]
async fn a_copy_made_while_the_program_runs_is_whole() {
    let (place, keys) = (Place::new(), KeyRing::generate().unwrap());
    let sessions = manager(&place, &keys).await;
    let token = sessions.begin("alice").await.unwrap().token.to_text();
    let restored = manager(&copy(&place), &keys).await;
    assert_eq!(restored.load(&token).await.unwrap().user_id().unwrap().as_str(), "alice");
    let (copied, whole) =
        (restored.verify_log().await.unwrap(), sessions.verify_log().await.unwrap());
    assert_eq!((copied, copied.first_bad), (whole, None));
}

#[tokio::test]
async fn a_restored_store_is_told_and_nobody_stays_in_once_everybody_is_ended() {
    let (place, keys) = (Place::new(), KeyRing::generate().unwrap());
    let sessions = manager(&place, &keys).await;
    let (moved, ended) =
        (sessions.begin("alice").await.unwrap(), sessions.begin("bob").await.unwrap());
    let copy = copy(&place);
    let session = sessions.load(&moved.token.to_text()).await.unwrap();
    session.regenerate().await.unwrap();
    let CookieAction::Set { value: ahead, .. } = session.outgoing().cookie else {
        panic!("no cookie")
    };
    assert!(sessions.end(ended.record.id, EndReason::Admin, None).await.unwrap());

    let restored = manager(&copy, &keys).await;
    assert!(matches!(restored.load(&ahead).await, Err(SessionError::Invalid)));
    restored.shutdown().await.unwrap();
    assert_eq!(restored_events(&restored).await, 1);
    let old = ended.token.to_text();
    assert!(restored.load(&old).await.is_ok(), "what ended after the copy lives again");
    restored.end_everybody(Some("operator")).await.unwrap();
    assert!(matches!(restored.load(&old).await, Err(SessionError::Ended { .. })));
    assert_eq!(restored.verify_log().await.unwrap().first_bad, None);
}
