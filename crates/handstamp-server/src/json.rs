//! Answers as JSON.

mod writer;

use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use writer::Writer;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// About as long as most answers get, in bytes.
const LENGTH: usize = 1024;

/// An answer of this value.
#[derive(Clone, Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Body<T> {
    fn into_response(self) -> Response {
        match text(&self.0) {
            Ok(text) => {
                let mut response = Response::new(text.into());
                response.headers_mut().insert(CONTENT_TYPE, JSON);
                response
            }
            Err(error) => {
                tracing::error!(%error, "an answer cannot be written");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

/// The value's JSON, the very bytes that `serde_json` would write.
///
/// # Errors
/// What `serde_json` cannot write either, such as a map whose keys are no texts.
pub(crate) fn text(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut text = Vec::with_capacity(LENGTH);
    if value.serialize(Writer(&mut text)).is_err() {
        text.clear();
        serde_json::to_writer(&mut text, value)?;
    }
    Ok(text)
}
