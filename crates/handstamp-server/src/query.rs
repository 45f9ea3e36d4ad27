//! What stands behind the question mark, and the page of a list that it asks for.

use axum::extract::FromRequestParts;
use handstamp_axum::problem::Problem;
use handstamp_core::store::Page;
use handstamp_protocol::page::{DEFAULT_LIMIT, MAX_LIMIT};
use http::StatusCode;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::body::{bad, out_of_range};

/// The query, as a `T`. What is unknown or repeated is refused, as in a body.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        read.map(|axum::extract::Query(query)| Self(query)).map_err(|rejection| {
            let text = rejection.body_text();
            let said = text.rsplit(": ").next().unwrap_or(&text).to_owned();
            bad(StatusCode::BAD_REQUEST, "the query cannot be read")
                .with("errors", serde_json::json!([{ "field": field_of(&text), "message": said }]))
        })
    }
}

/// What serde names in its message: "limit: invalid digit", "unknown field `x`".
fn field_of(text: &str) -> &str {
    if let Some(named) = text.split('`').nth(1) {
        return named;
    }
    let parts: Vec<&str> = text.split(": ").collect();
    if parts.len() >= 3 { parts[1] } else { "" }
}

/// The page that a query asks for.
///
/// # Errors
/// 422 for a limit out of 1 to 200.
pub(crate) fn page(limit: Option<u16>, cursor: Option<String>) -> Result<Page, Problem> {
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(out_of_range("limit", "must be 1 to 200"));
    }
    Ok(Page { limit: limit.into(), after: cursor })
}

/// What an error of a list is to its caller: a cursor that is none is the caller's fault.
pub(crate) fn list_problem(error: handstamp_core::SessionError) -> Problem {
    match error {
        handstamp_core::SessionError::Refused(_) => {
            out_of_range("cursor", "not a cursor of this list")
        }
        fault => handstamp_axum::SessionRejection::Session(fault).problem(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_1_to_200_entries_and_50_by_default() {
        assert_eq!(page(None, None).unwrap(), Page::first(50));
        assert_eq!(page(Some(200), Some("x".into())).unwrap().after.as_deref(), Some("x"));
        for limit in [0, 201] {
            assert_eq!(page(Some(limit), None).unwrap_err().status().as_u16(), 422);
        }
    }

    #[test]
    fn the_field_of_a_query_is_named() {
        assert_eq!(field_of("Failed to deserialize query string: limit: invalid digit"), "limit");
        assert_eq!(field_of("Failed to deserialize query string: unknown field `x`"), "x");
    }
}
