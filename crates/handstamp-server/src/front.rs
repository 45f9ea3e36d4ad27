//! The service as a connection meets it: the calls that are made most take a short way, and all
//! others the router's.
//!
//! A router puts each handler, each of its layers and what it finds in the path into boxes of their
//! own. For a check that is answered from memory that is a large part of the work, so such a call is
//! told by its method and its whole path, and goes through the same layers and into the same handler
//! without them: of the 50,000 instructions of a status some 6,000 went.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use axum::routing::future::RouteFuture;
use futures_util::future::{BoxFuture, Either, FutureExt as _};
use handstamp_axum::SessionLayer;
use http::header::HOST;
use http::{StatusCode, Version};
use hyper::body::Incoming;
use hyper::service::Service as Answers;
use tower::service_fn;
use tower_layer::Layer as _;
use tower_service::Service as _;

use crate::body::bad;
use crate::request::passed;
use crate::routes::{self, Direct};
use crate::service::{self, Service};

/// Makes what answers a connection.
#[derive(Clone)]
pub(crate) struct Front(Arc<Ways>);

struct Ways {
    service: Arc<Service>,
    sessions: SessionLayer,
    /// None where spans are told: those are of the router's calls.
    short: Vec<Direct>,
    router: Router,
}

impl Front {
    pub(crate) fn new(service: Arc<Service>) -> Self {
        let short = match service.telemetry {
            Some(_) => Vec::new(),
            None => routes::all().iter().filter_map(routes::Route::direct).collect(),
        };
        let sessions = service::session_layer(&service);
        let router = service::router(Arc::clone(&service));
        Self(Arc::new(Ways { service, sessions, short, router }))
    }

    /// What answers a connection from `peer`.
    pub(crate) fn connection(&self, peer: SocketAddr) -> Connection {
        Connection { ways: Arc::clone(&self.0), peer }
    }
}

/// Answers the requests of one connection.
#[derive(Clone)]
pub(crate) struct Connection {
    ways: Arc<Ways>,
    peer: SocketAddr,
}

impl Answers<http::Request<Incoming>> for Connection {
    type Response = Response;
    type Error = Infallible;
    type Future = Either<BoxFuture<'static, Result<Response, Infallible>>, RouteFuture<Infallible>>;

    fn call(&self, request: http::Request<Incoming>) -> Self::Future {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(self.peer));
        if !names_one_host(&request) {
            return Either::Left(refuse(Arc::clone(&self.ways), request).boxed());
        }
        match self.ways.short.iter().find(|call| call.is_for(&request)) {
            Some(call) => Either::Left(shortly(Arc::clone(&self.ways), *call, request).boxed()),
            None => Either::Right(self.ways.router.clone().call(request)),
        }
    }
}

/// Whether a request says once for which host it is meant, as HTTP/1.1 demands (RFC 9112 §3.2).
fn names_one_host(request: &Request) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), None) => true,
        (None, _) => request.version() < Version::HTTP_11,
        _ => false,
    }
}

async fn refuse(ways: Arc<Ways>, request: Request) -> Result<Response, Infallible> {
    let why = "a request names one Host";
    let answer = |_| std::future::ready(bad(StatusCode::BAD_REQUEST, why).respond());
    Ok(passed(&ways.service, "-", request, answer).await)
}

async fn shortly(ways: Arc<Ways>, call: Direct, request: Request) -> Result<Response, Infallible> {
    let handler = service_fn(|request| {
        let answer = (call.handler)(request, Arc::clone(&ways.service));
        answer.map(Ok::<_, Infallible>)
    });
    let mut within_session = ways.sessions.layer(handler);
    let answer = |request| within_session.call(request).map(|Ok(response)| response);
    Ok(passed(&ways.service, call.path, request, answer).await)
}
