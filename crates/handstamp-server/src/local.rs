//! What only the operator of this machine can ask for: by the local socket, or in the process that
//! opened the store itself.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, StatusCode, Uri};
use tower_service::Service as _;

use crate::caller::LocalSocket;
use crate::routes;
use crate::service::{Service, complete};

/// The most of an answer that is held: a page of a list is far smaller.
const LARGEST: usize = 64 << 20;

/// Everything that can be asked for over the network, and what only an operator here can ask for.
///
/// # Security
/// Whoever reaches it is an operator. The calls under `/local` are in no other router.
pub(crate) fn router(service: Arc<Service>) -> Router {
    complete(routes::local(), service).layer(middleware::from_fn(from_here))
}

/// Marks what came by the local socket.
async fn from_here(mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(LocalSocket);
    next.run(request).await
}

/// Answers one request as if it had come by the local socket: for a command that holds the store
/// because no service does. `json` is the body, where there is one.
///
/// # Errors
/// The answer broke off, or is larger than 64 MiB.
///
/// # Security
/// Whoever asks is an operator: it takes the data folder and the key ring to get here.
pub async fn answer_locally(
    service: &Arc<Service>,
    method: Method,
    target: Uri,
    json: Option<Vec<u8>>,
) -> std::io::Result<(StatusCode, Vec<u8>)> {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = method;
    *request.uri_mut() = target;
    if let Some(json) = json {
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = json.into();
    }
    let Ok(response) = router(Arc::clone(service)).call(request).await;
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), LARGEST).await;
    body.map(|body| (status, body.into())).map_err(std::io::Error::other)
}
