//! Forward-auth: a proxy asks whether to let a request pass, and hears whose it is.
//!
//! The cookie is judged without being rotated, for the proxy throws the answer's cookies away. What
//! the proxy passes on is made once for each session and host and kept for some seconds, so a check
//! costs a look-up and no signature.

mod cross_site;
mod passed;
mod redirect;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use handstamp_axum::SessionSlot;
use handstamp_axum::problem::Problem;
use handstamp_core::record::Kind;
use handstamp_core::{Session, SessionError};
use handstamp_protocol::verify::VerifyQuery;
use http::StatusCode;
use http::header::{CACHE_CONTROL, HOST, LOCATION};
use http::request::Parts;

use crate::body::bad;
use crate::caller::{Authority, by_access_token, forbidden, refused, step_up};
use crate::client::Original;
use crate::query::Query;
use crate::service::{Service, peer};

pub(crate) use passed::PassedOn;

/// `ANY /sessions/verify`.
pub(crate) async fn verify(
    State(service): State<Arc<Service>>,
    Query(query): Query<VerifyQuery>,
    request: Request,
) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let original = service.proxies().original(peer(&parts), &parts.headers);
    let original = original.map_err(|error| {
        tracing::warn!(%error, "a proxy asks about a request that it cannot describe");
        bad(StatusCode::BAD_REQUEST, "what the proxy tells of the request cannot be used")
    })?;
    let judged = match present(&service, &mut parts, &original).await {
        Ok(session) => demand(&session, &query).map(|()| session),
        Err(problem) => Err(problem),
    };
    match judged {
        Ok(session) => {
            session.touch();
            let host = host(&original, &parts);
            let mut response = Response::new(Body::empty());
            *response.headers_mut() = service.passed_on.headers(&service, &session, host)?;
            Ok(response)
        }
        Err(problem) if problem.status() == StatusCode::UNAUTHORIZED => {
            let to = redirect::target(&service, query.redirect.as_deref(), &original);
            to.map(|to| sent_to(&to)).ok_or(problem)
        }
        Err(problem) => Err(problem),
    }
}

/// The session of whoever makes the original request.
async fn present(
    service: &Service,
    parts: &mut Parts,
    original: &Original,
) -> Result<Session, Problem> {
    match Authority::of(&parts.headers) {
        Ok(Authority::AccessToken(token)) => {
            let holder = by_access_token(token, service).await?;
            Ok(holder.session)
        }
        // Whatever else stands there is for the application, and says nothing of a session.
        Ok(Authority::ServiceKey(_)) | Err(_) => Err(refused(SessionError::Invalid)),
        Ok(Authority::None) => {
            let slot = parts.extensions.get::<SessionSlot>();
            let slot = slot.ok_or_else(|| refused(SessionError::NotFound))?;
            let session = slot.look().await.map_err(refused)?;
            // Later than elsewhere: whoever has no good cookie is to sign in, wherever they are from.
            cross_site::check(service, parts, original)?;
            Ok(session)
        }
    }
}

/// Whether the session is what the proxy demands.
fn demand(session: &Session, query: &VerifyQuery) -> Result<(), Problem> {
    let is_let = match session.kind() {
        Kind::User => true,
        Kind::Guest => query.allow_guest.unwrap_or_default(),
        Kind::Anonymous => false,
    };
    if !is_let {
        // Whoever is not signed in may yet be: a 401, so that a proxy sends them to do so.
        return Err(refused(SessionError::NotFound));
    }
    let has_role = query.role.as_ref().is_none_or(|role| session.has_role(role));
    let may = query.permission.as_ref().is_none_or(|name| session.has_permission(name));
    if !has_role || !may {
        return Err(forbidden("a role or permission is missing"));
    }
    match query.max_age_seconds.map(Duration::from_secs) {
        Some(age) if !session.is_fresh(age) => Err(step_up(age)),
        _ => Ok(()),
    }
}

/// The host that the original request was for: as a trusted proxy tells it, else as it was asked
/// for here.
fn host<'a>(original: &'a Original, parts: &'a Parts) -> &'a str {
    let told = original.host.as_ref().map(http::uri::Authority::as_str);
    let asked = || parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let asked = || asked().or_else(|| parts.uri.authority().map(|host| host.as_str()));
    told.or_else(asked).unwrap_or_default()
}

fn sent_to(to: &str) -> Response {
    let headers = [(LOCATION, to), (CACHE_CONTROL, "no-store")];
    (StatusCode::FOUND, headers).into_response()
}
