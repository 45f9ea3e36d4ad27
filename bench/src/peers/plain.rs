//! The router without sessions: bare, and behind a layer that does nothing.

use std::task::{Context, Poll};

use axum::Router;
use axum::routing::get;
use http::header::SET_COOKIE;
use tower::{Layer, Service};

use super::ANSWER;

pub(crate) fn bare() -> Router {
    // As long as ours, so that every request carries as much.
    let cookie = || async { [(SET_COOKIE, format!("session={}", "x".repeat(75)))] };
    Router::new()
        .route("/untouched", get(|| async { ANSWER }))
        .route("/begin/{client}", get(cookie))
}

pub(crate) fn pass_through() -> Router {
    bare().layer(PassThrough)
}

#[derive(Clone)]
struct PassThrough;

impl<S> Layer<S> for PassThrough {
    type Service = PassThroughService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        PassThroughService(inner)
    }
}

#[derive(Clone)]
struct PassThroughService<S>(S);

impl<R, S: Service<R>> Service<R> for PassThroughService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.0.call(request)
    }
}
