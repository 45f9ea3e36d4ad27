//! What operators do to a subject: name its roles, disable it, enable it, erase it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use handstamp_axum::problem::Problem;
use handstamp_core::SessionError;
use handstamp_core::id::Subject;
use handstamp_core::roles::Roles;
use handstamp_core::store::{EventFilter, Page};
use handstamp_protocol::subjects::{RolesRequest, SubjectAnswer, SubjectRequest};
use serde_json::Map;

use super::{note, problem, reason, subject_of};
use crate::body::{Json, OptionalJson, out_of_range};
use crate::caller::Operator;
use crate::json::Body;
use crate::path::Path;
use crate::routes::sessions::done;
use crate::service::Service;

/// `PUT /admin/subjects/{subject}/roles`: bites at the next check.
pub(crate) async fn roles(
    State(service): State<Arc<Service>>,
    operator: Operator,
    Path(subject): Path<String>,
    Json(request): Json<RolesRequest>,
) -> Result<Response, Problem> {
    let subject = subject_of(&subject)?;
    let roles = request.roles.map(|roles| Roles::new(roles.iter().map(String::as_str)));
    let roles = roles.transpose().map_err(|error| out_of_range("roles", error.to_string()))?;
    let set = service.sessions.set_roles(&subject, roles, Some(&operator.name)).await;
    set.map_err(problem)?;
    done(&service, head(&service, &subject).await?).await
}

/// `POST /admin/subjects/{subject}/disable`.
pub(crate) async fn disable(
    State(service): State<Arc<Service>>,
    operator: Operator,
    Path(subject): Path<String>,
    OptionalJson(request): OptionalJson<SubjectRequest>,
) -> Result<Response, Problem> {
    let subject = subject_of(&subject)?;
    let ended = service.sessions.disable(&subject, Some(&operator.name)).await;
    let ended = ended.map_err(problem)?;
    explain(&service, &operator, "subject_disabled", &subject, &request).await?;
    let answer = SubjectAnswer { ended: Some(ended.into()), ..head(&service, &subject).await? };
    done(&service, answer).await
}

/// `POST /admin/subjects/{subject}/enable`.
pub(crate) async fn enable(
    State(service): State<Arc<Service>>,
    operator: Operator,
    Path(subject): Path<String>,
    OptionalJson(request): OptionalJson<SubjectRequest>,
) -> Result<Body<SubjectAnswer>, Problem> {
    let subject = subject_of(&subject)?;
    service.sessions.enable(&subject, Some(&operator.name)).await.map_err(problem)?;
    explain(&service, &operator, "subject_enabled", &subject, &request).await?;
    Ok(Body(head(&service, &subject).await?))
}

/// `POST /admin/subjects/{subject}/erase`: ends its sessions and removes what is personal of it,
/// here and in the figures; the chain of the log stays whole. A subject that nothing is known of is
/// refused, so that what was mistyped leaves no trace.
pub(crate) async fn erase(
    State(service): State<Arc<Service>>,
    operator: Operator,
    Path(subject): Path<String>,
    OptionalJson(request): OptionalJson<SubjectRequest>,
) -> Result<Response, Problem> {
    let subject = subject_of(&subject)?;
    if !is_known(&service, &subject).await.map_err(problem)? {
        return Err(problem(SessionError::NotFound));
    }
    let erased = service.sessions.erase_subject(&subject, Some(&operator.name)).await;
    let erased = erased.map_err(problem)?;
    // After the log, or what is added up next brings them back.
    service.ledger.forget(&subject).await.map_err(|error| problem(error.into()))?;
    explain(&service, &operator, "subject_erased", &subject, &request).await?;
    let head = head(&service, &subject).await?;
    let (ended, events) = (Some(erased.sessions.into()), Some(erased.events as u64));
    done(&service, SubjectAnswer { ended, erased: events, ..head }).await
}

/// Whether there is a session of the subject, or was, or the log tells of it.
async fn is_known(service: &Service, subject: &Subject) -> Result<bool, SessionError> {
    let one = Page::first(1);
    let listed = service.sessions.list(subject, true, &one).await?;
    if !listed.sessions.is_empty() {
        return Ok(true);
    }
    let filter = EventFilter { subject: Some(subject.clone()), ..EventFilter::default() };
    Ok(!service.sessions.events(&filter, &one).await?.events.is_empty())
}

/// Notes the reason that an operator gave; the act itself has its own event.
async fn explain(
    service: &Service,
    operator: &Operator,
    what: &str,
    subject: &Subject,
    request: &SubjectRequest,
) -> Result<(), Problem> {
    let Some(reason) = reason(request.reason.as_deref()) else { return Ok(()) };
    let details = Map::from_iter([("reason".to_owned(), reason.into())]);
    note(service, operator, what, Some(subject), details).await
}

/// What stands over the sessions of a subject.
pub(crate) async fn head(service: &Service, subject: &Subject) -> Result<SubjectAnswer, Problem> {
    let heads = service.sessions.store().heads(std::slice::from_ref(subject)).await;
    let head = heads.map_err(|error| problem(error.into()))?.pop();
    let roles = head.as_ref().and_then(|head| head.roles.as_ref());
    Ok(SubjectAnswer {
        subject: subject.to_string(),
        is_disabled: head.as_ref().is_some_and(|head| head.is_disabled),
        roles: roles.map(|roles| roles.iter().map(str::to_owned).collect()),
        ended: None,
        erased: None,
    })
}
