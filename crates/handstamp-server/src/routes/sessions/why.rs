//! "Why was I signed out?", and a token against cross-site requests.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use handstamp_axum::problem::Problem;
use handstamp_core::SessionError;
use handstamp_core::Why;
use handstamp_core::record::EndReason;
use handstamp_protocol::csrf::CsrfAnswer;
use handstamp_protocol::status::FirstToExpire;
use handstamp_protocol::why::{Why as WhyAnswer, WhyRequest};
use http::header::CACHE_CONTROL;

use super::ends::own;
use crate::answer::{reason, time};
use crate::body::Json;
use crate::caller::{Holder, Via, forbidden, refused};
use crate::json::Body;
use crate::path::Path;
use crate::service::Service;

/// `POST /sessions/why`: by a token whose proof is good, however old it is.
pub(crate) async fn why(
    State(service): State<Arc<Service>>,
    Json(request): Json<WhyRequest>,
) -> Result<Response, Problem> {
    let why = service.sessions.why(request.token.expose()).await.map_err(refused)?;
    Ok(told(&why))
}

/// `GET /sessions/{id}/why`.
pub(crate) async fn why_one(
    State(service): State<Arc<Service>>,
    holder: Holder,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = own(&service, &holder, &id).await?;
    let why = service.sessions.why_of(id).await.map_err(refused)?;
    let why = why.ok_or_else(|| {
        handstamp_axum::SessionRejection::Session(SessionError::NotFound).problem()
    })?;
    Ok(told(&why))
}

pub(crate) fn told(why: &Why) -> Response {
    let first_to_expire = why.first_to_expire.map(|first| match first {
        EndReason::Idle => FirstToExpire::Idle,
        _ => FirstToExpire::Absolute,
    });
    let answer = WhyAnswer {
        is_active: why.is_active,
        reason: why.ended.as_ref().map(|ended| reason(ended.reason)),
        ended_at: why.ended.as_ref().map(|ended| time(ended.at)),
        first_to_expire,
        at: why.at.map(time),
    };
    ([(CACHE_CONTROL, "no-store")], Body(answer)).into_response()
}

/// `GET /sessions/csrf`: for scripts of a cookie's holder.
pub(crate) async fn csrf(holder: Holder) -> Result<Response, Problem> {
    if holder.via == Via::AccessToken {
        return Err(forbidden("a bearer needs no CSRF token"));
    }
    let csrf_token = holder.session.csrf_token().into();
    Ok(([(CACHE_CONTROL, "no-store")], Body(CsrfAnswer { csrf_token })).into_response())
}
