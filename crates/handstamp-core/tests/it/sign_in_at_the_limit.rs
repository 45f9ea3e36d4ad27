//! Defects of sign-in at the limit, and of first sight at the end, each with its test.

use handstamp_core::config::{LimitStrategy, SessionConfig};
use handstamp_core::record::EndReason;
use handstamp_core::store::{MemoryStore, SessionStore};
use handstamp_core::testing::{Call, GateStore, When};
use handstamp_core::{CookieAction, KeyRing, Session, SessionManager};

fn manager(
    store: impl SessionStore,
    limit: Option<u32>,
    strategy: LimitStrategy,
) -> SessionManager {
    let config = SessionConfig::default().edit().limit(limit).limit_strategy(strategy);
    let keys = KeyRing::generate().unwrap();
    SessionManager::builder(store, config.build().unwrap(), keys).maintenance(false).build()
}

fn cookie(session: &Session) -> String {
    match session.outgoing().cookie {
        CookieAction::Set { value, .. } => value.to_string(),
        other => panic!("a cookie is set: {other:?}"),
    }
}

/// Signs `ann` in, in a browser of its own; answers its session.
async fn signed_in(sessions: &SessionManager) -> Session {
    let session = sessions.start();
    session.login("ann").await.unwrap();
    session
}

async fn reason(sessions: &SessionManager, session: &Session) -> Option<EndReason> {
    let record = sessions.record(session.id().unwrap()).await.unwrap().unwrap();
    record.ended.as_ref().map(|ended| ended.reason)
}

#[tokio::test]
async fn signing_in_again_at_the_limit_ends_only_the_session_it_takes_over_from() {
    let sessions = manager(MemoryStore::new(), Some(2), LimitStrategy::EndOldest);
    let (oldest, other) = (signed_in(&sessions).await, signed_in(&sessions).await);
    let again = sessions.load(&cookie(&other)).await.unwrap();
    again.login("ann").await.unwrap();
    assert_eq!(reason(&sessions, &oldest).await, None);
    assert_eq!(reason(&sessions, &other).await, Some(EndReason::Replaced));
    assert_eq!(reason(&sessions, &again).await, None);
}

#[tokio::test]
async fn signing_in_again_as_the_only_one_allowed_keeps_the_data() {
    for strategy in [LimitStrategy::Deny, LimitStrategy::EndOldest, LimitStrategy::EndNextToExpire]
    {
        let sessions = manager(MemoryStore::new(), Some(1), strategy);
        let session = signed_in(&sessions).await;
        session.set("cart", &3).unwrap();
        session.commit().await.unwrap();
        session.login("ann").await.unwrap();
        assert_eq!(session.get("cart").unwrap(), Some(3), "{strategy:?}");
    }
}

#[tokio::test]
async fn a_sign_in_is_not_refused_because_its_victim_has_just_ended() {
    let gate = GateStore::new(MemoryStore::new());
    let sessions = manager(gate.clone(), Some(1), LimitStrategy::EndOldest);
    let oldest = signed_in(&sessions).await;
    let held = gate.hold(Call::BySubject, When::After);
    let other = sessions.clone();
    let signing_in = tokio::spawn(async move { other.start().login("ann").await });
    held.arrived().await;
    sessions.end(oldest.id().unwrap(), EndReason::Admin, None).await.unwrap();
    held.release();
    signing_in.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_first_sight_of_a_cookie_whose_session_ends_costs_no_commit() {
    let gate = GateStore::new(MemoryStore::new());
    let sessions = manager(gate.clone(), None, LimitStrategy::EndOldest);
    let session = signed_in(&sessions).await;
    session.regenerate().await.unwrap();
    let (id, unseen) = (session.id().unwrap(), cookie(&session));
    let held = gate.hold(Call::Commit, When::Before);
    let other = sessions.clone();
    let ending = tokio::spawn(async move { other.end(id, EndReason::Admin, None).await });
    held.arrived().await;
    sessions.load(&unseen).await.unwrap();
    let before = gate.counts().commit;
    held.release();
    assert!(ending.await.unwrap().unwrap());
    sessions.shutdown().await.unwrap();
    assert_eq!(gate.counts().commit, before);
}
