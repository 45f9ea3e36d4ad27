//! The audit log: read, and checked.

use std::sync::Arc;

use axum::extract::State;
use handstamp_axum::problem::Problem;
use handstamp_core::{LogCheck, SessionError};
use handstamp_protocol::logs::{LogList, LogsQuery, LogsVerified, VerifyLogsQuery};

use super::{filter, problem};
use crate::answer::{Reader, log_entry, time};
use crate::audit::AuditError;
use crate::body::out_of_range;
use crate::caller::Operator;
use crate::json::Body;
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
    let logs = listed.events.iter().map(|event| log_entry(event, Reader::Operator));
    Ok(Body(LogList { logs: logs.collect(), next: listed.next }))
}

/// `GET /admin/logs/verify`.
pub(crate) async fn verify_logs(
    State(service): State<Arc<Service>>,
    _operator: Operator,
    Query(query): Query<VerifyLogsQuery>,
) -> Result<Body<LogsVerified>, Problem> {
    let given = query.checkpoint.as_deref().map(str::parse).transpose();
    let given = given.map_err(|_| out_of_range("checkpoint", "not a checkpoint of a log"))?;
    let checked = match service.audit.check(given.into_iter().collect()).await {
        Err(AuditError::Log(SessionError::Refused(_))) => {
            return Err(out_of_range("checkpoint", "not signed by the key ring of this service"));
        }
        checked => checked.map_err(|error| problem(error.into()))?,
    };
    let LogCheck { checked: lines, first_bad } = checked.check;
    Ok(Body(LogsVerified {
        ok: first_bad.is_none(),
        checked: lines,
        first_bad: first_bad.map(|bad| bad.to_string()),
        checkpoint_at: checked.checkpoint_at.map(time),
    }))
}
