//! Webhooks: added, changed, tried, and what came of their deliveries.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use handstamp_axum::problem::Problem;
use handstamp_core::SessionError;
use handstamp_protocol::page::PageQuery;
use handstamp_protocol::webhooks::{
    DeliveryList, Webhook, WebhookList, WebhookRequest, WebhookTest, WebhookUpdate,
};
use http::StatusCode;
use serde_json::Map;

use super::{note, problem};
use crate::body::{Json, out_of_range};
use crate::caller::Operator;
use crate::json::Body;
use crate::path::Path;
use crate::query::{Query, page};
use crate::service::Service;
use crate::webhooks::WebhookError;

/// `GET /admin/webhooks`.
pub(crate) async fn list_webhooks(
    State(service): State<Arc<Service>>,
    _operator: Operator,
    Query(query): Query<PageQuery>,
) -> Result<Body<WebhookList>, Problem> {
    let page = page(query.limit, query.cursor)?;
    Ok(Body(service.webhooks.list(&page).await.map_err(failed)?))
}

/// `POST /admin/webhooks`: answers the signing secret, this once.
pub(crate) async fn create_webhook(
    State(service): State<Arc<Service>>,
    operator: Operator,
    Json(request): Json<WebhookRequest>,
) -> Result<Response, Problem> {
    let webhook = service.webhooks.create(request).await.map_err(failed)?;
    noted(&service, &operator, "webhook_created", &webhook.id).await?;
    Ok((StatusCode::CREATED, Body(webhook)).into_response())
}

/// `PATCH /admin/webhooks/{id}`.
pub(crate) async fn update_webhook(
    State(service): State<Arc<Service>>,
    operator: Operator,
    Path(id): Path<String>,
    Json(request): Json<WebhookUpdate>,
) -> Result<Body<Webhook>, Problem> {
    let webhook = found(service.webhooks.update(&id, request).await)?;
    noted(&service, &operator, "webhook_changed", &id).await?;
    Ok(webhook)
}

/// `DELETE /admin/webhooks/{id}`.
pub(crate) async fn remove_webhook(
    State(service): State<Arc<Service>>,
    operator: Operator,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    if !service.webhooks.remove(&id).await.map_err(failed)? {
        return Err(problem(SessionError::NotFound));
    }
    noted(&service, &operator, "webhook_removed", &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /admin/webhooks/{id}/secret`: answers the new secret, this once.
pub(crate) async fn rotate_webhook(
    State(service): State<Arc<Service>>,
    operator: Operator,
    Path(id): Path<String>,
) -> Result<Body<Webhook>, Problem> {
    let webhook = found(service.webhooks.rotate_secret(&id).await)?;
    noted(&service, &operator, "webhook_secret_changed", &id).await?;
    Ok(webhook)
}

/// `POST /admin/webhooks/{id}/test`.
pub(crate) async fn test_webhook(
    State(service): State<Arc<Service>>,
    _operator: Operator,
    Path(id): Path<String>,
) -> Result<Body<WebhookTest>, Problem> {
    found(service.webhooks.test(&id).await)
}

/// `GET /admin/webhooks/{id}/deliveries`.
pub(crate) async fn deliveries(
    State(service): State<Arc<Service>>,
    _operator: Operator,
    Path(id): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Body<DeliveryList>, Problem> {
    let page = page(query.limit, query.cursor)?;
    found(service.webhooks.deliveries(&id, &page).await)
}

/// `POST /admin/webhooks/{id}/deliveries/{delivery}/retry`.
pub(crate) async fn retry_delivery(
    State(service): State<Arc<Service>>,
    operator: Operator,
    Path((id, delivery)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    if !service.webhooks.retry(&id, &delivery).await.map_err(failed)? {
        return Err(problem(SessionError::NotFound));
    }
    noted(&service, &operator, "webhook_delivery_retried", &id).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Notes what an operator did to a webhook, which carries the log to somebody else.
pub(crate) async fn noted(
    service: &Service,
    operator: &Operator,
    what: &str,
    id: &str,
) -> Result<(), Problem> {
    let details = Map::from_iter([("webhook".to_owned(), id.into())]);
    note(service, operator, what, None, details).await
}

fn found<T>(answer: Result<Option<T>, WebhookError>) -> Result<Body<T>, Problem> {
    answer.map_err(failed)?.map(Body).ok_or_else(|| problem(SessionError::NotFound))
}

/// The problem of an act on webhooks that did not come about.
pub(crate) fn failed(error: WebhookError) -> Problem {
    match error {
        WebhookError::Invalid { field, why } => out_of_range(field, why),
        full @ WebhookError::Full { .. } => {
            Problem::new(StatusCode::CONFLICT, "CONFLICT", full.to_string())
        }
        fault => problem(SessionError::Unavailable(fault.into())),
    }
}
