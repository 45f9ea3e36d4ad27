//! A refresh token is exchanged for its successor; a cookie's session is extended.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use handstamp_axum::problem::Problem;
use handstamp_core::record::{Client, EndReason};
use handstamp_core::token::AttemptId;
use handstamp_core::token::Token;
use handstamp_core::{Begun, RefreshCase, SessionError, SessionId};
use handstamp_protocol::headers;
use handstamp_protocol::refresh::{RefreshRequest, Served};
use http::HeaderName;
use http::request::Parts;

use crate::answer::timestamp;
use crate::body::{OptionalJson, out_of_range};
use crate::caller::{Holder, Via, refused};
use crate::issue;
use crate::json::Body;
use crate::limits::Limited;
use crate::service::Service;

const REFRESH: HeaderName = HeaderName::from_static(headers::REFRESH);

/// `POST /sessions/refresh`.
pub(crate) async fn refresh(
    State(service): State<Arc<Service>>,
    parts: Parts,
    OptionalJson(request): OptionalJson<RefreshRequest>,
) -> Result<Response, Problem> {
    let client = service.client_of(&parts);
    let Some(token) = &request.refresh_token else {
        return extend(&service, &parts, &request).await;
    };
    if let Some(id) = session_of(&service, token.expose()) {
        service.limits.check(Limited::Refresh, &id.to_string())?;
    }
    let attempt = attempt(&request)?;
    let last_active_at = request.last_active_at.map(timestamp);
    let asked = service.sessions.refresh_active(token.expose(), attempt.as_ref(), last_active_at);
    let refreshed = match asked.await {
        Ok(refreshed) => refreshed,
        Err(error) => return Err(not_refreshed(&service, token.expose(), error, &client).await),
    };
    let served = match refreshed.case {
        RefreshCase::Rotated => Served::Rotated,
        RefreshCase::Concurrent => Served::Concurrent,
        RefreshCase::Retried => Served::Retried,
    };
    let begun = Begun::from(refreshed);
    let judged = service.risk.on_refresh(&service.sessions, &begun.record, &client).await;
    if judged.map_err(refused)?.action.stops() {
        // What a rule has set aside or ended answers as such from now on.
        let over = service.sessions.peek(&begun.token.to_text()).await;
        return Err(refused(over.err().unwrap_or(SessionError::Suspended)));
    }
    let issued = issue::issued(&service, &begun).await?;
    Ok(([(REFRESH, served.as_str().to_owned())], Body(issued)).into_response())
}

/// The session that a token names, if the token was made here: whoever only knows a session's id
/// uses up nothing of what it may ask. What was not made here is refused without a store.
fn session_of(service: &Service, token: &str) -> Option<SessionId> {
    let token = Token::from_refresh(token)?;
    token.is_checked(service.sessions.keys()).then(|| token.session())
}

/// The problem of a refresh that was refused. A superseded token that came back is told to the
/// risk rules with the address that it came from.
async fn not_refreshed(
    service: &Service,
    token: &str,
    error: SessionError,
    client: &Client,
) -> Problem {
    let is_reuse = matches!(
        error,
        SessionError::Ended { reason: EndReason::Reuse, .. } | SessionError::Suspended
    );
    if let Some(token) = Token::from_refresh(token).filter(|_| is_reuse)
        && let Err(fault) = service.risk.on_reuse(&service.sessions, token.session(), client).await
    {
        tracing::warn!(%fault, "a reused token could not be told to the risk rules");
    }
    refused(error)
}

fn attempt(request: &RefreshRequest) -> Result<Option<AttemptId>, Problem> {
    let Some(text) = &request.attempt_id else { return Ok(None) };
    let read = AttemptId::new(text.expose());
    read.map(Some).ok_or_else(|| out_of_range("attempt_id", "must have 22 to 128 characters"))
}

/// Extends the session of a cookie, and rotates the cookie if that is due. The layer sets it.
async fn extend(
    service: &Service,
    parts: &Parts,
    request: &RefreshRequest,
) -> Result<Response, Problem> {
    let holder = Holder::onlooking(parts, service).await?;
    if holder.via == Via::AccessToken {
        return Err(out_of_range("refresh_token", "must be given"));
    }
    if request.attempt_id.is_some() {
        return Err(out_of_range("attempt_id", "goes with a refresh_token"));
    }
    if let Some(id) = holder.session.id() {
        service.limits.check(Limited::Refresh, &id.to_string())?;
    }
    renew_superseded(service, &holder).await?;
    holder.session.extend();
    let issued = issue::of_cookie_session(&holder)?;
    Ok((issue::access_cookie(service, &holder.session)?, Body(issued)).into_response())
}

/// Replaces a cookie whose access tokens verifiers were told not to take any more: roles were taken
/// away, or it was set aside and taken back. A refresh token takes the next generation by itself; a
/// cookie keeps its own, and with it an access token that is minted now would be refused too.
async fn renew_superseded(service: &Service, holder: &Holder) -> Result<(), Problem> {
    let Some(record) = holder.session.record() else { return Ok(()) };
    let is_superseded = service.feed.min_generation(record.id) > record.lineage.generation;
    match service.settings.cookies.access_token && is_superseded {
        true => holder.session.regenerate().await.map_err(refused),
        false => Ok(()),
    }
}
