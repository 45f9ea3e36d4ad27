//! What machines ask for: keys, the document, health, figures.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use handstamp_axum::problem::Problem;
use handstamp_core::SessionError;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::caller::{Operator, refused};
use crate::json::Body;
use crate::metrics;
use crate::service::Service;

/// How long verifiers keep the keys: 5 minutes. A new key is published for longer before it is
/// used.
pub(crate) const KEYS_KEPT: &str = "public, max-age=300";

/// `GET /.well-known/jwks.json`.
pub(crate) async fn jwks(State(service): State<Arc<Service>>) -> Response {
    ([(CACHE_CONTROL, KEYS_KEPT)], Body(service.access.jwks())).into_response()
}

/// `GET /openapi.json`.
pub(crate) async fn openapi(State(service): State<Arc<Service>>) -> Response {
    ([(CONTENT_TYPE, "application/json")], service.openapi().to_owned()).into_response()
}

/// `GET /healthz`: the process answers.
pub(crate) async fn healthz() -> Response {
    ([(CACHE_CONTROL, "no-store")], "ok\n").into_response()
}

/// `GET /readyz`: the store answers too, and the service is not about to stop.
pub(crate) async fn readyz(State(service): State<Arc<Service>>) -> Result<Response, Problem> {
    if service.is_draining() {
        return Err(refused(SessionError::Unavailable("the service is about to stop".into())));
    }
    let answer = service.sessions.store().load(&[]).await;
    answer.map_err(|error| refused(error.into()))?;
    Ok(([(CACHE_CONTROL, "no-store")], "ready\n").into_response())
}

/// `GET /metrics`.
pub(crate) async fn metrics(State(service): State<Arc<Service>>, _operator: Operator) -> Response {
    figures(&service).await
}

/// The figures, for whoever may have them.
pub(crate) async fn figures(service: &Service) -> Response {
    let text = service.metrics.text(&service.sessions, &service.feed).await;
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE), (CACHE_CONTROL, "no-store")], text).into_response()
}
