//! Server-sent events as they are answered (HTML standard, §9.2).

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt as _};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use prometheus_client::metrics::gauge::Gauge;

use crate::service::Service;

/// The media type.
pub(crate) const MEDIA: &str = "text/event-stream";

/// Tells nginx not to collect the stream before it passes it on.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Shows that the connection is alive, and tells no event.
pub(crate) const COMMENT: &str = ":\n\n";

/// Counts a stream while it is open.
struct Open(Gauge);

impl Open {
    fn count(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The answer that streams these texts.
pub(crate) fn answer(
    service: &Service,
    texts: impl Stream<Item = String> + Send + 'static,
) -> Response {
    let open = Open::count(service.metrics.streams.clone());
    let bytes = texts.map(move |text| {
        let _while_streaming = &open;
        Ok::<_, std::convert::Infallible>(Bytes::from(text))
    });
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(MEDIA)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (UNBUFFERED, HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(bytes)).into_response()
}
