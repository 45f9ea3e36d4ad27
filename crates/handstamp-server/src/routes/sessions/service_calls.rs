//! What services ask and tell: tokens looked into, factors checked, sign-ins that failed.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use handstamp_axum::SessionRejection;
use handstamp_axum::problem::Problem;
use handstamp_core::id::Subject;
use handstamp_core::record::Transport;
use handstamp_core::text::plain;
use handstamp_core::{Session, SessionError, SessionId, SignInFailure};
use handstamp_protocol::failures::{Advice, FailureAnswer, FailureRequest};
use handstamp_protocol::introspect::{Introspection, TokenRequest};
use handstamp_protocol::step_up::StepUpRequest;
use handstamp_protocol::tokens::{AccessClaims, Audience};
use http::StatusCode;
use http::header::CACHE_CONTROL;

use super::methods::methods;
use crate::access;
use crate::answer;
use crate::body::{FormOrJson, Json, out_of_range};
use crate::caller::{Failures, Introspect, ServiceCaller, StepUp, forbidden, refused};
use crate::issue;
use crate::json::Body;
use crate::limits::Limited;
use crate::risk;
use crate::routes::admin::problem_of_named;
use crate::service::Service;
use crate::service_keys::{RESERVED, Scope};

/// The longest reason of a failure, in characters.
const LONGEST_REASON: usize = 64;

/// `POST /sessions/introspect` (RFC 7662). What is dead, unknown or of another service is exactly
/// `{"active": false}`.
pub(crate) async fn introspect(
    State(service): State<Arc<Service>>,
    _caller: ServiceCaller<Introspect>,
    FormOrJson(request): FormOrJson<TokenRequest>,
) -> Result<Response, Problem> {
    let token = request.token.expose();
    let found = match service.access.check(token) {
        Ok(claims) => by_access_token(&service, &claims).await,
        Err(_) => by_session_token(&service, token).await,
    };
    let told = match found {
        Ok(told) => told,
        Err(error) if error.is_fault() => return Err(refused(error)),
        Err(_) => Introspection::inactive(),
    };
    Ok(([(CACHE_CONTROL, "no-store")], Body(told)).into_response())
}

async fn by_access_token(
    service: &Service,
    claims: &AccessClaims,
) -> Result<Introspection, SessionError> {
    let claim = access::claim(claims).ok_or(SessionError::Invalid)?;
    let session = service.sessions.load_access(&claim, Default::default()).await?;
    session.touch();
    let mut told = of_session(service, &session)?;
    told.exp = Some(claims.exp);
    told.iat = Some(claims.iat);
    told.aud = Some(claims.aud.clone());
    told.client_id = Some(claims.client_id.clone());
    told.jti = Some(claims.jti.clone());
    told.token_type = Some("Bearer".into());
    Ok(told)
}

/// A refresh token or a cookie's value: looked at, not exchanged.
async fn by_session_token(service: &Service, token: &str) -> Result<Introspection, SessionError> {
    let session = service.sessions.peek(token).await?;
    let mut told = of_session(service, &session)?;
    let record = session.record().ok_or(SessionError::NotFound)?;
    told.token_type = Some(match record.transport {
        Transport::Token => "refresh_token".into(),
        Transport::Cookie => "cookie".into(),
    });
    Ok(told)
}

fn of_session(service: &Service, session: &Session) -> Result<Introspection, SessionError> {
    let record = session.record().ok_or(SessionError::NotFound)?;
    let seconds = |at: handstamp_core::time::Timestamp| answer::time(at).as_seconds().max(0) as u64;
    let (limit, _) = answer::next_limit(&record, session.last_seen().unwrap_or(record.last_seen));
    let audience: Vec<String> = record.audience.iter().map(|one| one.to_string()).collect();
    Ok(Introspection {
        active: true,
        sub: record.subject.as_ref().map(ToString::to_string),
        sid: Some(record.id.to_string()),
        kind: Some(answer::kind(record.kind)),
        roles: Some(session.roles().iter().map(str::to_owned).collect()),
        exp: Some(seconds(limit)),
        iat: Some(seconds(record.created_at)),
        iss: Some(service.access.issuer().to_owned()),
        aud: (!audience.is_empty()).then_some(Audience::Several(audience)),
        client_id: record.client_id.as_deref().map(str::to_owned),
        username: record.profile.name.as_deref().map(str::to_owned),
        auth_time: Some(seconds(record.authenticated_at)),
        amr: Some(record.amr.iter().map(|method| method.to_string()).collect()),
        ..Introspection::default()
    })
}

/// `POST /sessions/step-up`: answers the session's new token, for the caller to relay. The old
/// one is dead at once (ASVS 7.2.4).
pub(crate) async fn step_up(
    State(service): State<Arc<Service>>,
    ServiceCaller(key, _): ServiceCaller<StepUp>,
    Json(request): Json<StepUpRequest>,
) -> Result<Response, Problem> {
    let session = |error| SessionRejection::Session(error).problem();
    let id: SessionId = request.session_id.parse().map_err(|_| session(SessionError::NotFound))?;
    if request.amr.is_empty() {
        return Err(out_of_range("amr", "must name what was checked"));
    }
    let amr = methods(&request.amr)?;
    if !key.may(Scope::Admin) && is_operator(&service, id).await.map_err(session)? {
        return Err(forbidden("an operator's session is stepped up with the scope admin"));
    }
    let amr: Vec<&str> = amr.iter().map(String::as_str).collect();
    let begun = service.sessions.step_up(id, &amr).await.map_err(|error| match error {
        SessionError::Refused(why) => out_of_range("amr", why),
        other => problem_of_named(other),
    })?;
    let issued = issue::issued(&service, &begun).await?;
    Ok(Body(issued).into_response())
}

/// Whether a session may do what only operators may: who steps it up gets its new token.
async fn is_operator(service: &Service, id: SessionId) -> Result<bool, SessionError> {
    let record = service.sessions.record(id).await?;
    let is_theirs = |role: &str| role == service.settings.admin.role || role.starts_with(RESERVED);
    Ok(record.is_some_and(|record| record.roles.iter().any(is_theirs)))
}

/// `POST /sessions/failures`: a failed sign-in is noted; the answer says what to do with the
/// next try.
pub(crate) async fn failures(
    State(service): State<Arc<Service>>,
    ServiceCaller(key, _): ServiceCaller<Failures>,
    Json(request): Json<FailureRequest>,
) -> Result<Response, Problem> {
    service.limits.check(Limited::Begin, &key.id)?;
    let subject = request.subject.as_deref().map(Subject::new).transpose();
    let subject = subject.map_err(|error| out_of_range("subject", error.to_string()))?;
    let reason = plain(&request.reason, LONGEST_REASON).unwrap_or_default();
    if reason.is_empty() {
        return Err(out_of_range("reason", "must say what went wrong"));
    }
    let failure = SignInFailure {
        subject,
        identifier: request.identifier.as_deref(),
        reason: &reason,
        client: service.client_told(&request.client),
    };
    service.sessions.sign_in_failed(failure.clone()).await.map_err(refused)?;
    let verdict = service.risk.on_failure(&service.sessions, &failure).await.map_err(refused)?;
    let (advice, wait) = match verdict.advice {
        risk::Advice::Allow => (Advice::Allow, None),
        risk::Advice::Delay(wait) => (Advice::Delay, Some(wait)),
        risk::Advice::Block(wait) => (Advice::Block, Some(wait)),
    };
    let answer = FailureAnswer {
        failures_recent: verdict.recent.into(),
        advice,
        retry_after_seconds: wait.map(|wait| wait.as_secs().max(1)),
    };
    Ok((StatusCode::ACCEPTED, Body(answer)).into_response())
}
