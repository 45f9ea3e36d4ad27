//! Is my session live, and for how long?

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use handstamp_axum::problem::Problem;
use handstamp_protocol::sessions::{Reason, Session};
use handstamp_protocol::status::{ActiveStatus, False, FirstToExpire, InactiveStatus, True};
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use crate::answer::{self, next_limit, time};
use crate::caller::{Holder, OwnSession, Via};
use crate::json::Body;
use crate::service::Service;

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// `GET /sessions/status`. Not activity.
pub(crate) async fn status(
    State(service): State<Arc<Service>>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    match Holder::onlooking(&parts, &service).await {
        Ok(holder) => Ok(told(&active(&service, &holder, &holder.own()?))),
        Err(problem) if problem.status() == StatusCode::UNAUTHORIZED => {
            Ok(told(&inactive(&problem)))
        }
        Err(problem) => Err(problem),
    }
}

fn told(status: &impl Serialize) -> Response {
    let mut response = Body(status).into_response();
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    response
}

fn active<'a>(service: &Service, holder: &Holder, own: &'a OwnSession) -> ActiveStatus<&'a str> {
    let session: Session<&str> = answer::session(own.shown());
    let now = service.sessions.now();
    let (limit, which) = next_limit(&own.record, own.last_seen);
    let (expires_at, first_to_expire) = match holder.token_expiry {
        Some(exp) if exp < limit => (exp, FirstToExpire::Token),
        _ => (limit, which),
    };
    let remaining = expires_at.since(now);
    let needs_refresh = match holder.via {
        Via::AccessToken => remaining <= service.settings.tokens.refresh_before,
        Via::Cookie => remaining <= service.settings.cookies.refresh_before,
    };
    ActiveStatus {
        is_active: True,
        user_id: session.subject,
        username: session.name,
        email: session.email,
        session_created: session.created_at,
        last_activity: session.last_activity,
        expires_at: time(expires_at),
        device_info: session.device_info,
        ip_address: session.ip_address,
        remaining_seconds: remaining.as_secs(),
        needs_refresh,
        first_to_expire,
        session,
    }
}

/// What the refusal of a credential says to whoever only asked.
fn inactive(problem: &Problem) -> InactiveStatus {
    let text = |name| problem.member(name).and_then(|value| value.as_str());
    InactiveStatus {
        is_active: False,
        message: problem.detail().to_owned(),
        reason: text("reason").map(Reason::from),
        ended_at: text("ended_at").and_then(|at| at.parse().ok()),
    }
}
