//! Webhooks: added, changed, tried, and what came of their deliveries.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use handstamp_axum::problem::Problem;
use handstamp_core::SessionError;
use handstamp_protocol::page::PageQuery;
use handstamp_protocol::webhooks::{
    DeliveryList, Webhook, WebhookList, WebhookRequest, WebhookTest, WebhookUpdate,
};
use http::StatusCode;

use super::problem;
use crate::body::{Json, out_of_range};
use crate::caller::Operator;
use crate::json::Body;
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
    _operator: Operator,
    Json(request): Json<WebhookRequest>,
) -> Result<Response, Problem> {
    let webhook = service.webhooks.create(request).await.map_err(failed)?;
    Ok((StatusCode::CREATED, Body(webhook)).into_response())
}

/// `PATCH /admin/webhooks/{id}`.
pub(crate) async fn update_webhook(
    State(service): State<Arc<Service>>,
    _operator: Operator,
    Path(id): Path<String>,
    Json(request): Json<WebhookUpdate>,
) -> Result<Body<Webhook>, Problem> {
    found(service.webhooks.update(&id, request).await)
}

/// `DELETE /admin/webhooks/{id}`.
pub(crate) async fn remove_webhook(
    State(service): State<Arc<Service>>,
    _operator: Operator,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    match service.webhooks.remove(&id).await.map_err(failed)? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(problem(SessionError::NotFound)),
    }
}

/// `POST /admin/webhooks/{id}/secret`: answers the new secret, this once.
pub(crate) async fn rotate_webhook(
    State(service): State<Arc<Service>>,
    _operator: Operator,
    Path(id): Path<String>,
) -> Result<Body<Webhook>, Problem> {
    found(service.webhooks.rotate_secret(&id).await)
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
    _operator: Operator,
    Path((id, delivery)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    match service.webhooks.retry(&id, &delivery).await.map_err(failed)? {
        true => Ok(StatusCode::ACCEPTED),
        false => Err(problem(SessionError::NotFound)),
    }
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
