//! The calls of an operator on this machine: those that make keys, and looks that nobody needs over
//! the network.
//!
//! They are in the router of the local socket and in no other, and not in the OpenAPI document.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use handstamp_axum::problem::Problem;
use handstamp_core::SessionError;
use handstamp_core::ledger::LedgerError;
use handstamp_core::roles::Roles;
use handstamp_protocol::admin::{DashboardLink, ServiceClock};
use handstamp_protocol::logs::{LogPiece, LogsQuery};
use handstamp_protocol::paths;
use handstamp_protocol::service_keys::{
    self as wire, ServiceKeyCreated, ServiceKeyList, ServiceKeyRequest, ServiceKeyRevoked,
};
use handstamp_protocol::subjects::SubjectAnswer;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::admin::{filter, head, note, problem, session_id, subject_of};
use super::sessions::told;
use crate::answer::{Reader, log_entry, time};
use crate::body::{Json, out_of_range};
use crate::caller::Operator;
use crate::json::Body;
use crate::path::Path;
use crate::query::{Query, list_problem, page};
use crate::service::Service;
use crate::service_keys::{Scope, ServiceKey};

/// The longest name of a key, in bytes.
const LONGEST_NAME: usize = 100;

pub(crate) fn local() -> Router<Arc<Service>> {
    Router::new()
        .route(paths::LOCAL_SERVICE_KEYS, get(list_keys).post(create_key))
        .route(paths::LOCAL_SERVICE_KEY, delete(revoke_key))
        .route(paths::LOCAL_DASHBOARD_LINK, post(dashboard_link))
        .route(paths::LOCAL_CLOCK, get(clock))
        .route(paths::LOCAL_SUBJECT, get(subject))
        .route(paths::LOCAL_LOGS, get(copy_logs))
        .route(paths::LOCAL_SESSION_WHY, get(why))
}

/// `GET /local/service-keys`.
async fn list_keys(
    State(service): State<Arc<Service>>,
    _operator: Operator,
) -> Result<Body<ServiceKeyList>, Problem> {
    let keys = service.keys.list().await.map_err(failed)?;
    Ok(Body(ServiceKeyList { service_keys: keys.into_iter().map(shown).collect() }))
}

/// `POST /local/service-keys`: answers the key, this once.
async fn create_key(
    State(service): State<Arc<Service>>,
    operator: Operator,
    Json(asked): Json<ServiceKeyRequest>,
) -> Result<Response, Problem> {
    let (name, scopes) = (name(&asked.name)?, scopes(&asked.scopes)?);
    let roles = Roles::new(asked.grant_roles.iter().map(String::as_str));
    roles.map_err(|error| out_of_range("grant_roles", error.to_string()))?;
    let made = service.keys.create(&name, &scopes, &asked.grant_roles).await.map_err(failed)?;
    let ServiceKey { id, name, scopes, .. } = made.key;
    let scopes: Vec<_> = scopes.into_iter().map(|scope| scope.name().into()).collect();
    let details = [("name", json!(name)), ("scopes", json!(scopes)), ("key", json!(id))];
    tell(&service, &operator, "service_key_created", details).await?;
    let answer = ServiceKeyCreated { id, name, scopes, key: (*made.text).clone().into() };
    Ok((StatusCode::CREATED, Body(answer)).into_response())
}

/// `DELETE /local/service-keys/{id}`.
async fn revoke_key(
    State(service): State<Arc<Service>>,
    operator: Operator,
    Path(id): Path<String>,
) -> Result<Body<ServiceKeyRevoked>, Problem> {
    let keys = service.keys.list().await.map_err(failed)?;
    if !keys.iter().any(|key| key.id == id) {
        return Err(problem(SessionError::NotFound));
    }
    let revoked = service.keys.revoke(&id).await.map_err(failed)?;
    if revoked {
        tell(&service, &operator, "service_key_revoked", [("key", json!(id))]).await?;
    }
    Ok(Body(ServiceKeyRevoked { revoked }))
}

/// `POST /local/dashboard-link`.
async fn dashboard_link(
    State(service): State<Arc<Service>>,
    _operator: Operator,
) -> Result<Body<DashboardLink>, Problem> {
    let link = service.dashboard_link().await.map_err(problem)?;
    Ok(Body(DashboardLink { link: link.into() }))
}

/// `GET /local/clock`.
async fn clock(State(service): State<Arc<Service>>, _operator: Operator) -> Body<ServiceClock> {
    Body(ServiceClock { now: time(service.sessions.now()) })
}

/// `GET /local/subjects/{subject}`.
async fn subject(
    State(service): State<Arc<Service>>,
    _operator: Operator,
    Path(subject): Path<String>,
) -> Result<Body<SubjectAnswer>, Problem> {
    Ok(Body(head(&service, &subject_of(&subject)?).await?))
}

/// `GET /local/logs`: the log from its beginning, or on from where the piece before ended. Of each
/// piece only those lines are answered that match.
async fn copy_logs(
    State(service): State<Arc<Service>>,
    _operator: Operator,
    Query(query): Query<LogsQuery>,
) -> Result<Body<LogPiece>, Problem> {
    let filter = filter::logs(&query)?;
    let limit = page(query.limit, None)?.limit;
    let cursor = query.cursor.unwrap_or_default();
    let piece = service.sessions.export(&cursor, limit).await.map_err(list_problem)?;
    let matching = piece.events.iter().filter(|event| filter.accepts(event));
    let logs = matching.map(|event| log_entry(event, Reader::Operator)).collect();
    Ok(Body(LogPiece { logs, next: piece.next, has_more: piece.has_more }))
}

/// `GET /local/sessions/{id}/why`.
async fn why(
    State(service): State<Arc<Service>>,
    _operator: Operator,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let why = service.sessions.why_of(session_id(&id)?).await.map_err(problem)?;
    Ok(told(&why.ok_or_else(|| problem(SessionError::NotFound))?))
}

fn name(given: &str) -> Result<String, Problem> {
    let name = handstamp_core::text::plain(given, LONGEST_NAME);
    name.filter(|name| !name.is_empty())
        .ok_or_else(|| out_of_range("name", "must be 1 to 100 characters"))
}

fn scopes(asked: &[wire::Scope]) -> Result<Vec<Scope>, Problem> {
    let mut scopes = Vec::new();
    for asked in asked {
        let parsed = Scope::parse(asked.as_str()).map_err(|why| out_of_range("scopes", why))?;
        scopes
            .extend(parsed.into_iter().filter(|scope| !scopes.contains(scope)).collect::<Vec<_>>());
    }
    if scopes.is_empty() {
        return Err(out_of_range("scopes", "must name one scope at least"));
    }
    Ok(scopes)
}

fn shown(key: ServiceKey) -> wire::ServiceKey {
    wire::ServiceKey {
        id: key.id,
        name: key.name,
        scopes: key.scopes.into_iter().map(|scope| scope.name().into()).collect(),
        grant_roles: key.grant_roles,
        created_at: time(key.created_at),
        revoked_at: key.revoked_at.map(time),
    }
}

async fn tell(
    service: &Service,
    operator: &Operator,
    what: &str,
    details: impl IntoIterator<Item = (&str, Value)>,
) -> Result<(), Problem> {
    let details: Map<_, _> =
        details.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    note(service, operator, what, None, details).await
}

fn failed(error: LedgerError) -> Problem {
    problem(SessionError::Unavailable(error.into()))
}
