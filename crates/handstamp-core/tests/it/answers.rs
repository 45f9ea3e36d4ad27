//! Answers are given for what is committed, and when all of it can be seen.

use handstamp_core::config::SessionConfig;
use handstamp_core::record::EndReason;
use handstamp_core::store::{Batch, MemoryStore};
use handstamp_core::testing::{Call, Failure, GateStore, When};
use handstamp_core::{CookieAction, KeyRing, Session, SessionError, SessionManager};

fn cookie(session: &Session) -> String {
    match session.outgoing().cookie {
        CookieAction::Set { value, .. } => value.to_string(),
        other => panic!("a cookie is set: {other:?}"),
    }
}

async fn signed_in(sessions: &SessionManager, who: &str) -> Session {
    let session = sessions.start();
    session.login(who).await.unwrap();
    session
}

#[tokio::test]
async fn a_change_is_not_refused_for_an_end_that_came_to_nothing() {
    let gate = GateStore::new(MemoryStore::new());
    let sessions =
        SessionManager::new(gate.clone(), SessionConfig::default(), KeyRing::generate().unwrap());
    let session = signed_in(&sessions, "ann").await;
    let id = session.id().unwrap();
    let of_ann = move |batch: &Batch| {
        let mut ids = batch.groups.iter().filter_map(|group| group.record.as_ref());
        ids.any(|change| change.record().id == id)
    };
    // While the store is busy with somebody else, an end and a change wait for the next batch.
    let busy = gate.hold(Call::Commit, When::Before);
    let other = sessions.clone();
    let waiting = tokio::spawn(async move { signed_in(&other, "bob").await });
    busy.arrived().await;
    let next = gate.hold_commit(When::Before, of_ann);
    let other = sessions.clone();
    let ending = tokio::spawn(async move { other.end(id, EndReason::Admin, None).await });
    tokio::task::yield_now().await;
    session.set("cart", &1).unwrap();
    let changing = tokio::spawn(async move { session.commit().await });
    tokio::task::yield_now().await;
    busy.release();
    next.arrived().await;
    gate.fail_next(Call::Commit, Failure::Unavailable);
    next.release();
    assert!(matches!(ending.await.unwrap(), Err(SessionError::Unavailable(_))));
    changing.await.unwrap().unwrap();
    waiting.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_answer_to_a_sign_in_on_the_cookie_before_is_never_good() {
    let sessions = SessionManager::new(
        MemoryStore::new(),
        SessionConfig::default(),
        KeyRing::generate().unwrap(),
    );
    // Many at once share a batch, and with it the time that it takes to take it in.
    let clients: Vec<_> = (0..64)
        .map(|client| {
            let (sessions, who) = (sessions.clone(), format!("user {client}"));
            tokio::spawn(async move {
                let session = signed_in(&sessions, &who).await;
                for round in 0..20 {
                    let before = cookie(&session);
                    session.login(who.as_str()).await.unwrap();
                    assert!(sessions.load(&before).await.is_err(), "{who}, round {round}");
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
}
