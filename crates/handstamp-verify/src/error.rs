//! Why a token is not good, one variant per thing that a caller does differently.

use handstamp_protocol::problem::Outcome;
use handstamp_protocol::sessions::Reason;
use handstamp_protocol::{ErrorCode, Problem, Time};

/// A token is not good, or that it is cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// It is no access token of this issuer for this audience. Retrying never helps.
    #[error("not a valid access token: {0}")]
    Invalid(#[from] Invalid),
    /// It names a key that is not known. Retrying helps once the keys have been read again, if it
    /// was made with a new one.
    #[error("signed with a key that is not known")]
    UnknownKey,
    /// It is past its time. The holder refreshes; the session may well be live.
    #[error("the access token is past its time")]
    Expired,
    /// Its session has gone on without it: other roles, set aside, or a newer epoch. The holder
    /// refreshes, and the answer to that tells more.
    #[error("the access token is superseded")]
    Superseded,
    /// Its session has ended. The holder signs in again.
    #[error("the session has ended")]
    Ended,
    /// A role is missing. Retrying never helps.
    #[error("a role is missing")]
    Forbidden,
    /// What is known of ended sessions is too old to be trusted. Retrying helps when the service
    /// is reachable again.
    #[error("the revocation feed has not been heard for too long")]
    Lapsed,
    /// The state that the caller asked for has not been reached in time. Retrying helps.
    #[error("the revocation feed has not reached the cursor asked for")]
    Behind,
    /// The keys have never been read. Retrying helps when the service is reachable.
    #[error("the keys could not be read yet")]
    NoKeys,
}

/// What is wrong with a token, for logs and tests; outside it is one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// Longer than 8 KiB.
    #[error("too long")]
    TooLong,
    /// Not three parts of canonical base64url.
    #[error("not a compact JWS")]
    Form,
    /// The header is no strict JSON object, lacks a member, or has one that is never used.
    #[error("header")]
    Header,
    /// The header's `typ` is another.
    #[error("type")]
    Type,
    /// The algorithm is not the key's.
    #[error("algorithm")]
    Algorithm,
    /// The signature is not right.
    #[error("signature")]
    Signature,
    /// The claims are no strict JSON object, or one is missing or of another type.
    #[error("claims")]
    Claims,
    /// `iss` is another.
    #[error("issuer")]
    Issuer,
    /// `aud` does not name us.
    #[error("audience")]
    Audience,
    /// `nbf` or `iat` lie in the future.
    #[error("not yet")]
    NotYet,
    /// It is bound to a key, which the caller has not proved to hold.
    #[error("bound to a key")]
    Bound,
}

impl VerifyError {
    /// The code on the wire.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid(_) | Self::UnknownKey | Self::Expired | Self::Superseded => {
                ErrorCode::JwtInvalid
            }
            Self::Ended => ErrorCode::SessionEnded,
            Self::Forbidden => ErrorCode::Forbidden,
            Self::Lapsed | Self::Behind | Self::NoKeys => ErrorCode::StoreUnavailable,
        }
    }

    /// The status on the wire: 401, 403 or 503.
    pub fn status(&self) -> u16 {
        self.code().status()
    }

    /// The reason on the wire: `expired` where a refresh helps.
    pub const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Expired | Self::Superseded => Some(Reason::Expired),
            _ => None,
        }
    }

    /// The problem on the wire. What exactly is wrong with a token is not told.
    pub fn problem(&self, timestamp: Time, request_id: impl Into<String>) -> Problem {
        let mut problem = Problem::new(self.code(), self.detail(), timestamp, request_id);
        problem.reason = self.reason();
        problem.outcome = (problem.status == 503).then_some(Outcome::None);
        problem
    }

    const fn detail(&self) -> &'static str {
        match self {
            Self::Invalid(_) | Self::UnknownKey => "the access token is not valid",
            Self::Expired | Self::Superseded => "the access token is past its time",
            Self::Ended => "the session has ended",
            Self::Forbidden => "a role is missing",
            Self::Lapsed | Self::Behind | Self::NoKeys => "sessions cannot be checked right now",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_code_and_tells_no_more_than_it() {
        let told = |error: VerifyError| {
            let problem = error.problem(Time::MIN, "r1");
            (problem.status, problem.code.to_string(), problem.reason.map(|it| it.to_string()))
        };
        let jwt = |reason: Option<&str>| (401, "JWT_INVALID".into(), reason.map(Into::into));
        assert_eq!(told(Invalid::Signature.into()), jwt(None));
        assert_eq!(told(VerifyError::UnknownKey), jwt(None));
        assert_eq!(told(VerifyError::Expired), jwt(Some("expired")));
        assert_eq!(told(VerifyError::Superseded), jwt(Some("expired")));
        assert_eq!(told(VerifyError::Ended), (401, "SESSION_ENDED".into(), None));
        assert_eq!(told(VerifyError::Forbidden), (403, "FORBIDDEN".into(), None));
        for error in [VerifyError::Lapsed, VerifyError::Behind, VerifyError::NoKeys] {
            assert_eq!(told(error), (503, "STORE_UNAVAILABLE".into(), None));
        }
        let detail = |invalid: Invalid| VerifyError::from(invalid).problem(Time::MIN, "").detail;
        assert_eq!(detail(Invalid::Signature), detail(Invalid::Audience));
    }
}
