//! Is my session live, and for how long?

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use handstamp_axum::problem::Problem;
use handstamp_protocol::sessions::Reason;
use handstamp_protocol::status::{
    ActiveStatus, False, FirstToExpire, InactiveStatus, Status, True,
};
use http::StatusCode;
use http::header::CACHE_CONTROL;
use http::request::Parts;

use crate::answer::{self, next_limit, time};
use crate::caller::{Holder, Via};
use crate::service::Service;

/// `GET /sessions/status`. Not activity.
pub(crate) async fn status(
    State(service): State<Arc<Service>>,
    parts: Parts,
) -> Result<Response, Problem> {
    let status = match Holder::onlooking(&parts, &service).await {
        Ok(holder) => Status::Active(Box::new(active(&service, &holder)?)),
        Err(problem) if problem.status() == StatusCode::UNAUTHORIZED => {
            Status::Inactive(inactive(&problem))
        }
        Err(problem) => return Err(problem),
    };
    Ok(([(CACHE_CONTROL, "no-store")], Json(status)).into_response())
}

fn active(service: &Service, holder: &Holder) -> Result<ActiveStatus, Problem> {
    let own = holder.own()?;
    let session = answer::session(own.shown());
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
    Ok(ActiveStatus {
        is_active: True,
        user_id: session.subject.clone(),
        username: session.name.clone(),
        email: session.email.clone(),
        session_created: session.created_at,
        last_activity: session.last_activity,
        expires_at: time(expires_at),
        device_info: session.device_info.clone(),
        ip_address: session.ip_address,
        remaining_seconds: remaining.as_secs(),
        needs_refresh,
        first_to_expire,
        session,
    })
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
