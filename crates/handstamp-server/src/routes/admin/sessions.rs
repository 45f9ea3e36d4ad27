//! Sessions of everybody: listed, set aside, taken back.

use std::sync::Arc;

use axum::extract::State;
use handstamp_axum::problem::Problem;
use handstamp_protocol::admin::{AdminSessionsQuery, SuspendRequest, SuspendedAnswer};
use handstamp_protocol::sessions::SessionList;

use super::{filter, problem_of_named, reason, session_id};
use crate::answer::{self, Shown};
use crate::body::OptionalJson;
use crate::caller::Operator;
use crate::json::Body;
use crate::path::Path;
use crate::query::{Query, list_problem, page};
use crate::service::Service;

/// `GET /admin/sessions`.
pub(crate) async fn sessions(
    State(service): State<Arc<Service>>,
    operator: Operator,
    Query(query): Query<AdminSessionsQuery>,
) -> Result<Body<SessionList>, Problem> {
    let page = page(query.limit, query.cursor.clone())?;
    let filter = filter::sessions(query.into_filter())?;
    let listed = service.sessions.scan(&filter, &page).await.map_err(list_problem)?;
    let current = operator.holder.as_ref().and_then(|holder| holder.session.id());
    let is_current = |id| Some(id) == current;
    let sessions = listed.sessions.iter();
    let sessions =
        sessions.map(|one| answer::session(Shown::listed(one, is_current(one.record.id))));
    Ok(Body(SessionList { sessions: sessions.collect(), next: listed.next }))
}

/// `POST /admin/sessions/{id}/suspend`.
pub(crate) async fn suspend(
    State(service): State<Arc<Service>>,
    operator: Operator,
    Path(id): Path<String>,
    OptionalJson(request): OptionalJson<SuspendRequest>,
) -> Result<Body<SuspendedAnswer>, Problem> {
    let (id, why) = (session_id(&id)?, reason(request.reason.as_deref()));
    let suspended = service.sessions.suspend(id, Some(&operator.name), why.as_deref()).await;
    match suspended {
        // It is as it was asked for.
        Ok(()) | Err(handstamp_core::SessionError::Suspended) => {
            Ok(Body(SuspendedAnswer { suspended: true }))
        }
        Err(error) => Err(problem_of_named(error)),
    }
}

/// `POST /admin/sessions/{id}/resume`.
pub(crate) async fn resume(
    State(service): State<Arc<Service>>,
    operator: Operator,
    Path(id): Path<String>,
) -> Result<Body<SuspendedAnswer>, Problem> {
    let resumed = service.sessions.resume(session_id(&id)?, Some(&operator.name)).await;
    resumed.map_err(problem_of_named)?;
    Ok(Body(SuspendedAnswer { suspended: false }))
}
