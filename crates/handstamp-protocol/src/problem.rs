//! Errors: `application/problem+json` (RFC 9457), with a code for programs.

use serde::{Deserialize, Serialize};

use crate::Time;
use crate::names::names;
use crate::sessions::Reason;

names! {
    /// What is wrong, for programs.
    ErrorCode {
        /// No credential, or no such session; somebody else's id too.
        SessionNotFound = "SESSION_NOT_FOUND",
        /// Malformed, forged, or of the wrong kind.
        SessionInvalid = "SESSION_INVALID",
        /// Past a lifetime.
        SessionExpired = "SESSION_EXPIRED",
        /// Ended by an act.
        SessionEnded = "SESSION_ENDED",
        /// Set aside until step-up or resume.
        SessionSuspended = "SESSION_SUSPENDED",
        /// The access token does not check, or is past its time.
        JwtInvalid = "JWT_INVALID",
        /// Cross-site, or the token against that is missing or wrong.
        CsrfInvalid = "CSRF_INVALID",
        /// Role, permission or scope missing.
        Forbidden = "FORBIDDEN",
        /// The subject is disabled.
        SubjectDisabled = "SUBJECT_DISABLED",
        /// A fresh sign-in is needed.
        StepUpRequired = "STEP_UP_REQUIRED",
        /// The subject has as many sessions as it may.
        LimitReached = "LIMIT_REACHED",
        /// A stated version does not match.
        Conflict = "CONFLICT",
        /// Unreadable body, unknown field, value out of range.
        BadRequest = "BAD_REQUEST",
        /// Too many requests.
        RateLimited = "RATE_LIMITED",
        /// The store does not answer, or what is known is too old to be trusted.
        StoreUnavailable = "STORE_UNAVAILABLE",
    }
}

impl ErrorCode {
    /// The statuses that it comes with, the usual one first. A code of a later version has none.
    pub const fn statuses(&self) -> &'static [u16] {
        match self {
            Self::SessionNotFound => &[401, 404],
            Self::SessionInvalid
            | Self::SessionExpired
            | Self::SessionEnded
            | Self::SessionSuspended
            | Self::JwtInvalid => &[401],
            Self::CsrfInvalid | Self::Forbidden | Self::SubjectDisabled | Self::StepUpRequired => {
                &[403]
            }
            Self::LimitReached | Self::Conflict => &[409],
            // 404 and 405: no such route; 410: a feed's cursor that is too old.
            Self::BadRequest => &[400, 413, 415, 422, 404, 405, 410],
            Self::RateLimited => &[429],
            Self::StoreUnavailable => &[503],
            Self::Other(_) => &[],
        }
    }

    /// The usual status; 500 for a code of a later version.
    pub fn status(&self) -> u16 {
        self.statuses().first().copied().unwrap_or(500)
    }
}

names! {
    /// Whether a call that failed has changed something.
    Outcome {
        /// Nothing was changed: try again.
        None = "none",
        /// Nobody knows: look, or try again with the same key.
        Unknown = "unknown",
    }
}

/// One problem. Nothing of the inside is in it: what really happened is in the log, under the
/// request's id.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Problem {
    /// Always `about:blank`: the code tells more.
    #[serde(rename = "type", default = "about_blank")]
    pub kind: String,
    /// The status in words.
    #[serde(default)]
    pub title: String,
    /// The status.
    pub status: u16,
    /// What is wrong, for people.
    #[serde(default)]
    pub detail: String,
    /// What is wrong, for programs.
    pub code: ErrorCode,
    /// When.
    pub timestamp: Time,
    /// Names the request in the log.
    #[serde(default)]
    pub request_id: String,
    /// Why a session ended or a token is refused. With `SESSION_EXPIRED`, `SESSION_ENDED` and
    /// `JWT_INVALID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// When the session ended. With `SESSION_EXPIRED` and `SESSION_ENDED`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,
    /// How fresh the sign-in must be. With `STEP_UP_REQUIRED`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_seconds: Option<u64>,
    /// Which fields are wrong. With `BAD_REQUEST`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<Vec<FieldError>>,
    /// Whether something was changed. With `STORE_UNAVAILABLE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

fn about_blank() -> String {
    "about:blank".to_owned()
}

/// One field that is wrong.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FieldError {
    /// Its name; dots lead into objects: `client.ip_address`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

impl Problem {
    /// The problem of a code, with its usual status.
    pub fn new(
        code: ErrorCode,
        detail: impl Into<String>,
        timestamp: Time,
        request_id: impl Into<String>,
    ) -> Self {
        let status = code.status();
        Self {
            kind: about_blank(),
            title: title(status).to_owned(),
            status,
            detail: detail.into(),
            code,
            timestamp,
            request_id: request_id.into(),
            reason: None,
            ended_at: None,
            max_age_seconds: None,
            errors: None,
            outcome: None,
        }
    }

    /// The same with another status of the code's.
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self.title = title(status).to_owned();
        self
    }
}

/// A status in words, as RFC 9110 and RFC 6585 name it.
const fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        410 => "Gone",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_status_and_every_status_a_title() {
        for code in ErrorCode::ALL {
            assert!(!code.statuses().is_empty(), "{code}");
            for status in code.statuses() {
                assert_ne!(title(*status), "Internal Server Error", "{status}");
            }
        }
        assert_eq!(ErrorCode::Other("NEW".into()).status(), 500);
    }

    #[test]
    fn another_status_brings_its_title() {
        let problem = Problem::new(ErrorCode::SessionNotFound, "no such session", Time::MIN, "r1");
        assert_eq!((problem.status, &*problem.title), (401, "Unauthorized"));
        let problem = problem.with_status(404);
        assert_eq!((problem.status, &*problem.title), (404, "Not Found"));
    }
}
