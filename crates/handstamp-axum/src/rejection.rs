//! What went wrong, as an answer.

use std::time::Duration;

use axum_core::response::IntoResponse;
use handstamp_core::SessionError;
use handstamp_core::data::DataError;
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderValue, Response, StatusCode};

use crate::problem::{NO_STORE, Problem, rfc3339};
use crate::site::Why;

/// Why a handler was not run, or could not go on: `?` on the calls of a session ends here and
/// becomes an answer.
///
/// Programs get a problem of RFC 9457 with a code; a person whose browser navigates is sent to
/// the sign-in page, where one is configured. Faults of the server are logged with their causes
/// and told outside in one sentence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionRejection {
    /// The session, its data or its store.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The request did not pass a [`SessionLayer`](crate::SessionLayer).
    #[error("no SessionLayer around this route; add one to the router")]
    NoLayer,
    /// The request did not carry the right CSRF token.
    #[error("the csrf token is missing or wrong")]
    Csrf,
    /// The request was not shown to be made by this site.
    #[error(transparent)]
    CrossSite(#[from] Why),
    /// A guard wants a user, and there is none.
    #[error("nobody is signed in")]
    SignIn {
        /// Why the session that was presented is not good.
        #[source]
        error: SessionError,
        /// Where a browser is sent.
        to: Option<String>,
    },
    /// A guard wants a role or permission that the user does not have.
    #[error("the user may not do this")]
    Forbidden,
    /// A guard wants a sign-in that is fresher than the session's.
    #[error("the sign-in is older than {} s", max_age.as_secs())]
    StepUp {
        /// How old it may be at most.
        max_age: Duration,
        /// Where a browser is sent.
        to: Option<String>,
    },
    /// The posted form cannot be read.
    #[error(transparent)]
    Form(#[from] FormError),
}

/// Why a posted form cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// Its type is not `application/x-www-form-urlencoded`.
    #[error("a form is posted as application/x-www-form-urlencoded")]
    ContentType,
    /// It is larger than the body limit.
    #[error("the form is too large")]
    TooLarge,
    /// Its body broke off.
    #[error("the form could not be read")]
    Unreadable,
    /// A field is missing, repeated or not of its type.
    #[error("a field of the form is missing or not of its type")]
    Fields,
}

impl FormError {
    const fn status(self) -> StatusCode {
        match self {
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unreadable => StatusCode::BAD_REQUEST,
            Self::Fields => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}

impl From<DataError> for SessionRejection {
    fn from(error: DataError) -> Self {
        Self::Session(error.into())
    }
}

impl SessionRejection {
    /// The status of the answer when it is not a redirect.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Session(error) => status_of(error),
            Self::SignIn { .. } => StatusCode::UNAUTHORIZED,
            Self::NoLayer => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Csrf | Self::CrossSite(_) | Self::Forbidden | Self::StepUp { .. } => {
                StatusCode::FORBIDDEN
            }
            Self::Form(error) => error.status(),
        }
    }

    /// The code of the answer, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Session(error) if error.status() == 500 => "INTERNAL",
            Self::Session(error) | Self::SignIn { error, .. } => error.code(),
            Self::NoLayer => "INTERNAL",
            Self::Csrf | Self::CrossSite(_) => "CSRF_INVALID",
            Self::Forbidden => "FORBIDDEN",
            Self::StepUp { .. } => "STEP_UP_REQUIRED",
            Self::Form(_) => "BAD_REQUEST",
        }
    }

    /// Where a browser is sent instead of being told a problem.
    fn redirect(&self) -> Option<HeaderValue> {
        match self {
            Self::SignIn { to, .. } | Self::StepUp { to, .. } => to.as_deref()?.try_into().ok(),
            _ => None,
        }
    }

    /// The answer, with a body of any type that text can become.
    pub(crate) fn respond<B: From<String>>(self) -> Response<B> {
        self.log();
        match self.redirect() {
            Some(to) => see_other(to),
            None => self.problem().respond(),
        }
    }

    fn log(&self) {
        if self.status().is_server_error() {
            let causes = Causes(self).to_string();
            tracing::error!(code = self.code(), "session: {causes}");
        }
    }

    /// The problem that programs are told.
    pub fn problem(&self) -> Problem {
        let problem = Problem::new(self.status(), self.code(), self.detail());
        match self {
            Self::Session(error) | Self::SignIn { error, .. } => members(problem, error),
            Self::StepUp { max_age, .. } => problem.with("max_age_seconds", max_age.as_secs()),
            _ => problem,
        }
    }

    /// One sentence for outside. A fault of the server says only that it is one.
    fn detail(&self) -> String {
        match self.status() {
            StatusCode::SERVICE_UNAVAILABLE => "sessions are not available just now".to_owned(),
            status if status.is_server_error() => "something went wrong here".to_owned(),
            _ => self.to_string(),
        }
    }
}

impl IntoResponse for SessionRejection {
    fn into_response(self) -> axum_core::response::Response {
        self.respond()
    }
}

fn status_of(error: &SessionError) -> StatusCode {
    StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn members(problem: Problem, error: &SessionError) -> Problem {
    match error {
        SessionError::Expired { reason, ended_at } | SessionError::Ended { reason, ended_at } => {
            problem.with("reason", reason.as_str()).with("ended_at", rfc3339(*ended_at))
        }
        SessionError::LimitReached { limit } => problem.with("limit", *limit),
        SessionError::Unavailable(_) => problem.with("outcome", "none"),
        SessionError::Unknown(_) => problem.with("outcome", "unknown"),
        _ => problem,
    }
}

fn see_other<B: From<String>>(to: HeaderValue) -> Response<B> {
    let mut response = Response::new(String::new().into());
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(LOCATION, to);
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    response
}

/// An error and what caused it, in one line for the log.
struct Causes<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_core::record::EndReason;
    use handstamp_core::time::Timestamp;

    fn expired() -> SessionError {
        SessionError::Expired { reason: EndReason::Idle, ended_at: Timestamp::from_millis(1_000) }
    }

    fn sign_in(error: SessionError) -> SessionRejection {
        SessionRejection::SignIn { error, to: None }
    }

    fn unavailable() -> SessionError {
        SessionError::Unavailable("disk sda1 is full".into())
    }

    #[test]
    fn n11_every_error_has_its_status_and_code() {
        let max_age = Duration::from_secs(300);
        let rows: [(SessionRejection, u16, &str); 14] = [
            (SessionError::NotFound.into(), 404, "SESSION_NOT_FOUND"),
            (SessionError::Invalid.into(), 400, "SESSION_INVALID"),
            (expired().into(), 401, "SESSION_EXPIRED"),
            (SessionError::Unauthenticated.into(), 401, "SESSION_NOT_FOUND"),
            (SessionError::LimitReached { limit: 3 }.into(), 409, "LIMIT_REACHED"),
            (unavailable().into(), 503, "STORE_UNAVAILABLE"),
            (sign_in(SessionError::Invalid), 401, "SESSION_INVALID"),
            (sign_in(SessionError::NotFound), 401, "SESSION_NOT_FOUND"),
            (SessionRejection::Csrf, 403, "CSRF_INVALID"),
            (Why::CrossSite.into(), 403, "CSRF_INVALID"),
            (SessionRejection::Forbidden, 403, "FORBIDDEN"),
            (SessionRejection::StepUp { max_age, to: None }, 403, "STEP_UP_REQUIRED"),
            (FormError::TooLarge.into(), 413, "BAD_REQUEST"),
            (SessionRejection::NoLayer, 500, "INTERNAL"),
        ];
        for (rejection, status, code) in rows {
            assert_eq!((rejection.status().as_u16(), rejection.code()), (status, code));
        }
    }

    #[test]
    fn n11_a_fault_is_opaque_to_the_outside_and_whole_in_the_log() {
        let rejection = SessionRejection::from(unavailable());
        assert!(Causes(&rejection).to_string().contains("disk sda1 is full"));
        let answer = rejection.respond::<String>();
        assert!(!answer.body().contains("sda1") && answer.body().contains(r#""outcome":"none""#));
    }

    /// Shows B05.
    #[test]
    fn a_session_that_ran_out_says_when_and_why() {
        let answer = sign_in(expired()).respond::<String>();
        assert!(answer.body().contains(r#""reason":"idle","ended_at":"1970-01-01T00:00:01.000Z""#));
    }

    #[test]
    fn a_redirect_that_no_header_could_hold_becomes_a_problem() {
        let to = Some("/login\r\nSet-Cookie: x=y".to_owned());
        let answer = SessionRejection::SignIn { error: expired(), to }.respond::<String>();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }
}
