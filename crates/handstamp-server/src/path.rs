//! What stands in the path of a request.

use axum::extract::FromRequestParts;
use handstamp_axum::problem::Problem;
use http::StatusCode;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::body::bad;

/// The variable parts of the path, as a `T`.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        // Of bytes that are no text, above all.
        let unreadable = |_| bad(StatusCode::BAD_REQUEST, "the path cannot be read");
        read.map(|axum::extract::Path(path)| Self(path)).map_err(unreadable)
    }
}
