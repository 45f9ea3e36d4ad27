//! The manager behind the layer: what a program does outside any request.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use handstamp_core::{CookieAction, SessionError};

use crate::world::World;

#[tokio::test]
async fn n01_a_manager_starts_saves_and_loads() {
    let world = World::new();
    let session = world.sessions.start();
    session.set("cart", &["tea"]).unwrap();
    assert_eq!(world.rows().await, 0, "nothing is kept before it is saved");
    world.sessions.save(&session).await.unwrap();
    let CookieAction::Set { value, .. } = session.outgoing().cookie else { panic!("no token") };
    let loaded = world.sessions.load(&value).await.unwrap();
    assert_eq!(loaded.get::<Vec<String>>("cart").unwrap().unwrap(), ["tea"]);
    assert_eq!(loaded.id(), session.id());
}

#[tokio::test]
async fn n01_saving_a_destroyed_session_brings_nothing_back() {
    let world = World::new();
    let session = world.sessions.start();
    session.set("cart", &1).unwrap();
    world.sessions.save(&session).await.unwrap();
    let CookieAction::Set { value, .. } = session.outgoing().cookie else { panic!("no token") };
    let other = world.sessions.load(&value).await.unwrap();
    session.destroy().await.unwrap();
    other.set("cart", &2).unwrap();
    assert!(matches!(world.sessions.save(&other).await, Err(SessionError::Ended { .. })));
    assert!(matches!(world.sessions.load(&value).await, Err(SessionError::Ended { .. })));
    assert_eq!(world.rows().await, 1, "one tombstone");
}

#[tokio::test]
async fn n10_cleanup_ends_what_is_due_and_counts_it() {
    let world = World::new();
    let mut browser = world.browser();
    browser.post("/login/alice").await;
    world.browser().post("/login/bob").await;
    assert_eq!(world.sessions.cleanup().await.unwrap().total(), 0);
    world.clock.advance(Duration::from_secs(25 * 3600));
    assert_eq!(world.sessions.cleanup().await.unwrap().ended, 2);
    assert_eq!(world.sessions.cleanup().await.unwrap().total(), 0, "each is counted once");
    let answer = browser.call(Method::GET, "/account").await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::UNAUTHORIZED, "SESSION_EXPIRED".into())
    );
    world.clock.advance(Duration::from_secs(31 * 24 * 3600));
    assert_eq!(world.sessions.cleanup().await.unwrap().purged, 2);
    assert_eq!(world.rows().await, 0);
}
