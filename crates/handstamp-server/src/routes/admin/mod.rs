//! The calls under `/admin`.

mod analytics;
pub(crate) mod bulk;
pub(crate) mod filter;
mod logs;
mod policy;
mod sessions;
pub(crate) mod subjects;
pub(crate) mod webhooks;

pub(crate) use analytics::analytics;
pub(crate) use bulk::{end, undo};
pub(crate) use logs::{logs, verify_logs};
pub(crate) use policy::dry_run;
pub(crate) use sessions::{resume, sessions, suspend};
pub(crate) use subjects::{disable, enable, erase, head, roles};
pub(crate) use webhooks::{
    create_webhook, deliveries, list_webhooks, remove_webhook, retry_delivery, rotate_webhook,
    test_webhook, update_webhook,
};

use handstamp_axum::SessionRejection;
use handstamp_axum::problem::Problem;
use handstamp_core::event::Action;
use handstamp_core::id::Subject;
use handstamp_core::record::Client;
use handstamp_core::text::plain;
use handstamp_core::{SessionError, SessionId};
use http::StatusCode;
use serde_json::{Map, Value};

use crate::body::out_of_range;
use crate::caller::Operator;
use crate::service::Service;

/// The longest reason that is kept, in bytes.
const LONGEST_REASON: usize = 500;

/// The problem of something that was to be done to a session or subject, and could not be.
pub(crate) fn problem(error: SessionError) -> Problem {
    SessionRejection::Session(error).problem()
}

/// The problem of something that was to be done to a session that somebody else holds, or another
/// of the caller's own: that it is over is no word about the caller's credential.
pub(crate) fn problem_of_named(error: SessionError) -> Problem {
    let detail = match error {
        SessionError::Ended { .. } => "the session has ended",
        SessionError::Expired { .. } => "the session is past its lifetime",
        SessionError::Suspended => "the session is set aside",
        error => return problem(error),
    };
    Problem::new(StatusCode::CONFLICT, "CONFLICT", detail)
}

/// The session that a path names.
pub(super) fn session_id(text: &str) -> Result<SessionId, Problem> {
    text.parse().map_err(|_| problem(SessionError::NotFound))
}

/// The subject that a path names.
pub(super) fn subject_of(text: &str) -> Result<Subject, Problem> {
    Subject::new(text).map_err(|error| out_of_range("subject", error.to_string()))
}

/// A reason in words, as it may be kept.
fn reason(given: Option<&str>) -> Option<String> {
    given.and_then(|text| plain(text, LONGEST_REASON))
}

/// Notes in the log what an operator did, where no other event says so.
pub(super) async fn note(
    service: &Service,
    operator: &Operator,
    what: &str,
    subject: Option<&Subject>,
    details: Map<String, Value>,
) -> Result<(), Problem> {
    let event = service.sessions.event(Action::Admin(what.into()), &Client::default());
    let mut event = event.map_err(problem)?;
    event.actor = Some(operator.name.clone());
    event.subject = subject.cloned();
    event.details = details;
    service.sessions.tell(vec![event]).await.map_err(problem)
}
