//! What is done to a subject, or to everybody, bites at once.

use std::sync::Arc;

use super::stage::{Stage, finish, id_of, set_cookie};
use crate::error::SessionError;
use crate::id::Subject;
use crate::record::EndReason;
use crate::roles::Roles;
use crate::sign_in::SignIn;
use crate::testing::{Call, When};

fn ada() -> Subject {
    Subject::new("ada").unwrap()
}

/// Whether a refusal tells of this end.
fn is_end<T>(refused: &Result<T, SessionError>, expected: EndReason) -> bool {
    matches!(refused, Err(SessionError::Ended { reason, .. }) if *reason == expected)
}

/// Ending all others spares one, and the others are dead at once, while their tombstones wait.
pub async fn the_others_are_dead_before_their_tombstones_are_written(stage: Stage) {
    let (mine, other) = (stage.cookie("ada").await, stage.cookie("ada").await);
    let in_flight = stage.load(&other).await;
    let session = stage.load(&mine).await;
    let tombstones = stage.gate.hold_commit(When::Before, |batch| {
        let records = batch.groups.iter().filter_map(|group| group.record.as_ref());
        records.into_iter().any(|change| change.record().is_tombstone())
    });
    let ending = tokio::spawn(async move { session.end_others().await.map(|n| (n, session)) });
    tombstones.arrived().await;
    assert!(is_end(&stage.sessions.load(&other).await, EndReason::LogoutAll));
    assert!(!stage.record(id_of(&other)).await.is_tombstone());
    in_flight.set("late", &1).unwrap();
    let saving = tokio::spawn(async move { finish(&in_flight).await });
    tombstones.release();
    assert!(is_end(&saving.await.unwrap(), EndReason::LogoutAll));
    let (count, session) = ending.await.unwrap().unwrap();
    assert_eq!((count, stage.counted("ada").await), (1, 1));
    assert!(stage.sessions.load(&set_cookie(&session)).await.is_ok());
    assert!(stage.record(id_of(&other)).await.data.is_empty());
}

/// The session that an end-all spares is good all the time, also while others learn of the end
/// before its own record is taken in.
pub async fn the_spared_session_is_good_all_the_time(stage: Stage) {
    let (mine, other) = (stage.cookie("ada").await, stage.cookie("ada").await);
    let cold = Arc::new(stage.restarted());
    cold.load(&mine).await.unwrap();
    let held = stage.gate.hold(Call::Commit, When::After);
    let (sessions, spared) = (Arc::clone(&cold), Some(id_of(&mine)));
    let ending =
        tokio::spawn(
            async move { sessions.end_all(&ada(), spared, EndReason::LogoutAll, None).await },
        );
    held.arrived().await;
    assert!(is_end(&cold.load(&other).await, EndReason::LogoutAll));
    let loaded = cold.load(&mine).await;
    assert!(loaded.is_ok(), "{loaded:?}");
    held.release();
    ending.await.unwrap().unwrap();
    assert!(cold.load(&mine).await.is_ok());
}

/// Ending all others from a session that has ended meanwhile ends nobody.
pub async fn ending_the_others_from_an_ended_session_ends_nobody(stage: Stage) {
    let (mine, other) = (stage.cookie("ada").await, stage.cookie("ada").await);
    let session = stage.load(&mine).await;
    stage.sessions.end(id_of(&mine), EndReason::Revoked, None).await.unwrap();
    let refused = session.end_others().await;
    assert!(is_end(&refused, EndReason::Revoked), "{refused:?}");
    assert!(stage.sessions.load(&other).await.is_ok());
}

/// Disabling ends all and lets nobody in; enabling lets in anew and revives nothing.
pub async fn disabling_ends_all_and_enabling_revives_nothing(stage: Stage) {
    let cookie = stage.cookie("ada").await;
    let in_flight = stage.load(&cookie).await;
    assert_eq!(stage.sessions.disable(&ada(), Some("op")).await.unwrap(), 1);
    in_flight.set("late", &1).unwrap();
    assert!(is_end(&finish(&in_flight).await, EndReason::Disabled));
    assert!(matches!(stage.sessions.begin("ada").await, Err(SessionError::SubjectDisabled)));
    stage.sessions.enable(&ada(), Some("op")).await.unwrap();
    assert!(is_end(&stage.sessions.load(&cookie).await, EndReason::Disabled));
    let ended = stage.record(id_of(&cookie)).await.ended.unwrap();
    assert_eq!((ended.reason, ended.by.as_deref()), (EndReason::Disabled, Some("op")));
    assert!(stage.sessions.begin("ada").await.is_ok());
}

/// A role taken away is gone at the next check, also in a request under way; one given back is
/// there again, and none is ever more than the session was granted.
pub async fn a_role_taken_away_is_gone_at_the_next_check(stage: Stage) {
    let roles = |names: &[&'static str]| Roles::new(names.iter().copied()).unwrap();
    let sign_in = SignIn::new("ada").unwrap().roles(roles(&["editor", "reader"]));
    let begun = stage.sessions.begin(sign_in).await.unwrap();
    let session = stage.load(&begun.token.to_text()).await;
    assert!(session.has_role("editor"));
    let narrowed = Some(roles(&["reader", "owner"]));
    stage.sessions.set_roles(&ada(), narrowed, None).await.unwrap();
    assert_eq!(session.roles(), roles(&["reader"]));
    let cold = stage.restarted();
    assert_eq!(cold.load(&begun.token.to_text()).await.unwrap().roles(), roles(&["reader"]));
    stage.sessions.set_roles(&ada(), None, None).await.unwrap();
    assert_eq!(session.roles(), roles(&["editor", "reader"]));
}

/// A suspended session is refused and keeps what it has; resumed, it goes on.
pub async fn a_suspended_session_is_refused_until_it_is_resumed(stage: Stage) {
    let cookie = stage.cookie("ada").await;
    let session = stage.load(&cookie).await;
    session.set("cart", &3).unwrap();
    session.commit().await.unwrap();
    stage.sessions.suspend(id_of(&cookie), Some("op"), Some("odd")).await.unwrap();
    session.set("cart", &4).unwrap();
    let refused = finish(&session).await;
    assert!(matches!(refused, Err(SessionError::Suspended)), "{refused:?}");
    for sessions in [&stage.sessions, &stage.restarted()] {
        assert!(matches!(sessions.load(&cookie).await, Err(SessionError::Suspended)));
    }
    stage.sessions.resume(id_of(&cookie), Some("op")).await.unwrap();
    assert_eq!(stage.load(&cookie).await.get::<u32>("cart").unwrap(), Some(3));
    stage.sessions.suspend(id_of(&cookie), None, None).await.unwrap();
    stage.sessions.end(id_of(&cookie), EndReason::Admin, None).await.unwrap();
    assert!(is_end(&stage.sessions.resume(id_of(&cookie), None).await, EndReason::Admin));
}

/// Ending everybody ends every session of every subject and of nobody; who begins after it lives,
/// also after a restart.
pub async fn ending_everybody_ends_all_and_bars_nobody(stage: Stage) {
    let stage = stage.configured(|edit| edit.limit(Some(1)));
    let old = [stage.cookie("ada").await, stage.cookie("bob").await, stage.visitor("a", "b").await];
    stage.sessions.end_everybody(Some("op")).await.unwrap();
    for cookie in &old {
        assert!(is_end(&stage.sessions.load(cookie).await, EndReason::Admin));
        assert!(is_end(&stage.restarted().load(cookie).await, EndReason::Admin));
    }
    let cold = stage.restarted();
    let begun = cold.begin("ada").await.unwrap();
    assert!(cold.load(&begun.token.to_text()).await.is_ok());
    assert_eq!(
        cold.sessions_of(&ada(), false, &Default::default()).await.unwrap().records.len(),
        1
    );
    assert!(stage.sessions.load(&begun.token.to_text()).await.is_ok());
}
