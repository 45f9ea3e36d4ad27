//! The audit log: read, and checked.

use std::sync::Arc;

use axum::Json as Body;
use axum::extract::State;
use handstamp_axum::problem::Problem;
use handstamp_protocol::logs::{LogList, LogsQuery, LogsVerified};

use super::{filter, problem};
use crate::answer::{Reader, log_action, log_entry};
use crate::caller::Operator;
use crate::query::{Query, list_problem, page};
use crate::service::Service;

/// `GET /admin/logs`.
pub(crate) async fn logs(
    State(service): State<Arc<Service>>,
    _operator: Operator,
    Query(query): Query<LogsQuery>,
) -> Result<Body<LogList>, Problem> {
    let filter = filter::logs(&query)?;
    let page = page(query.limit, query.cursor)?;
    let listed = service.sessions.events(&filter, &page).await.map_err(list_problem)?;
    // A name of the log may stand for a part of what one action tells of.
    let narrowed = query.action.filter(|name| matches!(&**name, "logout" | "session_expired"));
    let logs = listed
        .events
        .iter()
        .filter(|event| narrowed.as_ref().is_none_or(|name| log_action(event) == *name))
        .map(|event| log_entry(event, Reader::Operator));
    Ok(Body(LogList { logs: logs.collect(), next: listed.next }))
}

/// `GET /admin/logs/verify`.
pub(crate) async fn verify_logs(
    State(service): State<Arc<Service>>,
    _operator: Operator,
) -> Result<Body<LogsVerified>, Problem> {
    let check = service.sessions.verify_log().await.map_err(problem)?;
    let first_bad = check
        .first_bad
        .map(|bad| format!("writer {}, batch {}, event {}", bad.writer, bad.batch, bad.event));
    Ok(Body(LogsVerified { ok: first_bad.is_none(), checked: check.checked, first_bad }))
}
