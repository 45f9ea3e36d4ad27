//! What a service does for holders: refresh with activity, end and explain by token, step up,
//! extend.

use std::time::Duration;

use super::stage::{Stage, cookie_of, id_of, set_cookie};
use crate::config::ReusePolicy;
use crate::error::SessionError;
use crate::event::Action;
use crate::manager::Begun;
use crate::policy::Standing;
use crate::record::{Client, EndReason, Transport};
use crate::session::CookieAction;
use crate::sign_in::SignIn;
use crate::testing::{Call, Failure};
use crate::token::AccessClaim;
use crate::verdict::GRACE;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// A refresh is no activity. What the client tells of the user's counts, no earlier than what is
/// known and no later than now, and brings nobody back who has run out.
pub async fn a_refresh_moves_the_idle_limit_only_by_what_the_client_tells(stage: Stage) {
    let mut token = stage.refresh_token("ada").await;
    let (id, start) = (id_of(&token), stage.sessions.now());
    let after = |seconds: u32| start.plus(SECOND * seconds);
    for (told, known) in
        [(None, 0), (Some(after(10)), 10), (Some(start), 10), (Some(start.plus(HOUR)), 80)]
    {
        stage.clock.advance(SECOND * 20);
        let refreshed = stage.sessions.refresh_active(&token, None, told).await.unwrap();
        token = refreshed.token.to_text().to_string();
        assert_eq!(refreshed.record.last_seen, after(known), "{told:?}");
    }
    assert_eq!(stage.record(id).await.last_seen, after(80));
    stage.clock.advance(HOUR + SECOND * 120);
    let late = Some(stage.sessions.now());
    let refused = stage.sessions.refresh_active(&token, None, late).await;
    assert!(matches!(refused, Err(SessionError::Expired { .. })), "{refused:?}");
}

/// Whoever answered again with the same successor counts as well.
pub async fn activity_told_with_a_concurrent_refresh_counts(stage: Stage) {
    let token = stage.refresh_token("ada").await;
    stage.clock.advance(HOUR / 2);
    stage.sessions.refresh(&token, None).await.unwrap();
    let now = Some(stage.sessions.now());
    stage.sessions.refresh_active(&token, None, now).await.unwrap();
    stage.clock.advance(HOUR / 2 + SECOND * 120);
    assert!(stage.sessions.why(&token).await.unwrap().is_active);
    stage.sessions.shutdown().await.unwrap();
    assert_eq!(Some(stage.record(id_of(&token)).await.last_seen), now);
}

/// A genuine token ends its session and hears why, whatever its generation and transport; anything
/// else ends and hears nothing.
pub async fn a_token_of_any_generation_ends_its_session_and_hears_why(stage: Stage) {
    for transport in [Transport::Cookie, Transport::Token] {
        let sign_in = SignIn::new("ada").unwrap().transport(transport);
        let begun = stage.sessions.begin(sign_in).await.unwrap();
        let old = cookie_of(&begun);
        stage.sessions.step_up(begun.record.id, &["otp"]).await.unwrap();
        stage.clock.advance(GRACE + SECOND);
        let why = stage.sessions.why(&old).await.unwrap();
        assert!(why.is_active && why.ended.is_none(), "{why:?}");
        assert!(stage.sessions.end_by_token(&old, EndReason::Logout).await.unwrap());
        assert!(!stage.sessions.end_by_token(&old, EndReason::Logout).await.unwrap());
        let why = stage.sessions.why(&old).await.unwrap();
        let ended = why.ended.unwrap();
        assert_eq!((ended.reason, ended.by.as_deref()), (EndReason::Logout, Some("ada")));
        let record = stage.record(begun.record.id).await;
        assert_eq!(record.ended.unwrap().reason, EndReason::Logout);
    }
    let token = stage.refresh_token("ada").await;
    let bare = token.trim_start_matches("hsr_").to_owned();
    for bad in ["", "hsr_", &bare, &token[..78]] {
        let ended = stage.sessions.end_by_token(bad, EndReason::Logout).await;
        assert!(matches!(ended, Err(SessionError::Invalid)), "{bad:?}: {ended:?}");
        assert!(matches!(stage.sessions.why(bad).await, Err(SessionError::Invalid)), "{bad:?}");
    }
    assert!(stage.sessions.refresh(&token, None).await.is_ok());
}

/// Why a session is over is told before its tombstone is written, and what comes first to one that
/// is not.
pub async fn b05_why_somebody_was_signed_out_is_a_lookup(stage: Stage) {
    let token = stage.refresh_token("ada").await;
    let (id, start) = (id_of(&token), stage.sessions.now());
    let why = stage.sessions.why_of(id).await.unwrap().unwrap();
    let expected = (Some(EndReason::Idle), Some(start.plus(HOUR)));
    assert_eq!((why.first_to_expire, why.at), expected);
    stage.sessions.suspend(id, None, None).await.unwrap();
    let why = stage.sessions.why(&token).await.unwrap();
    assert!(!why.is_active && why.is_suspended && why.ended.is_none());
    stage.sessions.resume(id, None).await.unwrap();
    stage.clock.advance(HOUR * 2);
    let ended = stage.sessions.why(&token).await.unwrap().ended.unwrap();
    assert_eq!((ended.reason, ended.at), (EndReason::Idle, start.plus(HOUR)));
    assert!(!stage.record(id).await.is_tombstone());
    let nobody = crate::id::SessionId::from_bytes([9; 18]);
    assert_eq!(stage.sessions.why_of(nobody).await.unwrap(), None);
}

/// A step-up by a service answers the new token; the old one and its access tokens are dead at
/// once, within the grace without an end.
pub async fn s05_a_step_up_for_a_holder_answers_the_new_token(stage: Stage) {
    let old = stage.refresh_token("ada").await;
    let claim = AccessClaim::of(&stage.record(id_of(&old)).await);
    let stepped = stage.sessions.step_up(claim.session, &["otp"]).await.unwrap();
    assert_eq!(stepped.record.amr, ["otp".into()]);
    assert!(matches!(stage.sessions.refresh(&old, None).await, Err(SessionError::Invalid)));
    assert!(stage.sessions.load_access(&claim, Client::default()).await.is_err());
    let new = AccessClaim::of(&stepped.record);
    assert!(stage.sessions.load_access(&new, Client::default()).await.is_ok());
    stage.sessions.refresh(&cookie_of(&stepped), None).await.unwrap();
    let guest = stage.sessions.guest().unwrap();
    let guest = stage.sessions.begin(guest).await.unwrap().record.id;
    let refused = stage.sessions.step_up(guest, &["otp"]).await;
    assert!(matches!(refused, Err(SessionError::Unauthenticated)), "{refused:?}");
}

/// Shows B08: a step-up takes back what was set aside until then, in one commit with the new token,
/// and nothing that somebody set aside without end.
pub async fn b08_a_step_up_takes_back_what_was_set_aside_until_then(stage: Stage) {
    let id = id_of(&stage.refresh_token("ada").await);
    let sessions = &stage.sessions;
    sessions.suspend_until_step_up(id, Some("rule"), Some("odd place")).await.unwrap();
    stage.gate.fail_next(Call::Commit, Failure::Unavailable);
    assert!(sessions.step_up(id, &["otp"]).await.is_err());
    assert_eq!(stage.truth(id).await, Standing::Suspended);
    let stepped = sessions.step_up(id, &["otp"]).await.unwrap();
    assert!(stepped.record.suspended.is_none());
    assert!(sessions.refresh(&cookie_of(&stepped), None).await.is_ok());
    let told = stage.actions(id).await;
    let took_back = [Action::SessionSuspended, Action::SessionResumed, Action::StepUp];
    assert_eq!(told[1..4], took_back);
    sessions.suspend(id, Some("op"), None).await.unwrap();
    let refused = sessions.step_up(id, &["otp"]).await;
    assert!(matches!(refused, Err(SessionError::Suspended)), "{refused:?}");
}

/// A session that the policy set aside because an old refresh token came back is taken back by a
/// step-up, which leaves whoever sent the old one with nothing.
pub async fn b08_a_step_up_takes_back_a_session_whose_token_was_reused(stage: Stage) {
    let stage = stage.configured(|edit| edit.reuse(ReusePolicy::Suspend).grace(Duration::ZERO));
    let old = stage.refresh_token("ada").await;
    let current = stage.sessions.refresh(&old, None).await.unwrap().token.to_text();
    assert!(matches!(stage.sessions.refresh(&old, None).await, Err(SessionError::Suspended)));
    assert!(stage.sessions.refresh(&current, None).await.is_err());
    let stepped = stage.sessions.step_up(id_of(&old), &["otp"]).await.unwrap();
    assert!(stage.sessions.refresh(&cookie_of(&stepped), None).await.is_ok());
}

async fn remembered(stage: &Stage) -> Begun {
    stage.sessions.begin(SignIn::new("ada").unwrap().remember(true)).await.unwrap()
}

/// Extending is activity, and sends a remembered cookie again with what is left of its life.
pub async fn extending_is_activity_and_sends_a_remembered_cookie_again(stage: Stage) {
    let begun = remembered(&stage).await;
    stage.clock.advance(HOUR);
    let session = stage.load(&cookie_of(&begun)).await;
    session.not_activity();
    session.extend();
    assert_eq!(session.last_seen(), Some(stage.sessions.now()));
    let CookieAction::Set { value, max_age } = session.outgoing().cookie else {
        panic!("the cookie is sent again")
    };
    assert_eq!((value.to_string(), max_age), (cookie_of(&begun), Some(HOUR * (30 * 24 - 1))));
    let session = stage.load(&stage.cookie("bob").await).await;
    session.extend();
    let expected = (stage.sessions.now().plus(HOUR), EndReason::Idle);
    assert_eq!(session.first_to_expire(), Some(expected));
    assert_eq!(session.outgoing().cookie, CookieAction::None);
    let visitor = stage.sessions.start();
    visitor.extend();
    assert_eq!((visitor.last_seen(), visitor.outgoing().cookie), (None, CookieAction::None));
}

/// Nobody gets a newer cookie by extending: not with the one before, not with an access token.
pub async fn extending_gives_no_token_away(stage: Stage) {
    let stage = stage.configured(|edit| edit.rotate_every(Some(HOUR)));
    let old = cookie_of(&remembered(&stage).await);
    stage.clock.advance(HOUR * 2);
    let new = set_cookie(&stage.request(&old).await);
    stage.load(&new).await;
    stage.sessions.shutdown().await.unwrap();
    let session = stage.load(&old).await;
    session.extend();
    assert_eq!(session.outgoing().cookie, CookieAction::None);
    let claim = AccessClaim::of(&stage.record(id_of(&new)).await);
    let session = stage.sessions.load_access(&claim, Client::default()).await.unwrap();
    session.extend();
    assert_eq!(session.outgoing().cookie, CookieAction::None);
    let looked_at = stage.sessions.peek(&new).await.unwrap();
    looked_at.extend();
    assert_eq!(looked_at.outgoing().cookie, CookieAction::None);
}
