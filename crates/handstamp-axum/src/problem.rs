//! Errors as `application/problem+json` (RFC 9457).

use std::borrow::Cow;
use std::time::SystemTime;

use handstamp_core::time::Timestamp;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

pub(crate) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer error=\"invalid_token\"");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// One problem, as it is told outside: a status, a code for programs and a sentence for people.
///
/// Nothing of the inside goes in: what really happened is in the log.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    members: Vec<(&'static str, Value)>,
    kind: &'static str,
    headers: Vec<(&'static str, HeaderValue)>,
    retry_after: Option<u64>,
}

impl Problem {
    /// A problem of this status and code, told in this sentence.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        let (members, headers) = (Vec::new(), Vec::new());
        let (detail, kind) = (detail.into(), "about:blank");
        Self { status, code, detail, members, kind, headers, retry_after: None }
    }

    /// Adds a member that the code names.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.members.push((name, value.into()));
        self
    }

    /// Gives it a type of its own, a URI. Default `about:blank`: the status says it all.
    #[must_use]
    pub const fn of_type(mut self, uri: &'static str) -> Self {
        self.kind = uri;
        self
    }

    /// Adds a header to the answer; a value that no header can hold is left out.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl AsRef<str>) -> Self {
        self.headers.extend(HeaderValue::from_str(value.as_ref()).map(|value| (name, value)));
        self
    }

    /// Says when to come again, in seconds: `Retry-After`. A 503 says 1 by itself.
    #[must_use]
    pub const fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The answer. The time is put in by [`complete`], further out, where there is a clock.
    pub fn respond<B: From<String>>(self) -> Response<B> {
        let mut response = Response::new(self.body(&Stamp::default()).into());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, PROBLEM_JSON);
        headers.insert(CACHE_CONTROL, NO_STORE);
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, CHALLENGE);
        }
        let by_itself = (self.status == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
        if let Some(seconds) = self.retry_after.or(by_itself) {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        for (name, value) in &self.headers {
            headers.insert(*name, value.clone());
        }
        response.extensions_mut().insert(self);
        response
    }

    /// The sentence for people.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What [`with`](Self::with) added under this name.
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.members.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Its status.
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// Its code.
    pub const fn code(&self) -> &'static str {
        self.code
    }

    fn body(&self, stamp: &Stamp) -> String {
        serde_json::to_string(&Document { problem: self, stamp }).unwrap_or_default()
    }
}

impl axum_core::response::IntoResponse for Problem {
    fn into_response(self) -> axum_core::response::Response {
        self.respond()
    }
}

/// What only the layer knows of a problem.
#[derive(Default)]
struct Stamp {
    timestamp: Option<String>,
    request_id: Option<String>,
}

/// Puts the time, and the request id where the answer carries one, into a problem of ours. An
/// answer that somebody has given another body meanwhile is left alone. May be done again further
/// out, where more is known.
pub fn complete<B: From<String>>(response: &mut Response<B>, now: impl FnOnce() -> Timestamp) {
    let Some(problem) = response.extensions().get::<Problem>().cloned() else { return };
    if response.headers().get(CONTENT_TYPE) != Some(&PROBLEM_JSON) {
        return;
    }
    let request_id = response.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let stamp = Stamp { timestamp: Some(rfc3339(now())), request_id: request_id.map(Into::into) };
    *response.body_mut() = problem.body(&stamp).into();
    response.headers_mut().remove(CONTENT_LENGTH);
}

/// `2026-01-31T12:00:00.000Z`.
pub fn rfc3339(time: Timestamp) -> String {
    humantime::format_rfc3339_millis(SystemTime::from(time)).to_string()
}

struct Document<'a> {
    problem: &'a Problem,
    stamp: &'a Stamp,
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Problem { status, code, detail, members, kind, .. } = self.problem;
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("type", kind)?;
        map.serialize_entry("title", status.canonical_reason().unwrap_or_default())?;
        map.serialize_entry("status", &status.as_u16())?;
        map.serialize_entry("detail", detail)?;
        map.serialize_entry("code", code)?;
        optional(&mut map, "timestamp", self.stamp.timestamp.as_deref())?;
        optional(&mut map, "request_id", self.stamp.request_id.as_deref())?;
        members.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
        map.end()
    }
}

fn optional<M: SerializeMap>(map: &mut M, name: &str, value: Option<&str>) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| map.serialize_entry(name, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn problem() -> Problem {
        Problem::new(StatusCode::FORBIDDEN, "STEP_UP_REQUIRED", "sign in again")
            .with("max_age_seconds", 300)
    }

    fn json(response: &Response<String>) -> Value {
        serde_json::from_str(response.body()).unwrap()
    }

    #[test]
    fn s91_a_problem_has_the_members_of_rfc_9457() {
        let mut response = problem().respond::<String>();
        response.headers_mut().insert(REQUEST_ID, HeaderValue::from_static("r1"));
        complete(&mut response, || Timestamp::from_millis(1_769_860_800_123));
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        let expected = json!({
            "type": "about:blank",
            "title": "Forbidden",
            "status": 403,
            "detail": "sign in again",
            "code": "STEP_UP_REQUIRED",
            "timestamp": "2026-01-31T12:00:00.123Z",
            "request_id": "r1",
            "max_age_seconds": 300,
        });
        assert_eq!(json(&response), expected);
    }

    #[test]
    fn s92_every_401_challenges_and_every_503_says_when_to_come_again() {
        let of = |status| Problem::new(status, "X", "x").respond::<String>();
        let refused = of(StatusCode::UNAUTHORIZED);
        assert_eq!(refused.headers()[WWW_AUTHENTICATE], "Bearer error=\"invalid_token\"");
        assert_eq!(of(StatusCode::SERVICE_UNAVAILABLE).headers()[RETRY_AFTER], "1");
    }

    #[test]
    fn an_answer_that_got_another_body_is_left_alone() {
        let mut response = problem().respond::<String>();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
        *response.body_mut() = "<p>sorry".to_owned();
        complete(&mut response, Timestamp::default);
        assert_eq!(response.body(), "<p>sorry");
    }
}
