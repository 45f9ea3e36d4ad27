//! What every request passes first and every answer last: an id, the headers that browsers heed,
//! the time in a problem, one line in the log, one count in the metrics.

mod ids;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use handstamp_axum::problem::{self, Problem};
use http::header::ALLOW;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::issue;
use crate::service::Service;

pub(crate) use ids::Ids;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const MIN: HeaderName = HeaderName::from_static(handstamp_protocol::headers::MIN);

/// What every answer carries unless a handler said otherwise (ASVS 3.4, 3.5.8). Nobody keeps an
/// answer that does not ask for it: whatever depends on a credential, tokens first, is not to be
/// found in a cache (ASVS 14.2.2, RFC 6749 §5.1).
///
/// Made once: a copy of the whole map costs less than putting them in one by one.
pub(crate) fn common_headers(is_https: bool) -> HeaderMap {
    let same_origin = HeaderValue::from_static("same-origin");
    let mut headers = HeaderMap::with_capacity(16);
    for (name, value) in [
        (http::header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (http::header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (http::header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (HeaderName::from_static("cross-origin-resource-policy"), same_origin.clone()),
        (HeaderName::from_static("cross-origin-opener-policy"), same_origin),
        (http::header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    ] {
        headers.insert(name, value);
    }
    if is_https {
        headers.insert(http::header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
    headers
}

/// For answers that are no page: nothing may be loaded, framed or posted.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// What may be asked instead of TRACE (RFC 9110 §15.5.6), here or at another path.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");

/// A year, as ASVS 3.4.1 asks for; sent only where the service is reached over https.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000; includeSubDomains");

/// Runs a request that the router has found a call for, if there is one.
pub(crate) async fn pass(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.extensions().get::<MatchedPath>().cloned();
    let path = path.as_ref().map_or("-", MatchedPath::as_str);
    passed(&service, path, request, |request| next.run(request)).await
}

/// Runs a request for the call at `path`, which answers by `answer`.
pub(crate) async fn passed<F: Future<Output = Response>>(
    service: &Service,
    path: &str,
    request: Request,
    answer: impl FnOnce(Request) -> F,
) -> Response {
    let id = service.request_ids.of(request.headers());
    let began = Instant::now();
    let method = request.method().clone();
    // TRACE would echo what the request carries, cookies included.
    let mut response = match method {
        Method::TRACE => not_here(),
        _ => match demanded(service, request.headers()).await {
            Ok(()) => in_time(service, answer(request)).await,
            Err(problem) => problem.respond(),
        },
    };
    finish(service, id.clone(), &mut response);
    let status = response.status().as_u16();
    service.metrics.request(&method, path, status, began.elapsed());
    tracing::debug!(target: "handstamp::access", id = id.to_str().ok(), %method, path, status);
    response
}

/// The answer, or a 503 when its head does not come in time. What was begun goes on; an event
/// stream has its head at once and is not bound by it.
async fn in_time(service: &Service, answer: impl Future<Output = Response>) -> Response {
    let mut answer = pin!(answer);
    // Most answers are there at once, and need no timer.
    if let Poll::Ready(response) = poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await {
        return response;
    }
    let limit = service.settings.server.request_timeout;
    match tokio::time::timeout(limit, answer).await {
        Ok(response) => response,
        Err(_) => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "STORE_UNAVAILABLE",
            "the answer did not come in time",
        )
        .with("outcome", "unknown")
        .respond(),
    }
}

/// Waits for the state that a request demands to be judged by: "read your own revocation".
async fn demanded(service: &Service, headers: &HeaderMap) -> Result<(), Problem> {
    let mut values = headers.get_all(MIN).iter();
    let Some(value) = values.next() else { return Ok(()) };
    // Two of them, or what is no text, are no cursor.
    let one = values.next().is_none().then(|| value.to_str().ok()).flatten();
    service.feed.at_least(&service.sessions, one.unwrap_or_default()).await
}

fn finish(service: &Service, id: HeaderValue, response: &mut Response) {
    let mut headers = service.common_headers.clone();
    headers.insert(REQUEST_ID, id);
    // What the handler said comes in the place of what is common.
    headers.extend(std::mem::take(response.headers_mut()));
    issue::forget_access(service, &mut headers);
    *response.headers_mut() = headers;
    problem::complete(response, || service.sessions.now());
}

fn not_here() -> Response {
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response.headers_mut().insert(ALLOW, METHODS);
    response
}
