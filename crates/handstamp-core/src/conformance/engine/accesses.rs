//! Access tokens: what a checked claim is worth.

use std::sync::Arc;
use std::time::Duration;

use super::schedule::{Turns, in_every_schedule};
use super::stage::{Stage, cookie_of, finish, id_of, set_cookie};
use crate::error::SessionError;
use crate::event::Action;
use crate::id::Subject;
use crate::manager::Begun;
use crate::record::{Client, EndReason, Transport};
use crate::session::{CookieAction, Session};
use crate::sign_in::SignIn;
use crate::token::AccessClaim;

async fn signed_in(stage: &Stage, who: &str) -> (String, AccessClaim) {
    let begun = by_token(stage, who).await;
    (cookie_of(&begun), AccessClaim::of(&begun.record))
}

async fn by_token(stage: &Stage, who: &str) -> Begun {
    let sign_in = SignIn::new(who).unwrap().transport(Transport::Token);
    stage.sessions.begin(sign_in).await.unwrap()
}

async fn refreshed(stage: &Stage, token: &str) -> (String, AccessClaim) {
    let refreshed = stage.sessions.refresh(token, None).await.unwrap();
    (refreshed.token.to_text().to_string(), AccessClaim::of(&refreshed.record))
}

async fn load(stage: &Stage, claim: &AccessClaim) -> Result<Session, SessionError> {
    stage.sessions.load_access(claim, Client::default()).await
}

fn is_known(stage: &Stage, claim: &AccessClaim) -> bool {
    stage.sessions.try_access(claim, Client::default()).is_some()
}

/// A claim of a session in use is judged without the store; of one that nobody has asked for, with
/// one load.
pub async fn an_access_token_of_a_session_in_use_costs_no_store_call(stage: Stage) {
    let (_, claim) = signed_in(&stage, "ada").await;
    let before = stage.gate.counts();
    assert!(is_known(&stage, &claim));
    assert_eq!(load(&stage, &claim).await.unwrap().user_id().unwrap().as_str(), "ada");
    assert_eq!(stage.gate.counts(), before);
    let cold = stage.restarted();
    // On a shared store nothing that is held is trusted before the log has been read.
    cold.catch_up().await.unwrap();
    assert!(cold.try_access(&claim, Client::default()).is_none());
    cold.load_access(&claim, Client::default()).await.unwrap();
    assert!(cold.try_access(&claim, Client::default()).is_some());
}

/// A refresh leaves the access tokens before it good; a privilege change kills them at once.
pub async fn an_access_token_outlives_a_refresh_and_no_privilege_change(stage: Stage) {
    let (token, first) = signed_in(&stage, "ada").await;
    let (_, second) = refreshed(&stage, &token).await;
    for claim in [&first, &second] {
        assert!(load(&stage, claim).await.is_ok());
    }
    let cookie = stage.cookie("bob").await;
    let session = stage.load(&cookie).await;
    let before = session.access_claim().unwrap();
    session.regenerate().await.unwrap();
    assert!(!is_known(&stage, &before));
    assert!(matches!(load(&stage, &before).await, Err(SessionError::Invalid)));
    assert!(load(&stage, &session.access_claim().unwrap()).await.is_ok());
}

/// An access token minted with the current generation shows that its refresh token arrived: the one
/// before it is then met as superseded.
pub async fn an_access_token_shows_that_its_refresh_token_arrived(stage: Stage) {
    let (token, first) = signed_in(&stage, "ada").await;
    let (_, second) = refreshed(&stage, &token).await;
    load(&stage, &first).await.unwrap();
    assert!(!stage.record(first.session).await.lineage.is_seen, "that one was known before");
    assert!(!is_known(&stage, &second), "the first sight is worth a note");
    load(&stage, &second).await.unwrap();
    stage.sessions.shutdown().await.unwrap();
    assert!(stage.record(first.session).await.lineage.is_seen && is_known(&stage, &second));
    let refused = stage.sessions.refresh(&token, None).await;
    assert!(matches!(refused, Err(SessionError::Invalid)), "{refused:?}");
}

/// Record, subject's head and deployment's head decide, each at once.
pub async fn an_access_token_dies_with_its_session_by_whatever_ends_it(stage: Stage) {
    let ada = Subject::new("ada").unwrap();
    let (_, claim) = signed_in(&stage, "ada").await;
    stage.sessions.suspend(claim.session, None, None).await.unwrap();
    assert!(!is_known(&stage, &claim));
    assert!(matches!(load(&stage, &claim).await, Err(SessionError::Suspended)));
    stage.sessions.resume(claim.session, None).await.unwrap();
    assert!(load(&stage, &claim).await.is_ok());
    stage.sessions.end_all(&ada, None, EndReason::LogoutAll, None).await.unwrap();
    assert_ended(load(&stage, &claim).await, EndReason::LogoutAll);
    let (_, claim) = signed_in(&stage, "ada").await;
    stage.sessions.disable(&ada, None).await.unwrap();
    assert_ended(load(&stage, &claim).await, EndReason::Disabled);
    let (_, claim) = signed_in(&stage, "bob").await;
    stage.sessions.end_everybody(None).await.unwrap();
    assert!(!is_known(&stage, &claim));
    assert_ended(load(&stage, &claim).await, EndReason::Admin);
    let (_, claim) = signed_in(&stage, "bob").await;
    stage.clock.advance(stage.config.ttl());
    let refused = load(&stage, &claim).await;
    assert!(matches!(refused, Err(SessionError::Expired { .. })), "{refused:?}");
    let nobody = AccessClaim { session: crate::id::SessionId::from_bytes([9; 18]), ..claim };
    assert!(matches!(load(&stage, &nobody).await, Err(SessionError::NotFound)));
}

fn assert_ended(answer: Result<Session, SessionError>, expected: EndReason) {
    let is_told = matches!(&answer, Err(SessionError::Ended { reason, .. }) if *reason == expected);
    assert!(is_told, "{answer:?}");
}

/// A claim that the store has not come to yet is from before a restore: refused, and told once a
/// minute. One of an epoch before is no worse for it.
pub async fn an_access_token_ahead_of_the_store_is_an_alarm(stage: Stage) {
    let (_, claim) = signed_in(&stage, "ada").await;
    for ahead in [
        AccessClaim { generation: claim.generation + 1, ..claim },
        AccessClaim { epoch: claim.epoch + 1, ..claim },
        AccessClaim { deployment_epoch: claim.deployment_epoch + 1, ..claim },
    ] {
        assert!(!is_known(&stage, &ahead));
        assert!(matches!(load(&stage, &ahead).await, Err(SessionError::Invalid)));
    }
    stage.sessions.shutdown().await.unwrap();
    let told = stage.actions(claim.session).await;
    assert_eq!(told, [Action::SessionStarted, Action::Risk("store_restored".into())]);
    let session = load(&stage, &claim).await.unwrap();
    session.end_others().await.unwrap();
    assert!(session.access_claim().is_some() && load(&stage, &claim).await.is_ok());
    assert!(stage.record(claim.session).await.epoch > claim.epoch);
}

/// Whoever presents an access token could not keep a cookie: none is set, and nothing is done that
/// would leave them with a dead token. What they change is stored.
pub async fn a_session_by_access_token_sets_no_cookie(stage: Stage) {
    let (token, claim) = signed_in(&stage, "ada").await;
    let session = load(&stage, &claim).await.unwrap();
    for refused in [
        session.regenerate().await,
        session.step_up(&["otp"]).await,
        session.login("ada").await,
        session.login("bob").await,
    ] {
        assert!(matches!(refused, Err(SessionError::Refused(_))), "{refused:?}");
    }
    session.set("cart", &3).unwrap();
    let _ = session.csrf_token();
    finish(&session).await.unwrap();
    assert_eq!(stage.record(claim.session).await.data.get("cart").map(|v| &**v), Some("3"));
    assert_nothing_set(&session);
    let (token, _) = refreshed(&stage, &token).await;
    session.logout().await.unwrap();
    session.set("cart", &4).unwrap();
    assert!(session.commit().await.is_err(), "nobody new begins");
    assert_nothing_set(&session);
    assert!(stage.sessions.refresh(&token, None).await.is_err());
}

fn assert_nothing_set(session: &Session) {
    let outgoing = session.outgoing();
    assert_eq!((outgoing.cookie, outgoing.pre_session), (CookieAction::None, None));
}

/// Ending the others by access token keeps the refresh token; by cookie it replaces the cookie.
pub async fn ending_the_others_replaces_only_a_cookie(stage: Stage) {
    let (token, claim) = signed_in(&stage, "ada").await;
    let other = stage.cookie("ada").await;
    let session = load(&stage, &claim).await.unwrap();
    assert_eq!(session.end_others().await.unwrap(), 1);
    assert!(stage.sessions.load(&other).await.is_err());
    stage.sessions.refresh(&token, None).await.unwrap();
    let cookie = stage.cookie("bob").await;
    let session = stage.load(&cookie).await;
    session.end_others().await.unwrap();
    assert!(stage.sessions.load(&cookie).await.is_err());
    stage.load(&set_cookie(&session)).await;
}

/// Signing out everywhere ends this session too, whatever it was presented by.
pub async fn signing_out_everywhere_ends_this_one_too(stage: Stage) {
    let (token, claim) = signed_in(&stage, "ada").await;
    stage.begin("ada").await;
    let session = load(&stage, &claim).await.unwrap();
    assert_eq!(session.end_all().await.unwrap(), 2);
    assert_nothing_set(&session);
    assert_ended(load(&stage, &claim).await, EndReason::LogoutAll);
    let record = stage.record(id_of(&token)).await;
    assert_eq!(record.ended.unwrap().by.as_deref(), Some("ada"));
    let session = stage.load(&stage.cookie("ada").await).await;
    assert_eq!(session.end_all().await.unwrap(), 1);
    assert_eq!(session.outgoing().cookie, CookieAction::Remove);
    assert_eq!((stage.live("ada").await.len(), stage.counted("ada").await), (0, 0));
    assert!(session.end_all().await.is_err(), "nobody is signed in");
}

/// From the answer to an end on no access token of the session is good, whoever checks it at the
/// same time, and checking never brings the session back.
pub async fn no_access_token_is_good_after_the_end(stage: Stage) {
    in_every_schedule(stage, check_and_end).await;
}

async fn check_and_end(stage: Arc<Stage>, mut turns: Turns) {
    let begun = by_token(&stage, &turns.subject()).await;
    let claim = AccessClaim::of(&begun.record);
    let refreshed = stage.sessions.refresh(&begun.token.to_text(), None).await.unwrap();
    let next = AccessClaim::of(&refreshed.record);
    let checks: Vec<_> = [claim, next, next]
        .into_iter()
        .map(|claim| {
            let (sessions, mut turns) = (stage.sessions.clone(), turns.another());
            tokio::spawn(async move {
                turns.pause().await;
                sessions.load_access(&claim, Client::default()).await
            })
        })
        .collect();
    turns.pause().await;
    stage.sessions.end(claim.session, EndReason::Admin, None).await.unwrap();
    for claim in [claim, next] {
        assert!(!is_known(&stage, &claim), "an access token was good after the end");
        assert_ended(load(&stage, &claim).await, EndReason::Admin);
    }
    for check in checks {
        if let Err(error) = check.await.unwrap() {
            assert_ended(Err(error), EndReason::Admin);
        }
    }
    stage.clock.advance(Duration::from_millis(1));
    assert_ended(load(&stage, &next).await, EndReason::Admin);
}
