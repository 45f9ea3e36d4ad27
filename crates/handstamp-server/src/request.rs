//! What every request passes first and every answer last: an id, the headers that browsers heed,
//! the time in a problem, one line in the log, one count in the metrics.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use handstamp_axum::problem::{self, Problem};
use handstamp_core::random::{Rng, SystemRng};
use http::header::ALLOW;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::service::Service;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const MIN: HeaderName = HeaderName::from_static(handstamp_protocol::headers::MIN);

/// What every answer carries unless a handler said otherwise (ASVS 3.4, 3.5.8). Nobody keeps an
/// answer that does not ask for it: whatever depends on a credential, tokens first, is not to be
/// found in a cache (ASVS 14.2.2, RFC 6749 §5.1).
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (http::header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (http::header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (http::header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (http::header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
];

/// For answers that are no page: nothing may be loaded, framed or posted.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// What may be asked instead of TRACE (RFC 9110 §15.5.6), here or at another path.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");

/// A year, as ASVS 3.4.1 asks for; sent only where the service is reached over https.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000; includeSubDomains");

/// Runs the request.
pub(crate) async fn pass(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    let id = id_of(request.headers());
    let began = Instant::now();
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().cloned();
    // TRACE would echo what the request carries, cookies included.
    let mut response = match method {
        Method::TRACE => not_here(),
        _ => match demanded(&service, request.headers()).await {
            Ok(()) => in_time(&service, next.run(request)).await,
            Err(problem) => problem.respond(),
        },
    };
    finish(&service, &id, &mut response);
    let path = path.as_ref().map_or("-", MatchedPath::as_str);
    let status = response.status().as_u16();
    service.metrics.request(&method, path, status, began.elapsed());
    tracing::debug!(target: "handstamp::access", %id, %method, path, status);
    response
}

/// The answer, or a 503 when its head does not come in time. What was begun goes on; an event
/// stream has its head at once and is not bound by it.
async fn in_time(service: &Service, answer: impl Future<Output = Response>) -> Response {
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
    service.feed.at_least(one.unwrap_or_default()).await
}

fn finish(service: &Service, id: &str, response: &mut Response) {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    for (name, value) in &HEADERS {
        if !headers.contains_key(name) {
            headers.insert(name, value.clone());
        }
    }
    if service.is_https() {
        headers.insert(http::header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
    problem::complete(response, || service.sessions.now());
}

/// The id that a proxy gave the request, if it is harmless, else a new one.
fn id_of(headers: &HeaderMap) -> Arc<str> {
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let is_harmless = |id: &&str| {
        (8..=64).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    given.filter(is_harmless).map_or_else(new_id, Arc::from)
}

fn new_id() -> Arc<str> {
    let mut bytes = [0; 8];
    // An id that is not random is still an id.
    let _ = SystemRng.fill(&mut bytes);
    format!("{:016x}", u64::from_be_bytes(bytes)).into()
}

fn not_here() -> Response {
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response.headers_mut().insert(ALLOW, METHODS);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(id: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, id.try_into().unwrap());
        headers
    }

    #[test]
    fn an_id_that_a_proxy_gave_is_kept_if_it_is_harmless() {
        assert_eq!(&*id_of(&given("4bf92f3577b34da6")), "4bf92f3577b34da6");
        for id in ["short", "with space in it", "a=b;c=d;e=f", &"x".repeat(65)] {
            assert_ne!(&*id_of(&given(id)), id);
        }
        assert_ne!(id_of(&HeaderMap::new()), id_of(&HeaderMap::new()));
    }
}
