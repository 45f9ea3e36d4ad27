//! Lifetimes: each limit to the second, and what moves it.

use std::time::Duration;

use super::stage::{START, Stage, finish, id_of};
use crate::config::SessionConfig;
use crate::error::{Refused, SessionError};
use crate::event::Action;
use crate::manager::SessionManager;
use crate::record::{Assurance, EndReason, Transport};
use crate::session::{CookieAction, Session};
use crate::sign_in::SignIn;
use crate::time::Timestamp;

pub(super) const MILLI: Duration = Duration::from_millis(1);
pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const DAY: Duration = Duration::from_secs(86_400);

/// Which limit a session has passed, and when.
pub(super) type Over = Option<(EndReason, Timestamp)>;

pub(super) fn over(session: &Session) -> Over {
    match session.refusal() {
        None => None,
        Some(Refused::Ended { reason, ended_at }) => Some((reason, ended_at)),
        Some(other) => panic!("refused for another reason: {other:?}"),
    }
}

/// A look at a session that is no activity.
pub(super) async fn look(stage: &Stage, sessions: &SessionManager, cookie: &str) -> Over {
    let over = over(&stage.request_of(sessions, cookie).await);
    sessions.shutdown().await.unwrap();
    over
}

/// A request by the holder of `cookie`, who takes the cookie that is set.
pub(super) async fn visit(stage: &Stage, sessions: &SessionManager, cookie: &mut String) -> Over {
    let session = stage.request_of(sessions, cookie).await;
    leave(sessions, &session, cookie).await;
    over(&session)
}

/// The end of a request, and what goes on behind it.
pub(super) async fn leave(sessions: &SessionManager, session: &Session, cookie: &mut String) {
    finish(session).await.unwrap();
    if let CookieAction::Set { value, .. } = session.outgoing().cookie {
        cookie.clone_from(&value);
    }
    sessions.shutdown().await.unwrap();
}

/// The tombstone says which limit was passed and when, and so does the log.
pub(super) async fn assert_buried(stage: &Stage, cookie: &str, reason: EndReason, at: Timestamp) {
    let ended = stage.record(id_of(cookie)).await.ended.expect("a tombstone");
    assert_eq!((ended.reason, ended.at), (reason, at));
    assert_eq!(stage.actions(id_of(cookie)).await.last(), Some(&Action::SessionEnded));
}

/// A session that is not used is good until the last millisecond of `life`, and over after it.
async fn assert_unused_lives(stage: &Stage, cookie: &str, life: Duration, reason: EndReason) {
    let end = stage.sessions.now().plus(life);
    let late = match reason {
        EndReason::Idle => stage.late(cookie).await,
        _ => Duration::ZERO,
    };
    stage.clock.set(end.minus(SECOND));
    assert_eq!(look(stage, &stage.sessions, cookie).await, None);
    stage.clock.set(end.minus(MILLI));
    assert_eq!(look(stage, &stage.sessions, cookie).await, None);
    stage.clock.set(end.plus(late).plus(SECOND));
    assert_eq!(look(stage, &stage.sessions, cookie).await, Some((reason, end)));
    assert_buried(stage, cookie, reason, end).await;
}

/// An idle session is refused by the look at it: no sweep is needed, and its tombstone is written.
pub async fn s25_an_idle_session_is_good_to_the_last_second_and_no_longer(stage: Stage) {
    let cookie = stage.cookie("ada").await;
    assert_unused_lives(&stage, &cookie, HOUR, EndReason::Idle).await;
}

/// So does one whose absolute limit is the stricter.
pub async fn s26_the_absolute_limit_is_kept_to_the_second(stage: Stage) {
    let stage = stage.configured(|edit| edit.idle(None));
    let cookie = stage.cookie("ada").await;
    assert_unused_lives(&stage, &cookie, DAY, EndReason::Absolute).await;
}

/// A request every minute, with rotation by age and by `regenerate`, with changes, cleanups and
/// restarts: the absolute end stays where it was.
pub async fn s26_activity_every_minute_carries_nobody_past_the_absolute_end(stage: Stage) {
    let stage = stage.configured(|edit| edit.rotate_every(Some(MINUTE * 50)));
    let mut cookie = stage.cookie("ada").await;
    let mut sessions = stage.sessions.clone();
    for minute in 1..24 * 60_u32 {
        stage.clock.advance(MINUTE);
        if minute % 301 == 0 {
            sessions = stage.restarted();
        }
        let session = stage.request_of(&sessions, &cookie).await;
        assert_eq!(over(&session), None, "minute {minute}");
        if minute % 45 == 0 {
            session.set("minute", &minute).unwrap();
        }
        if minute % 97 == 0 {
            session.regenerate().await.unwrap();
        }
        leave(&sessions, &session, &mut cookie).await;
        if minute % 200 == 0 {
            assert_eq!(sessions.cleanup().await.unwrap().total(), 0);
        }
    }
    assert!(stage.record(id_of(&cookie)).await.lineage.generation > 20);
    stage.clock.set(START.plus(DAY).minus(MILLI));
    assert_eq!(visit(&stage, &sessions, &mut cookie).await, None);
    stage.clock.set(START.plus(DAY));
    let end = (EndReason::Absolute, START.plus(DAY));
    assert_eq!(visit(&stage, &sessions, &mut cookie).await, Some(end));
    assert_buried(&stage, &cookie, end.0, end.1).await;
}

/// A refresh token lives as long as its session was given at sign-in, however often it is
/// exchanged.
pub async fn s26_refresh_carries_nobody_past_the_absolute_end(stage: Stage) {
    let stage = stage.configured(|edit| edit.idle(None));
    let mut token = stage.refresh_token("ada").await;
    let mut sessions = stage.sessions.clone();
    for half_hour in 1..48_u32 {
        stage.clock.advance(MINUTE * 30);
        if half_hour % 11 == 0 {
            sessions = stage.restarted();
        }
        token = sessions.refresh(&token, None).await.unwrap().token.to_text().to_string();
    }
    stage.clock.set(START.plus(DAY).minus(MILLI));
    token = sessions.refresh(&token, None).await.unwrap().token.to_text().to_string();
    stage.clock.set(START.plus(DAY));
    let refused = sessions.refresh(&token, None).await;
    let reason = EndReason::Absolute;
    assert!(matches!(refused, Err(SessionError::Expired { reason: it, .. }) if it == reason));
    sessions.shutdown().await.unwrap();
    assert_buried(&stage, &token, reason, START.plus(DAY)).await;
}

/// An automatic refresh is no activity: whoever does nothing else is idle.
pub async fn a_refresh_does_not_move_the_idle_limit(stage: Stage) {
    let token = stage.refresh_token("ada").await;
    stage.clock.set(START.plus(HOUR).minus(MILLI));
    let next = stage.sessions.refresh(&token, None).await.unwrap().token.to_text().to_string();
    stage.clock.set(START.plus(HOUR).plus(stage.late(&next).await));
    let refused = stage.sessions.refresh(&next, None).await;
    assert!(matches!(refused, Err(SessionError::Expired { reason: EndReason::Idle, .. })));
    stage.sessions.shutdown().await.unwrap();
    assert_buried(&stage, &next, EndReason::Idle, START.plus(HOUR)).await;
}

/// Activity moves the idle limit, and the tombstone tells when it was passed.
pub async fn s30_activity_starts_the_idle_lifetime_anew(stage: Stage) {
    let mut cookie = stage.cookie("ada").await;
    for _ in 0..3 {
        stage.clock.advance(HOUR - MILLI);
        assert_eq!(visit(&stage, &stage.sessions, &mut cookie).await, None);
    }
    assert_unused_lives(&stage, &cookie, HOUR, EndReason::Idle).await;
}

/// A poll that says it is no activity moves nothing.
pub async fn s30_what_is_no_activity_moves_no_limit(stage: Stage) {
    let cookie = stage.cookie("ada").await;
    for _ in 0..59 {
        stage.clock.advance(MINUTE);
        let poll = stage.request(&cookie).await;
        poll.not_activity();
        assert_eq!(over(&poll), None);
        finish(&poll).await.unwrap();
    }
    assert_unused_lives(&stage, &cookie, MINUTE, EndReason::Idle).await;
}

/// Signing in again within the session starts both lifetimes anew, and nothing else does.
pub async fn s30_a_step_up_starts_both_lifetimes_anew(stage: Stage) {
    let mut cookie = stage.cookie("ada").await;
    for _ in 0..23 {
        stage.clock.advance(HOUR - MILLI);
        assert_eq!(visit(&stage, &stage.sessions, &mut cookie).await, None);
    }
    let session = stage.request(&cookie).await;
    session.step_up(&["otp"]).await.unwrap();
    leave(&stage.sessions, &session, &mut cookie).await;
    let end = stage.sessions.now().plus(DAY);
    for _ in 0..24 {
        stage.clock.advance(HOUR - MILLI);
        assert_eq!(visit(&stage, &stage.sessions, &mut cookie).await, None);
    }
    stage.clock.set(end.minus(MILLI));
    assert_eq!(visit(&stage, &stage.sessions, &mut cookie).await, None);
    stage.clock.set(end);
    assert_eq!(look(&stage, &stage.sessions, &cookie).await, Some((EndReason::Absolute, end)));
}

/// So does a sign-in that keeps the session.
pub async fn s30_a_sign_in_that_keeps_the_session_starts_both_lifetimes_anew(stage: Stage) {
    let stage = stage.configured(|edit| edit.regenerate_on_login(false));
    let mut cookie = stage.cookie("ada").await;
    stage.clock.advance(HOUR - MILLI);
    let session = stage.request(&cookie).await;
    session.login("ada").await.unwrap();
    leave(&stage.sessions, &session, &mut cookie).await;
    let record = stage.record(id_of(&cookie)).await;
    assert_eq!(record.absolute_expiry, stage.sessions.now().plus(DAY));
    assert_unused_lives(&stage, &cookie, HOUR, EndReason::Idle).await;
}

/// Whichever limit comes first ends the session and is the reason told.
pub async fn s30_the_stricter_limit_ends_the_session(stage: Stage) {
    let stage = stage.configured(|edit| edit.ttl(MINUTE * 90));
    let (mut used, unused) = (stage.cookie("ada").await, stage.cookie("bob").await);
    stage.clock.advance(MINUTE * 45);
    assert_eq!(visit(&stage, &stage.sessions, &mut used).await, None);
    stage.clock.set(START.plus(MINUTE * 91));
    let (idle, absolute) = (START.plus(HOUR), START.plus(MINUTE * 90));
    let over = look(&stage, &stage.sessions, &unused).await;
    assert_eq!(over, Some((EndReason::Idle, idle)));
    let over = look(&stage, &stage.sessions, &used).await;
    assert_eq!(over, Some((EndReason::Absolute, absolute)));
}

/// A remembered session has lifetimes of its own.
pub async fn a_remembered_session_lives_by_its_own_limits(stage: Stage) {
    let remembered = |who| SignIn::new(who).unwrap().remember(true);
    let cookie = stage.sessions.begin(remembered("ada")).await.unwrap().token.to_text();
    assert_unused_lives(&stage, &cookie, DAY * 30, EndReason::Absolute).await;
    let stage = stage.configured(|edit| edit.remember_idle(Some(DAY * 7)));
    let cookie = stage.sessions.begin(remembered("ada")).await.unwrap().token.to_text();
    assert_unused_lives(&stage, &cookie, DAY * 7, EndReason::Idle).await;
}

/// A preset keeps its limits, for those who are remembered too.
async fn assert_preset(stage: Stage, preset: SessionConfig, is_idle: bool) {
    let (ttl, idle) = preset.lifetimes(false);
    let stage = stage.configured(|_| preset.edit().cache_bytes(4 << 20));
    for remember in [false, true] {
        let sign_in = || SignIn::new("ada").unwrap().remember(remember);
        let cookie = stage.sessions.begin(sign_in()).await.unwrap().token.to_text();
        let (life, reason) = match idle {
            Some(idle) => (idle, EndReason::Idle),
            None => (ttl, EndReason::Absolute),
        };
        assert_eq!(idle.is_some(), is_idle);
        assert_unused_lives(&stage, &cookie, life, reason).await;
        let mut cookie = stage.sessions.begin(sign_in()).await.unwrap().token.to_text().to_string();
        let end = stage.sessions.now().plus(ttl);
        while stage.sessions.now().plus(MINUTE * 10) < end {
            stage.clock.advance(MINUTE * 10);
            assert_eq!(visit(&stage, &stage.sessions, &mut cookie).await, None);
        }
        stage.clock.set(end);
        let over = look(&stage, &stage.sessions, &cookie).await;
        assert_eq!(over, Some((EndReason::Absolute, end)));
    }
}

/// 30 days, used or not.
pub async fn s27_aal1_ends_after_30_days(stage: Stage) {
    assert_preset(stage, SessionConfig::aal1(), false).await;
}

/// An hour idle, 24 hours in all.
pub async fn s28_aal2_ends_after_an_hour_idle_and_24_hours_in_all(stage: Stage) {
    assert_preset(stage, SessionConfig::aal2(), true).await;
}

/// A quarter of an hour idle, 12 hours in all.
pub async fn s29_aal3_ends_after_15_minutes_idle_and_12_hours_in_all(stage: Stage) {
    assert_preset(stage, SessionConfig::aal3(), true).await;
}

/// Nothing but a sign-in says how sure it is who somebody is.
pub async fn s31_assurance_is_that_of_the_sign_in_and_nothing_raises_it(stage: Stage) {
    let sign_in = |assurance| SignIn::new("ada").unwrap().assurance(assurance);
    for transport in [Transport::Cookie, Transport::Token] {
        let begun = stage.sessions.begin(sign_in(Assurance::Aal2).transport(transport)).await;
        let (begun, mut token) = (begun.unwrap(), String::new());
        token.push_str(&begun.token.to_text());
        if transport == Transport::Token {
            stage.sessions.refresh(&token, None).await.unwrap();
        } else {
            let session = stage.request(&token).await;
            session.step_up(&["hwk"]).await.unwrap();
            session.regenerate().await.unwrap();
            leave(&stage.sessions, &session, &mut token).await;
            stage.clock.advance(SECOND);
        }
        assert_eq!(stage.record(begun.record.id).await.assurance, Assurance::Aal2);
    }
    let stage = stage.configured(|edit| edit.regenerate_on_login(false));
    let cookie = stage.sessions.begin(sign_in(Assurance::Aal3)).await.unwrap().token.to_text();
    let session = stage.request(&cookie).await;
    session.login(sign_in(Assurance::Aal1)).await.unwrap();
    assert_eq!(stage.record(id_of(&cookie)).await.assurance, Assurance::Aal1);
}
