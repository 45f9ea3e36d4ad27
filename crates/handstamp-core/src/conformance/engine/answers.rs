//! A store that fails, or whose answers are lost: what was said is what is stored.

use super::stage::{Stage, finish, id_of, set_cookie};
use crate::error::{Refused, SessionError};
use crate::id::Subject;
use crate::manager::SessionManager;
use crate::policy::Standing;
use crate::record::EndReason;
use crate::session::CookieAction;
use crate::store::Outcome;
use crate::testing::{Call, Failure};

/// Nothing comes of a commit that fails so, as the store says, or as nobody knows.
const NOT_ASKED: [Failure; 2] = [Failure::Unavailable, Failure::RequestLost];

fn ada() -> Subject {
    Subject::new("ada").unwrap()
}

fn is_unavailable<T>(answer: &Result<T, SessionError>) -> bool {
    matches!(answer, Err(SessionError::Unavailable(_)))
}

fn is_unknown<T>(answer: &Result<T, SessionError>) -> bool {
    matches!(answer, Err(SessionError::Unknown(_)))
}

/// Whether the answer says no more than is known: that nothing was changed only where the store itself
/// says so, for what is lost on its way may still come.
fn is_told<T>(answer: &Result<T, SessionError>, failure: Failure) -> bool {
    match failure {
        Failure::Unavailable => is_unavailable(answer),
        _ => is_unknown(answer),
    }
}

/// A change whose reply is lost is found out by its change id, and answered as done.
pub async fn a_change_whose_reply_is_lost_is_found_out(stage: Stage) {
    let cookie = stage.cookie("ada").await;
    let session = stage.load(&cookie).await;
    session.set("cart", &3).unwrap();
    stage.gate.fail_next(Call::Commit, Failure::ReplyLost);
    session.commit().await.unwrap();
    assert_eq!(stage.record(id_of(&cookie)).await.data.get("cart").unwrap().as_ref(), "3");
    session.update("cart", |n: &mut Option<u32>| *n = n.map(|n| n + 1)).unwrap();
    session.commit().await.unwrap();
    assert_eq!(stage.restarted().load(&cookie).await.unwrap().get("cart").unwrap(), Some(4));
}

/// A change that the store never heard of is an error, and nothing is stored.
pub async fn a_change_that_never_arrived_is_an_error(stage: Stage) {
    let cookie = stage.cookie("ada").await;
    for failure in NOT_ASKED {
        let session = stage.load(&cookie).await;
        session.set("cart", &3).unwrap();
        stage.gate.fail_next(Call::Commit, failure);
        let saved = finish(&session).await;
        assert!(is_told(&saved, failure), "{failure:?}: {saved:?}");
        assert!(stage.record(id_of(&cookie)).await.data.is_empty());
        assert_eq!(stage.load(&cookie).await.get::<u32>("cart").unwrap(), None);
    }
}

/// A sign-in whose reply is lost is found out: one session, with its cookie.
pub async fn a_sign_in_whose_reply_is_lost_is_found_out(stage: Stage) {
    let visitor = stage.visitor("cart", "3").await;
    let session = stage.load(&visitor).await;
    stage.gate.fail_next(Call::Commit, Failure::ReplyLost);
    session.login("ada").await.unwrap();
    let cookie = set_cookie(&session);
    assert_eq!(stage.live("ada").await, [id_of(&cookie)]);
    assert_eq!(stage.load(&cookie).await.get::<String>("cart").unwrap().unwrap(), "3");
    let old = stage.record(id_of(&visitor)).await.ended.unwrap();
    assert_eq!((old.reason, old.successor), (EndReason::Replaced, Some(id_of(&cookie))));
}

/// A sign-in that the store never heard of signs nobody in, and loses nothing of the visitor's.
pub async fn a_sign_in_that_never_arrived_leaves_the_visitor_as_they_were(stage: Stage) {
    let visitor = stage.visitor("cart", "3").await;
    for failure in NOT_ASKED {
        let session = stage.load(&visitor).await;
        session.set("note", "x").unwrap();
        stage.gate.fail_next(Call::Commit, failure);
        assert!(is_told(&session.login("ada").await, failure), "{failure:?}");
        assert!(!session.is_authenticated() && session.is_modified());
        finish(&session).await.unwrap();
        assert_eq!(session.outgoing().cookie, CookieAction::None);
    }
    assert!(stage.live("ada").await.is_empty());
    assert_eq!(stage.record(id_of(&visitor)).await.data.len(), 2);
}

/// A sign-out whose reply is lost is found out. One that never arrived is an error: whoever asked
/// is told that the session lives.
pub async fn a_sign_out_is_answered_by_what_became_of_it(stage: Stage) {
    let cookie = stage.cookie("ada").await;
    for failure in NOT_ASKED {
        let session = stage.load(&cookie).await;
        stage.gate.fail_next(Call::Commit, failure);
        assert!(is_told(&session.logout().await, failure), "{failure:?}");
        assert_eq!(session.outgoing().cookie, CookieAction::None);
        assert_eq!(stage.truth(id_of(&cookie)).await, Standing::Live);
    }
    let session = stage.load(&cookie).await;
    stage.gate.fail_next(Call::Commit, Failure::ReplyLost);
    session.logout().await.unwrap();
    assert_eq!(stage.record(id_of(&cookie)).await.ended.unwrap().reason, EndReason::Logout);
    assert!(stage.sessions.load(&cookie).await.is_err());
}

/// An end-all whose reply is lost is found out; one that never arrived ended nobody.
pub async fn an_end_all_is_answered_by_what_became_of_it(stage: Stage) {
    let (spared, other) = (stage.cookie("ada").await, stage.cookie("ada").await);
    let end_all = || {
        let sessions = stage.sessions.clone();
        let spared = Some(id_of(&spared));
        async move { sessions.end_all(&ada(), spared, EndReason::LogoutAll, None).await }
    };
    for failure in NOT_ASKED {
        stage.gate.fail_next(Call::Commit, failure);
        assert!(is_told(&end_all().await, failure), "{failure:?}");
        assert!(stage.sessions.load(&other).await.is_ok());
    }
    stage.gate.fail_next(Call::Commit, Failure::ReplyLost);
    assert_eq!(end_all().await.unwrap(), 1);
    assert!(stage.sessions.load(&spared).await.is_ok());
    assert!(stage.sessions.load(&other).await.is_err());
    stage.gate.fail_next(Call::Commit, Failure::ReplyLost);
    stage.sessions.disable(&ada(), None).await.unwrap();
    assert!(stage.live("ada").await.is_empty());
}

/// An end-all that is done is done, also if its tombstones cannot be written: it says so, the
/// sessions are out, and the tombstones follow when they are next met.
pub async fn an_end_all_without_its_tombstones_is_no_error(stage: Stage) {
    let cookie = stage.cookie("ada").await;
    stage.gate.fail_next(Call::BySubject, Failure::Unavailable);
    stage.sessions.end_all(&ada(), None, EndReason::Admin, None).await.unwrap();
    assert_eq!(stage.record(id_of(&cookie)).await.ended, None);
    let refused = stage.sessions.load(&cookie).await;
    assert!(matches!(refused, Err(SessionError::Ended { reason: EndReason::Admin, .. })));
    stage.sessions.shutdown().await.unwrap();
    assert!(stage.record(id_of(&cookie)).await.is_tombstone());
}

/// A refresh whose reply is lost is found out, and one that never arrived has spent nothing.
pub async fn a_refresh_is_answered_by_what_became_of_it(stage: Stage) {
    let token = stage.refresh_token("ada").await;
    for failure in NOT_ASKED {
        stage.gate.fail_next(Call::Commit, failure);
        assert!(is_told(&stage.sessions.refresh(&token, None).await, failure), "{failure:?}");
        assert_eq!(stage.record(id_of(&token)).await.lineage.generation, 1);
    }
    stage.gate.fail_next(Call::Commit, Failure::ReplyLost);
    let next = stage.sessions.refresh(&token, None).await.unwrap().token.to_text();
    assert_eq!(stage.record(id_of(&token)).await.lineage.generation, 2);
    assert!(stage.restarted().refresh(&next, None).await.is_ok());
}

/// Where nobody can find out, the answer is "unknown", and nothing cached is trusted after it.
pub async fn where_nobody_can_tell_the_answer_is_unknown(stage: Stage) {
    let cookie = stage.cookie("ada").await;
    let session = stage.load(&cookie).await;
    session.set("cart", &3).unwrap();
    stage.gate.fail_next(Call::Commit, Failure::ReplyLost);
    (0..5).for_each(|_| stage.gate.fail_next(Call::Load, Failure::Unavailable));
    let answer = session.commit().await;
    assert!(is_unknown(&answer), "{answer:?}");
    assert_eq!(stage.load(&cookie).await.get("cart").unwrap(), Some(3));
}

/// What comes late is carried out: by a store that others share at any moment, and is heard of; by one
/// that belongs to this process before it is opened again.
async fn delivered(stage: &Stage) -> SessionManager {
    let outcomes = stage.gate.deliver().await.unwrap();
    assert!(outcomes.iter().all(|it| matches!(it, Outcome::Applied(_))), "{outcomes:?}");
    if !stage.is_shared() {
        return stage.restarted();
    }
    stage.sessions.catch_up().await.unwrap();
    stage.sessions.clone()
}

/// The store can be asked and does not have the change yet: it may still come, and nobody says that
/// nothing was changed. When it comes, it counts.
pub async fn a_change_that_comes_late_was_never_told_to_be_none(stage: Stage) {
    let cookie = stage.cookie("ada").await;
    let session = stage.load(&cookie).await;
    session.set("cart", &3).unwrap();
    stage.gate.fail_next(Call::Commit, Failure::RequestLate);
    let answer = session.commit().await;
    assert!(is_unknown(&answer), "{answer:?}");
    assert_eq!(stage.load(&cookie).await.get::<u32>("cart").unwrap(), None);
    let later = delivered(&stage).await;
    assert_eq!(later.load(&cookie).await.unwrap().get("cart").unwrap(), Some(3));
    let token = stage.refresh_token("ada").await;
    stage.gate.fail_next(Call::Commit, Failure::RequestLate);
    assert!(is_unknown(&stage.sessions.refresh(&token, None).await));
    let later = delivered(&stage).await;
    assert_eq!(stage.record(id_of(&token)).await.lineage.generation, 2);
    assert!(later.refresh(&token, None).await.is_ok(), "the same successor again");
}

/// A sign-in that may still come is no sign-in that failed: who asks again has one session more.
pub async fn a_sign_in_that_comes_late_was_never_told_to_be_none(stage: Stage) {
    let visitor = stage.visitor("cart", "3").await;
    let session = stage.load(&visitor).await;
    stage.gate.fail_next(Call::Commit, Failure::RequestLate);
    let answer = session.login("ada").await;
    assert!(is_unknown(&answer), "{answer:?}");
    assert!(stage.live("ada").await.is_empty());
    let later = delivered(&stage).await;
    assert_eq!(stage.live("ada").await.len(), 1);
    let replaced = later.load(&visitor).await;
    assert!(matches!(replaced, Err(SessionError::Ended { reason: EndReason::Replaced, .. })));
}

/// An end that may still come ends what it was to end, and nobody was told that it does not.
pub async fn an_end_that_comes_late_was_never_told_to_be_none(stage: Stage) {
    let (one, other) = (stage.cookie("ada").await, stage.cookie("ada").await);
    stage.gate.fail_next(Call::Commit, Failure::RequestLate);
    assert!(is_unknown(&stage.load(&one).await.logout().await));
    assert!(stage.sessions.load(&one).await.is_ok());
    assert!(delivered(&stage).await.load(&one).await.is_err());
    stage.gate.fail_next(Call::Commit, Failure::RequestLate);
    assert!(is_unknown(&stage.sessions.end_all(&ada(), None, EndReason::Admin, None).await));
    assert!(stage.sessions.load(&other).await.is_ok());
    assert!(delivered(&stage).await.load(&other).await.is_err());
}

/// With the store out of reach, a cookie that must be looked up is an error, never a stranger's;
/// one that the cache knows is served.
pub async fn a_store_out_of_reach_makes_nobody_anonymous(stage: Stage) {
    let cookie = stage.cookie("ada").await;
    let cold = stage.restarted();
    stage.gate.set_down(true);
    assert!(stage.load(&cookie).await.is_authenticated());
    assert!(is_unavailable(&cold.load(&cookie).await));
    let visitor = cold.start();
    visitor.set("cart", &3).unwrap();
    assert!(is_unavailable(&visitor.commit().await));
    assert!(is_unavailable(&cold.begin("ada").await));
    assert!(is_unavailable(&cold.sessions_of(&ada(), false, &Default::default()).await));
    stage.gate.set_down(false);
    assert!(cold.load(&cookie).await.unwrap().is_authenticated());
    assert_eq!(stage.live("ada").await.len(), 1);
}

/// A record that cannot be read costs its own session and no other, and its holder may sign in
/// again.
pub async fn a_corrupt_record_costs_one_session(stage: Stage) {
    let (bad, good) = (stage.cookie("ada").await, stage.cookie("ada").await);
    if !stage.damage(id_of(&bad)).await {
        return;
    }
    let cold = stage.restarted();
    let refused = cold.load(&bad).await;
    assert!(matches!(refused, Err(SessionError::Corrupt(_))), "{refused:?}");
    assert!(cold.load(&good).await.is_ok());
    let session = stage.request_of(&cold, &bad).await;
    assert_eq!(session.refusal(), Some(Refused::Corrupt));
    session.login("ada").await.unwrap();
    assert!(cold.load(&set_cookie(&session)).await.is_ok());
}
