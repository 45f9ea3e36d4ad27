//! Sessions end: this one, all of mine, one of mine, and whatever a token is of.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use handstamp_axum::SessionRejection;
use handstamp_axum::problem::Problem;
use handstamp_core::record::EndReason;
use handstamp_core::text::plain;
use handstamp_core::{SessionError, SessionId};
use handstamp_protocol::introspect::TokenRequest;
use handstamp_protocol::sessions::{
    EndedAnswer, EndedCount, LabelRequest, LogoutAllRequest, LogoutRequest,
};
use http::header::CACHE_CONTROL;
use http::request::Parts;
use http::{HeaderMap, StatusCode};

use crate::body::{FormOrJson, Json, OptionalJson};
use crate::caller::{Authority, Holder, forget_cookie, refused};
use crate::json::Body;
use crate::path::Path;
use crate::routes::admin::problem_of_named;
use crate::service::Service;

/// The longest name of a device, in characters.
const LONGEST_LABEL: usize = 100;

/// `POST /sessions/logout`. A refresh token in the body is authority enough, also where the
/// access token is dead.
pub(crate) async fn logout(
    State(service): State<Arc<Service>>,
    parts: Parts,
    OptionalJson(request): OptionalJson<LogoutRequest>,
) -> Result<Response, Problem> {
    let ended = match &request.refresh_token {
        Some(token) => {
            let ended = service.sessions.end_by_token(token.expose(), EndReason::Logout);
            ended.await.map_err(refused)?
        }
        None => sign_out(&service, &parts).await?,
    };
    done(&service, EndedAnswer { ended }).await
}

/// Signs the caller's session out. One that is over already is no error: it is signed out, and
/// its cookie goes. With an `Authorization` header the cookie beside it is left alone.
async fn sign_out(service: &Service, parts: &Parts) -> Result<bool, Problem> {
    let problem = match Holder::of(parts, service).await {
        Ok(holder) => return holder.session.logout().await.map(|()| true).map_err(refused),
        Err(problem) => problem,
    };
    let is_aside = match problem.code() {
        "SESSION_ENDED" | "SESSION_EXPIRED" => false,
        "SESSION_SUSPENDED" => true,
        _ => return Err(problem),
    };
    match Authority::of(&parts.headers)? {
        Authority::AccessToken(token) if is_aside => end_of_bearer(service, token).await,
        Authority::AccessToken(_) | Authority::ServiceKey(_) => Ok(false),
        Authority::None => forget_cookie(parts).await.map(|()| is_aside),
    }
}

/// Ends the session of an access token that is good in itself: it is set aside, which takes nobody
/// the right to sign out.
async fn end_of_bearer(service: &Service, token: &str) -> Result<bool, Problem> {
    let claims = service.access.check(token)?;
    let id = claims.sid.parse().map_err(|_| refused(SessionError::Invalid))?;
    let ended = service.sessions.end(id, EndReason::Logout, Some(&claims.sub));
    ended.await.map_err(refused)
}

/// `POST /sessions/logout-all`.
pub(crate) async fn logout_all(
    State(service): State<Arc<Service>>,
    holder: Holder,
    OptionalJson(request): OptionalJson<LogoutAllRequest>,
) -> Result<Response, Problem> {
    let spare = request.except_current.unwrap_or_default();
    let ended = match spare {
        true => holder.session.end_others().await,
        false => holder.session.end_all().await,
    };
    let ended = ended.map_err(refused)?.into();
    done(&service, EndedCount { ended }).await
}

/// `DELETE /sessions/{id}`.
pub(crate) async fn end(
    State(service): State<Arc<Service>>,
    holder: Holder,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = own(&service, &holder, &id).await?;
    let ended = match holder.session.id() == Some(id) {
        true => holder.session.logout().await.map(|()| true),
        false => holder.session.end_other(id).await,
    };
    done(&service, EndedAnswer { ended: ended.map_err(refused)? }).await
}

/// `PATCH /sessions/{id}`.
pub(crate) async fn label(
    State(service): State<Arc<Service>>,
    holder: Holder,
    Path(id): Path<String>,
    Json(request): Json<LabelRequest>,
) -> Result<Response, Problem> {
    let id = own(&service, &holder, &id).await?;
    let label =
        request.label.as_deref().map(|label| plain(label, LONGEST_LABEL).unwrap_or_default());
    let label = label.filter(|label| !label.is_empty());
    let named = service.sessions.label(id, label.as_deref()).await;
    named.map_err(problem_of_named)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The id in a path, if it is a session of the caller's subject. Anybody else's is as unknown as
/// one that was never issued.
///
/// # Security
/// ASVS 7.5.2: 404, never 403, so that nobody learns which ids exist.
pub(crate) async fn own(
    service: &Service,
    holder: &Holder,
    id: &str,
) -> Result<SessionId, Problem> {
    let unknown = || SessionRejection::Session(SessionError::NotFound).problem();
    let id: SessionId = id.parse().map_err(|_| unknown())?;
    if holder.session.id() == Some(id) {
        return Ok(id);
    }
    let subject = holder.session.user_id().ok_or_else(unknown)?;
    let record = service.sessions.record(id).await;
    let record = record.map_err(|error| SessionRejection::Session(error).problem())?;
    let is_own = record.is_some_and(|record| record.subject.as_ref() == Some(&subject));
    is_own.then_some(id).ok_or_else(unknown)
}

/// `POST /sessions/revoke` (RFC 7009): 200 whether the token was good, dead or never one.
pub(crate) async fn revoke(
    State(service): State<Arc<Service>>,
    FormOrJson(request): FormOrJson<TokenRequest>,
) -> Result<Response, Problem> {
    let token = request.token.expose();
    let ended = match service.access.check(token) {
        Ok(claims) => match claims.sid.parse() {
            Ok(id) => service.sessions.end(id, EndReason::Logout, Some(&claims.sub)).await,
            Err(_) => Ok(false),
        },
        Err(_) => service.sessions.end_by_token(token, EndReason::Logout).await,
    };
    match ended {
        Err(error) if error.is_fault() => Err(refused(error)),
        _ => {
            let headers = [(CACHE_CONTROL, "no-store")];
            Ok((headers, cursor(&service), Body(serde_json::json!({}))).into_response())
        }
    }
}

/// An answer to something that ended, with the cursor from which on everybody can know of it.
pub(crate) async fn done<T: serde::Serialize>(
    service: &Service,
    answer: T,
) -> Result<Response, Problem> {
    let headers = [(CACHE_CONTROL, "no-store")];
    Ok((headers, cursor(service), Body(answer)).into_response())
}

/// `Handstamp-Cursor`: whoever demands this state knows of what was just done.
fn cursor(service: &Service) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(value) = service.feed.acknowledged().as_str().try_into() {
        headers.insert(handstamp_protocol::headers::CURSOR, value);
    }
    headers
}
