//! Session cookies: every cell of the verdict table, end to end.

use std::sync::Arc;
use std::time::Duration;

use super::stage::{Stage, finish, id_of, set_cookie};
use crate::error::{Refused, SessionError};
use crate::event::Action;
use crate::policy::Standing;
use crate::record::EndReason;
use crate::session::CookieAction;
use crate::testing::{Call, When};
use crate::verdict::GRACE;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// A stage on which cookies are rotated by age, and nothing is idle too long.
fn rotating(stage: Stage) -> Stage {
    stage.configured(|edit| edit.rotate_every(Some(HOUR)).idle(None))
}

/// A cookie, and the one that took its place by age.
async fn rotated(stage: &Stage) -> (String, String) {
    let old = stage.cookie("ada").await;
    stage.clock.advance(HOUR);
    let new = set_cookie(&stage.request(&old).await);
    (old, new)
}

/// Presents a cookie and waits until what follows from that is written.
async fn present(stage: &Stage, cookie: &str) -> Result<CookieAction, Refused> {
    let session = stage.request(cookie).await;
    finish(&session).await.unwrap();
    stage.sessions.shutdown().await.unwrap();
    let cookie = session.outgoing().cookie;
    session.refusal().map_or(Ok(cookie), Err)
}

async fn assert_alive(stage: &Stage, cookie: &str) {
    assert_eq!(stage.truth(id_of(cookie)).await, Standing::Live);
}

async fn count(stage: &Stage, cookie: &str, action: Action) -> usize {
    let actions = stage.actions(id_of(cookie)).await;
    actions.into_iter().filter(|told| *told == action).count()
}

/// 200 requests at once when their cookie is due: one bump, the same successor, nothing deleted.
pub async fn n200_requests_when_a_cookie_is_due_make_one_rotation(stage: Stage) {
    let stage = Arc::new(rotating(stage));
    let old = stage.cookie("ada").await;
    stage.clock.advance(HOUR);
    let requests: Vec<_> = (0..200)
        .map(|_| {
            let (stage, old) = (Arc::clone(&stage), old.clone());
            tokio::spawn(async move { set_cookie(&stage.request(&old).await) })
        })
        .collect();
    let mut cookies = Vec::new();
    for request in requests {
        cookies.push(request.await.unwrap());
    }
    assert!(cookies.iter().all(|cookie| *cookie == cookies[0] && *cookie != old));
    assert_eq!(stage.record(id_of(&old)).await.lineage.generation, 2);
    assert_eq!(count(&stage, &old, Action::SessionRotated).await, 1);
}

/// Until the successor has come back, the old cookie is good and gets it again: a lost response
/// costs nothing, however late it is noticed.
pub async fn a_cookie_whose_successor_was_not_seen_is_good_and_gets_it_again(stage: Stage) {
    let stage = rotating(stage);
    let (old, new) = rotated(&stage).await;
    stage.clock.advance(HOUR * 5);
    assert_eq!(set_cookie(&stage.request(&old).await), new);
    assert_eq!(present(&stage, &new).await.map(|_| ()), Ok(()));
}

/// Once the successor has come back, the old cookie is good for the grace, and gets nothing.
pub async fn a_cookie_whose_successor_was_seen_is_good_within_the_grace(stage: Stage) {
    let stage = rotating(stage);
    let (old, new) = rotated(&stage).await;
    assert_eq!(present(&stage, &new).await, Ok(CookieAction::None));
    assert!(stage.record(id_of(&new)).await.lineage.is_seen);
    stage.clock.advance(GRACE);
    assert_eq!(present(&stage, &old).await, Ok(CookieAction::None));
    stage.clock.advance(SECOND);
    assert_eq!(present(&stage, &old).await, Err(Refused::Superseded));
    assert_alive(&stage, &new).await;
}

/// An older cookie is refused; the log tells of it, but not without end.
pub async fn an_older_cookie_is_refused_with_one_event_a_minute(stage: Stage) {
    let stage = rotating(stage);
    let (old, new) = rotated(&stage).await;
    present(&stage, &new).await.unwrap();
    stage.clock.advance(GRACE + SECOND);
    for _ in 0..50 {
        assert_eq!(present(&stage, &old).await, Err(Refused::Superseded));
    }
    assert_eq!(count(&stage, &old, Action::RefreshReused).await, 1);
    stage.clock.advance(Duration::from_secs(60));
    assert_eq!(present(&stage, &old).await, Err(Refused::Superseded));
    assert_eq!(count(&stage, &old, Action::RefreshReused).await, 2);
    assert_eq!(present(&stage, &new).await, Ok(CookieAction::None));
}

/// Where the policy says so, an older cookie ends its session, and no other of the subject.
pub async fn an_older_cookie_ends_its_session_by_policy_alone(stage: Stage) {
    let stage = rotating(stage).configured(|edit| edit.end_on_cookie_reuse(true));
    let (other, (old, new)) = (stage.cookie("ada").await, rotated(&stage).await);
    present(&stage, &new).await.unwrap();
    stage.clock.advance(GRACE + SECOND);
    assert_eq!(present(&stage, &old).await, Err(Refused::Superseded));
    let refused = stage.sessions.load(&new).await;
    assert!(matches!(refused, Err(SessionError::Ended { reason: EndReason::Reuse, .. })));
    assert_alive(&stage, &other).await;
}

/// A privilege change kills the old cookie at once. Within the grace that is nobody's fault.
pub async fn a_cookie_superseded_by_a_privilege_change_is_refused_without_an_event(stage: Stage) {
    let old = stage.cookie("ada").await;
    let session = stage.load(&old).await;
    session.regenerate().await.unwrap();
    let new = set_cookie(&session);
    assert_eq!(present(&stage, &old).await, Err(Refused::Superseded));
    assert_eq!(count(&stage, &old, Action::RefreshReused).await, 0);
    stage.clock.advance(GRACE + SECOND);
    assert_eq!(present(&stage, &old).await, Err(Refused::Superseded));
    assert_eq!(count(&stage, &old, Action::RefreshReused).await, 1);
    assert_eq!(present(&stage, &new).await, Ok(CookieAction::None));
}

/// A cookie that is ahead of the store shows that the store was restored.
pub async fn a_cookie_ahead_of_the_store_is_an_alarm(stage: Stage) {
    let old = stage.cookie("ada").await;
    let before = stage.record(id_of(&old)).await.lineage;
    let session = stage.load(&old).await;
    session.regenerate().await.unwrap();
    let ahead = set_cookie(&session);
    stage.rewrite(id_of(&old), |record| record.lineage = before).await;
    let sessions = stage.restarted();
    assert!(matches!(sessions.load(&ahead).await, Err(SessionError::Invalid)));
    sessions.shutdown().await.unwrap();
    assert_eq!(count(&stage, &old, Action::Risk("store_restored".into())).await, 1);
    assert_alive(&stage, &old).await;
}

/// After a change of key, a cookie moves to the new key when it is next seen.
pub async fn a_cookie_moves_to_the_new_key_at_next_sight(stage: Stage) {
    let old = stage.cookie("ada").await;
    let key = stage.keys.rotate().unwrap();
    let new = set_cookie(&stage.request(&old).await);
    assert_eq!(stage.record(id_of(&old)).await.lineage.key_id, key);
    assert_eq!(set_cookie(&stage.request(&old).await), new);
    assert_eq!(present(&stage, &new).await, Ok(CookieAction::None));
}

/// What a retired key made is refused at once, whatever a cache holds; nothing ends.
pub async fn a_cookie_of_a_retired_key_is_refused(stage: Stage) {
    let old = stage.cookie("ada").await;
    stage.load(&old).await;
    stage.keys.retire(stage.keys.active_id()).unwrap();
    assert_eq!(present(&stage, &old).await, Err(Refused::Invalid));
    assert!(matches!(stage.restarted().load(&old).await, Err(SessionError::Invalid)));
    assert_alive(&stage, &old).await;
}

/// Who presents a cookie that is due while a privilege change supersedes it is refused, and never
/// given the cookie that took its place.
pub async fn a_rotation_that_a_privilege_change_overtakes_gives_nothing_away(stage: Stage) {
    let stage = Arc::new(rotating(stage));
    let old = stage.cookie("ada").await;
    let owner = stage.load(&old).await;
    stage.clock.advance(HOUR);
    let held = stage.gate.hold(Call::Commit, When::After);
    let regenerating = tokio::spawn(async move { owner.regenerate().await.unwrap() });
    held.arrived().await;
    let thief = Arc::clone(&stage);
    let stolen = old.clone();
    let thief = tokio::spawn(async move { present(&thief, &stolen).await });
    tokio::task::yield_now().await;
    held.release();
    regenerating.await.unwrap();
    assert_eq!(thief.await.unwrap(), Err(Refused::Superseded));
}

/// However a cookie is refused, the response deletes nothing: a newer one may be there.
pub async fn a_refused_cookie_is_never_deleted(stage: Stage) {
    let (ended, suspended) = (stage.cookie("ada").await, stage.cookie("ada").await);
    stage.sessions.end(id_of(&ended), EndReason::Admin, None).await.unwrap();
    stage.sessions.suspend(id_of(&suspended), None, None).await.unwrap();
    let replaced = stage.visitor("cart", "3").await;
    stage.load(&replaced).await.login("bob").await.unwrap();
    for cookie in [&ended, &suspended, &replaced, "no cookie of ours"] {
        let session = stage.request(cookie).await;
        assert!(session.refusal().is_some());
        finish(&session).await.unwrap();
        assert_eq!(session.outgoing().cookie, CookieAction::None);
    }
}

/// The text of a refresh token is no cookie, however well the cache knows it.
pub async fn a_refresh_token_without_its_prefix_is_no_cookie(stage: Stage) {
    let token = stage.refresh_token("ada").await;
    let next = stage.sessions.refresh(&token, None).await.unwrap().token.to_text();
    stage.sessions.refresh(&next, None).await.unwrap();
    for text in [&*token, &*next] {
        let bare = text.strip_prefix(crate::token::REFRESH_PREFIX).unwrap();
        assert_eq!(present(&stage, bare).await, Err(Refused::Invalid));
    }
}

/// What one handle of a request reads, writes and reads again is what all its handles see, whether
/// anything was written before it or not.
pub async fn handles_of_one_request_agree_before_and_after_a_change(stage: Stage) {
    let cookie = stage.visitor("cart", "3").await;
    let first = stage.request(&cookie).await;
    let second = first.clone();
    assert_eq!(second.get::<String>("cart").unwrap().as_deref(), Some("3"));
    assert!(!first.is_modified() && first.has("cart"));
    second.set("cart", "4").unwrap();
    assert_eq!(first.get::<String>("cart").unwrap().as_deref(), Some("4"));
    assert!(first.is_modified());
    first.login("ada").await.unwrap();
    assert_eq!(second.user_id().unwrap().as_str(), "ada");
    assert_eq!(second.get::<String>("cart").unwrap().as_deref(), Some("4"));
    second.logout().await.unwrap();
    assert!(first.user_id().is_none() && first.record().is_none());
}
