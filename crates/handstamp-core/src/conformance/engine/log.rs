//! The audit log through the manager: checked, erased from, cut, copied.

use std::time::Duration;

use super::stage::{START, Stage, cookie_of, id_of};
use crate::chain::{Checkpoint, Flaw, Sealer};
use crate::error::SessionError;
use crate::event::{Action, Event};
use crate::id::Subject;
use crate::key::KeyRing;
use crate::manager::{Retained, Retention, SessionManager, SignInFailure};
use crate::record::{Client, EndReason, Profile};
use crate::sign_in::SignIn;
use crate::store::{EventFilter, Page};
use crate::testing::{Call, Failure};

const DAY: Duration = Duration::from_secs(86_400);

fn client() -> Client {
    Client { ip: Some([192, 0, 2, 1].into()), device: Some("Phone".into()), ..Client::default() }
}

async fn begin(stage: &Stage, who: &str) -> String {
    let sign_in = SignIn::new(who).unwrap().name("Ada").client(client());
    cookie_of(&stage.sessions.begin(sign_in).await.unwrap())
}

async fn fail(stage: &Stage, who: &str) {
    fail_at(&stage.sessions, who).await;
}

async fn fail_at(sessions: &SessionManager, who: &str) {
    let subject = Some(Subject::new(who).unwrap());
    let failure = SignInFailure { subject, client: client(), ..SignInFailure::default() };
    sessions.sign_in_failed(failure).await.unwrap();
}

async fn events(stage: &Stage) -> Vec<Event> {
    let page = Page::first(1000);
    stage.sessions.events(&EventFilter::default(), &page).await.unwrap().events
}

async fn verifies(stage: &Stage, checkpoints: &[Checkpoint]) {
    let check = stage.sessions.verify_log_against(checkpoints).await.unwrap();
    assert_eq!((check.first_bad, check.checked), (None, events(stage).await.len() as u64));
}

/// Whoever is erased is signed out; what is personal goes, what happened stays, and the log
/// verifies against a checkpoint of before.
pub async fn an_erased_subject_leaves_what_happened_and_nothing_personal(stage: Stage) {
    let ada = Subject::new("ada").unwrap();
    let (one, two, bob) =
        (begin(&stage, "ada").await, begin(&stage, "ada").await, begin(&stage, "bob").await);
    stage.sessions.end(id_of(&one), EndReason::Logout, None).await.unwrap();
    fail(&stage, "ada").await;
    let before = stage.sessions.checkpoint().await.unwrap();
    let erased = stage.sessions.erase_subject(&ada, Some("op")).await.unwrap();
    assert_eq!((erased.sessions, erased.events), (1, 6), "the end-all and its tombstone too");
    assert!(stage.sessions.load(&two).await.is_err());
    assert!(stage.sessions.load(&bob).await.is_ok());
    for token in [&one, &two] {
        let record = stage.sessions.record(id_of(token)).await.unwrap().unwrap();
        assert_eq!((&record.client, &record.profile), (&Client::default(), &Profile::default()));
    }
    let (erased, others): (Vec<_>, Vec<_>) = events(&stage).await.into_iter().partition(|event| {
        event.subject.as_ref() == Some(&ada) && event.action != Action::SubjectErased
    });
    assert_eq!((erased.len(), others.len()), (6, 2));
    assert!(erased.iter().all(|event| event.personal.is_none() && event.salt == [0; 16]));
    assert!(others.iter().all(|event| event.personal.is_some()));
    assert_eq!(others[0].actor.as_deref(), Some("op"));
    verifies(&stage, &[before]).await;
    fail(&stage, "ada").await;
    assert!(events(&stage).await[0].personal.is_some(), "what comes later is told as ever");
    verifies(&stage, &[]).await;
}

/// An erasure that a fault cut off is done by the next.
pub async fn an_erasure_that_was_cut_off_is_done_by_the_next(stage: Stage) {
    let ada = Subject::new("ada").unwrap();
    begin(&stage, "ada").await;
    stage.gate.fail_next(Call::Erase, Failure::Unavailable);
    assert!(stage.sessions.erase_subject(&ada, None).await.is_err());
    verifies(&stage, &[]).await;
    assert!(stage.sessions.erase_subject(&ada, None).await.unwrap().events > 0);
    verifies(&stage, &[]).await;
}

/// Retention blanks what is old and cuts off what is older, and the rest verifies against
/// checkpoints of every age.
pub async fn old_events_lose_what_is_personal_and_go(stage: Stage) {
    let mut checkpoints = Vec::new();
    for _ in 0..10 {
        fail(&stage, "ada").await;
        checkpoints.push(stage.sessions.checkpoint().await.unwrap());
        stage.clock.advance(DAY);
    }
    let kept = Retention { events: Some(7 * DAY), personal: Some(3 * DAY) };
    let retained = stage.sessions.retain(kept).await.unwrap();
    // Those that are exactly as old stay.
    assert_eq!(retained, Retained { cut: 3, blanked: 4, first_bad: None });
    let left = events(&stage).await;
    assert_eq!(left.iter().filter(|event| event.personal.is_none()).count(), 4);
    assert_eq!(left.iter().filter(|event| event.action == Action::SignInFailed).count(), 7);
    verifies(&stage, &checkpoints).await;
    let again = stage.sessions.retain(kept).await.unwrap();
    assert_eq!(again, Retained::default(), "nothing is older by now");
    assert_eq!(events(&stage).await.len(), left.len(), "and nothing is told");
    stage.clock.advance(30 * DAY);
    assert_eq!(stage.sessions.retain(kept).await.unwrap().cut, left.len());
    assert!(events(&stage).await.is_empty());
    fail(&stage, "ada").await;
    checkpoints.push(stage.sessions.checkpoint().await.unwrap());
    verifies(&stage, &checkpoints).await;
}

/// A checkpoint of a log that went on elsewhere does not fit, and one by another ring is refused.
pub async fn a_checkpoint_that_does_not_fit_is_named(stage: Stage) {
    fail(&stage, "ada").await;
    let theirs = Sealer::new(KeyRing::generate().unwrap()).checkpoint(START, Vec::new());
    let refused = stage.sessions.verify_log_against(&[theirs]).await;
    assert!(matches!(refused, Err(SessionError::Refused(_))), "{refused:?}");
    let other = stage.elsewhere();
    for _ in 0..2 {
        fail_at(&other, "bob").await;
    }
    let longer = other.checkpoint().await.unwrap();
    let against = async || {
        let check = stage.sessions.verify_log_against(std::slice::from_ref(&longer)).await.unwrap();
        check.first_bad.map(|bad| (bad.batch, bad.why))
    };
    assert_eq!(against().await, Some((2, Flaw::Tail)));
    fail(&stage, "ada").await;
    assert_eq!(against().await, Some((2, Flaw::Rewritten)));
}

/// The log is read forward in pieces, each event once, over cuts, and goes on for who comes back.
pub async fn the_log_is_copied_in_pieces(stage: Stage) {
    for _ in 0..7 {
        fail(&stage, "ada").await;
    }
    let (mut copied, mut cursor) = (Vec::new(), String::new());
    loop {
        let piece = stage.sessions.export(&cursor, 3).await.unwrap();
        assert!(piece.events.len() <= 3);
        copied.extend(piece.events);
        cursor = piece.next;
        if !piece.has_more {
            break;
        }
    }
    let mut all = events(&stage).await;
    all.reverse();
    assert_eq!(copied, all);
    assert!(stage.sessions.export(&cursor, 3).await.unwrap().events.is_empty());
    fail(&stage, "bob").await;
    let later = stage.sessions.export(&cursor, 3).await.unwrap();
    assert_eq!((later.events.len(), later.has_more), (1, false));
    stage.clock.advance(DAY);
    stage.sessions.retain(Retention { events: Some(DAY / 2), personal: None }).await.unwrap();
    assert!(
        stage.sessions.export("", 3).await.unwrap().events.is_empty(),
        "what was cut off is gone"
    );
    assert!(stage.sessions.export("not a cursor", 3).await.is_err());
}
