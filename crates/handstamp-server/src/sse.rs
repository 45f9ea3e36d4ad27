//! Server-sent events as they are answered (HTML standard, §9.2).

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt as _};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};

/// The media type.
pub(crate) const MEDIA: &str = "text/event-stream";

/// Tells nginx not to collect the stream before it passes it on.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Shows that the connection is alive, and tells no event.
pub(crate) const COMMENT: &str = ":\n\n";

/// The answer that streams these texts.
pub(crate) fn answer(texts: impl Stream<Item = String> + Send + 'static) -> Response {
    let bytes = texts.map(|text| Ok::<_, std::convert::Infallible>(Bytes::from(text)));
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(MEDIA)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (UNBUFFERED, HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(bytes)).into_response()
}
