//! Sign-in: what goes over, what ends, and what is refused.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Waker};

use super::stage::{Stage, finish, id_of, set_cookie};
use crate::config::LimitStrategy;
use crate::error::{Refused, SessionError};
use crate::event::Action;
use crate::id::Subject;
use crate::policy::Standing;
use crate::record::{EndReason, Kind};
use crate::roles::Roles;
use crate::session::{CookieAction, Session};
use crate::sign_in::{Merge, NEVER_CARRIED, SignIn};
use crate::store::{Filter, Page};
use crate::testing::{Call, When};

fn ada() -> SignIn {
    SignIn::new("ada").unwrap()
}

/// A visitor with a cart, a note, and everything that never crosses.
async fn shopper(stage: &Stage) -> Session {
    let session = stage.load(&stage.visitor("cart", "3").await).await;
    session.set("note", "n").unwrap();
    NEVER_CARRIED.iter().for_each(|key| session.set(key, "mine").unwrap());
    session.flash("info", "hello").unwrap();
    session.commit().await.unwrap();
    session
}

fn keys(session: &Session) -> Vec<String> {
    session.keys().iter().map(ToString::to_string).collect()
}

fn keys_of(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// The visitor's data goes over as the merge rule says, and some keys never do.
pub async fn data_goes_over_by_the_merge_rule(stage: Stage) {
    let rules = [
        (Merge::KeepAll, vec!["cart", "note"]),
        (Merge::Keep(vec!["cart".into(), "return_to".into(), "none".into()]), vec!["cart"]),
        (Merge::Drop, vec![]),
    ];
    for (merge, kept) in rules {
        let session = shopper(&stage).await;
        let has_flash = merge != Merge::Drop;
        session.login(ada().merge(merge)).await.unwrap();
        let after = stage.load(&set_cookie(&session)).await;
        assert_eq!((keys(&after), keys(&session)), (keys_of(&kept), keys_of(&kept)));
        assert_eq!(after.has_flash("info"), has_flash);
    }
}

/// What was changed in the same request goes over with what was stored.
pub async fn changes_not_committed_yet_go_over_too(stage: Stage) {
    let session = stage.load(&stage.visitor("cart", "3").await).await;
    session.update("cart", |n: &mut Option<String>| *n = n.take().map(|n| n + "4")).unwrap();
    session.login("ada").await.unwrap();
    let after = stage.load(&set_cookie(&session)).await;
    assert_eq!(after.get::<String>("cart").unwrap().unwrap(), "34");
    assert!(!session.is_modified());
}

/// The CSRF seed does not cross: a token from before is good for nothing.
pub async fn csrf_tokens_do_not_cross_a_sign_in(stage: Stage) {
    let session = shopper(&stage).await;
    let before = session.csrf_token();
    assert!(session.verify_csrf(&before));
    session.login("ada").await.unwrap();
    assert!(!session.verify_csrf(&before));
    assert!(session.verify_csrf(&session.csrf_token()));
}

/// Nothing goes over from one user to another, whatever the merge rule; from a guest it does.
pub async fn nothing_crosses_from_one_user_to_another(stage: Stage) {
    let session = stage.load(&stage.cookie("bob").await).await;
    session.set("secret", "bob's").unwrap();
    session.commit().await.unwrap();
    session.set("pending", "bob's").unwrap();
    session.login(ada().merge(Merge::KeepAll)).await.unwrap();
    assert!(keys(&stage.load(&set_cookie(&session)).await).is_empty());
    assert!(stage.live("bob").await.is_empty());
    let guest = stage.sessions.start();
    guest.login(SignIn::new("guest-1").unwrap().guest()).await.unwrap();
    assert_eq!((guest.kind(), guest.is_authenticated()), (Kind::Guest, false));
    guest.set("cart", &3).unwrap();
    guest.login(ada()).await.unwrap();
    assert_eq!(guest.get::<u32>("cart").unwrap(), Some(3));
    let told = stage.actions(guest.id().unwrap()).await;
    assert_eq!(told, [Action::GuestUpgraded]);
}

/// The session before ends as replaced. A request that arrives with its cookie stores nothing and
/// sets no cookie.
pub async fn a_request_with_a_replaced_cookie_stores_nothing_and_sets_no_cookie(stage: Stage) {
    let old = stage.visitor("cart", "3").await;
    let session = stage.load(&old).await;
    let in_flight = stage.load(&old).await;
    session.login("ada").await.unwrap();
    let ended = stage.record(id_of(&old)).await.ended.unwrap();
    assert_eq!((ended.reason, ended.successor), (EndReason::Replaced, session.id()));
    let rows = count_rows(&stage).await;
    let late = stage.request(&old).await;
    for request in [late, in_flight] {
        request.set("cart", "4").unwrap();
        let _ = finish(&request).await;
        assert_eq!(request.outgoing().cookie, CookieAction::None);
    }
    let refusal = stage.request(&old).await.refusal();
    assert!(matches!(refusal, Some(Refused::Ended { reason: EndReason::Replaced, .. })));
    assert_eq!(count_rows(&stage).await, rows);
    assert_eq!(
        stage.load(&set_cookie(&session)).await.get::<String>("cart").unwrap().unwrap(),
        "3"
    );
}

async fn count_rows(stage: &Stage) -> usize {
    let listed = stage.gate.inner().scan(&Filter::default(), &Page::first(1000)).await;
    listed.unwrap().records.len()
}

/// A sign-in that the limit refuses leaves the visitor's session and its data as they were.
pub async fn a_sign_in_refused_by_the_limit_changes_nothing(stage: Stage) {
    let stage = stage.configured(|edit| edit.limit(Some(1)).limit_strategy(LimitStrategy::Deny));
    let first = stage.cookie("ada").await;
    let old = stage.visitor("cart", "3").await;
    let session = stage.load(&old).await;
    session.set("note", "n").unwrap();
    let refused = session.login("ada").await;
    assert!(matches!(refused, Err(SessionError::LimitReached { limit: 1 })), "{refused:?}");
    assert!(!session.is_authenticated());
    finish(&session).await.unwrap();
    assert_eq!(session.outgoing().cookie, CookieAction::None);
    assert_eq!(keys(&stage.load(&old).await), ["cart", "note"]);
    assert_eq!(stage.live("ada").await, [id_of(&first)]);
}

/// A disabled subject is not signed in, and nothing else changes.
pub async fn a_sign_in_of_a_disabled_subject_changes_nothing(stage: Stage) {
    stage.sessions.disable(&Subject::new("ada").unwrap(), None).await.unwrap();
    let old = stage.visitor("cart", "3").await;
    let session = stage.load(&old).await;
    let refused = session.login("ada").await;
    assert!(matches!(refused, Err(SessionError::SubjectDisabled)), "{refused:?}");
    assert_eq!(keys(&stage.load(&old).await), ["cart"]);
}

/// Without a new session at each sign-in, the same subject keeps session and data, and the old
/// token is dead all the same.
pub async fn signing_in_again_without_a_new_session_kills_the_old_token(stage: Stage) {
    let stage = stage.configured(|edit| edit.regenerate_on_login(false));
    let old = stage.cookie("ada").await;
    let session = stage.load(&old).await;
    session.set("cart", &3).unwrap();
    let editor = Roles::new(["editor"]).unwrap();
    session.login(ada().roles(editor.clone())).await.unwrap();
    let new = set_cookie(&session);
    assert_eq!(id_of(&new), id_of(&old));
    let after = stage.load(&new).await;
    assert_eq!((after.get("cart").unwrap(), after.roles()), (Some(3), editor));
    assert!(matches!(stage.sessions.load(&old).await, Err(SessionError::Invalid)));
    let other = stage.load(&new).await;
    other.login("bob").await.unwrap();
    assert_ne!(other.id(), Some(id_of(&old)));
}

/// A sign-in goes on when its request is dropped after the first poll.
pub async fn a_dropped_sign_in_completes(stage: Stage) {
    let session = stage.sessions.start();
    let held = stage.gate.hold(Call::Commit, When::Before);
    {
        let mut login = Box::pin(session.login("ada"));
        let polled = login.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        held.arrived().await;
    }
    drop(session);
    held.release();
    stage.sessions.shutdown().await.unwrap();
    assert_eq!(stage.live("ada").await.len(), 1);
}

/// A sign-out goes on when its request is dropped after the first poll.
pub async fn a_dropped_sign_out_completes(stage: Stage) {
    let cookie = stage.cookie("ada").await;
    let session = stage.load(&cookie).await;
    let held = stage.gate.hold(Call::Commit, When::Before);
    {
        let mut logout = Box::pin(session.logout());
        assert!(logout.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        held.arrived().await;
    }
    held.release();
    stage.sessions.shutdown().await.unwrap();
    assert!(stage.record(id_of(&cookie)).await.is_tombstone());
}

/// Two handles of one visitor that store at the same time begin one session, not two.
pub async fn two_first_commits_of_one_visitor_begin_one_session(stage: Stage) {
    let session = stage.sessions.start();
    let other = session.clone();
    session.set("a", &1).unwrap();
    let held = stage.gate.hold(Call::Commit, When::Before);
    let one = tokio::spawn(async move { session.commit().await.map(|()| session) });
    held.arrived().await;
    other.set("b", &2).unwrap();
    let two = tokio::spawn(async move { other.commit().await });
    tokio::task::yield_now().await;
    held.release();
    let session = one.await.unwrap().unwrap();
    two.await.unwrap().unwrap();
    assert_eq!(count_rows(&stage).await, 1);
    assert_eq!(keys(&stage.load(&set_cookie(&session)).await), ["a", "b"]);
}

/// A commit of a visitor's data that is under way while they sign in does not take the place of
/// the session they signed in to.
pub async fn a_first_commit_beside_a_sign_in_leaves_them_signed_in(stage: Stage) {
    let session = stage.sessions.start();
    let clone = session.clone();
    let held = stage.gate.hold(Call::Commit, When::Before);
    session.set("cart", &3).unwrap();
    let saving = tokio::spawn(async move { clone.commit().await });
    held.arrived().await;
    let signing_in = tokio::spawn(async move { session.login("ada").await.map(|()| session) });
    tokio::task::yield_now().await;
    held.release();
    let session = signing_in.await.unwrap().unwrap();
    saving.await.unwrap().unwrap();
    let cookie = set_cookie(&session);
    assert_eq!(stage.live("ada").await, [id_of(&cookie)]);
    assert_eq!(stage.load(&cookie).await.get::<u32>("cart").unwrap(), Some(3));
}

/// Nothing is live of a visitor whose session was taken over, whatever came in between.
pub async fn the_session_before_is_dead_when_the_sign_in_is_answered(stage: Stage) {
    let stage = Arc::new(stage);
    for _ in 0..50 {
        let old = stage.visitor("cart", "3").await;
        let session = stage.load(&old).await;
        session.login("ada").await.unwrap();
        assert!(stage.sessions.load(&old).await.is_err());
        let truth = stage.truth(id_of(&old)).await;
        assert!(matches!(truth, Standing::Over { is_written: true, .. }), "{truth:?}");
    }
}
