//! What can go wrong with a session, one variant per thing that a caller does differently.

use crate::data::DataError;
use crate::random::RandomError;
use crate::record::{EndReason, Ended, FormatError};
use crate::store::StoreError;
use crate::time::Timestamp;

/// Why a session cannot be used or changed.
///
/// `Display` is for logs. What goes to the outside is [`code`](Self::code) and
/// [`status`](Self::status), nothing else.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// There is no such session: nothing was presented, or its record has been purged.
    #[error("there is no such session")]
    NotFound,
    /// What was presented is malformed, forged, superseded or of the wrong kind.
    #[error("not a good session token")]
    Invalid,
    /// The session ran out.
    #[error("the session expired ({})", reason.as_str())]
    Expired {
        /// Idle or absolute.
        reason: EndReason,
        /// When.
        ended_at: Timestamp,
    },
    /// The session was ended by an act.
    #[error("the session was ended ({})", reason.as_str())]
    Ended {
        /// Which act.
        reason: EndReason,
        /// When.
        ended_at: Timestamp,
    },
    /// The session is set aside until it is resumed.
    #[error("the session is suspended")]
    Suspended,
    /// Nobody is signed in.
    #[error("nobody is signed in")]
    Unauthenticated,
    /// The subject is disabled: no session begins or goes on.
    #[error("the subject is disabled")]
    SubjectDisabled,
    /// The subject has as many sessions as it may, and nobody makes room.
    #[error("the subject has reached its limit of {limit} sessions")]
    LimitReached {
        /// The limit.
        limit: u32,
    },
    /// What `compare_and_set` compared was changed by another request before the commit. Nothing
    /// was stored; reading again and retrying helps.
    #[error("the value was changed by another request")]
    Conflict,
    /// A value does not fit. Nothing was stored; retrying with the same value never helps.
    #[error("the session's data was refused")]
    Data(#[from] DataError),
    /// The stored record cannot be read. The session is refused; others are served.
    #[error("the stored record cannot be read: {0}")]
    Corrupt(String),
    /// The store refused the change as one that it can never hold.
    #[error("the store cannot hold this: {0}")]
    Refused(String),
    /// The store is out of reach, full or read-only. **Nothing was changed**, nor will be by this
    /// call; retry later.
    #[error("the session store is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The store's answer was lost: the change may have been applied, or may still come.
    #[error("the session store did not answer")]
    Unknown(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl SessionError {
    /// The error that a tombstone, or what is as good as one, answers.
    pub(crate) const fn ended(ended: &Ended) -> Self {
        let (reason, ended_at) = (ended.reason, ended.at);
        if reason.is_expiry() {
            Self::Expired { reason, ended_at }
        } else {
            Self::Ended { reason, ended_at }
        }
    }

    /// The status code of HTTP that fits.
    pub const fn status(&self) -> u16 {
        match self {
            Self::NotFound => 404,
            Self::Invalid => 400,
            Self::Expired { .. } | Self::Ended { .. } | Self::Suspended | Self::Unauthenticated => {
                401
            }
            Self::SubjectDisabled => 403,
            Self::LimitReached { .. } | Self::Conflict => 409,
            Self::Data(DataError::TooLarge { .. }) => 413,
            Self::Data(_) | Self::Refused(_) => 500,
            Self::Corrupt(_) | Self::Unavailable(_) | Self::Unknown(_) => 503,
        }
    }

    /// The code that tells the outside what happened.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound | Self::Unauthenticated => "SESSION_NOT_FOUND",
            Self::Invalid => "SESSION_INVALID",
            Self::Expired { .. } => "SESSION_EXPIRED",
            Self::Ended { .. } => "SESSION_ENDED",
            Self::Suspended => "SESSION_SUSPENDED",
            Self::SubjectDisabled => "SUBJECT_DISABLED",
            Self::LimitReached { .. } => "LIMIT_REACHED",
            Self::Conflict => "CONFLICT",
            Self::Data(_) | Self::Refused(_) => "BAD_REQUEST",
            Self::Corrupt(_) | Self::Unavailable(_) | Self::Unknown(_) => "STORE_UNAVAILABLE",
        }
    }

    /// Whether the fault is the system's, so that the answer is never "not signed in".
    pub const fn is_fault(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Unknown(_) | Self::Corrupt(_))
    }
}

impl From<StoreError> for SessionError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unknown(cause) => Self::Unknown(cause),
            StoreError::Unavailable(cause) => Self::Unavailable(cause),
            other => Self::Refused(other.to_string()),
        }
    }
}

impl From<RandomError> for SessionError {
    fn from(error: RandomError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<FormatError> for SessionError {
    fn from(error: FormatError) -> Self {
        Self::Corrupt(error.to_string())
    }
}

/// Why a presented token was refused. The session of the request is then nobody's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Refused {
    /// Malformed, forged, of the wrong kind, or two cookies at once.
    Invalid,
    /// Superseded by a newer token of the same session.
    Superseded,
    /// Well made, but its record has been purged.
    NotFound,
    /// The session has ended, by act or by running out.
    Ended {
        /// Why.
        reason: EndReason,
        /// When.
        ended_at: Timestamp,
    },
    /// The session is set aside.
    Suspended,
    /// The stored record cannot be read.
    Corrupt,
}

impl From<&Ended> for Refused {
    fn from(ended: &Ended) -> Self {
        Self::Ended { reason: ended.reason, ended_at: ended.at }
    }
}

impl From<&SessionError> for Refused {
    fn from(error: &SessionError) -> Self {
        match *error {
            SessionError::Expired { reason, ended_at }
            | SessionError::Ended { reason, ended_at } => Self::Ended { reason, ended_at },
            SessionError::NotFound => Self::NotFound,
            SessionError::Suspended => Self::Suspended,
            _ => Self::Invalid,
        }
    }
}

impl Refused {
    /// Whether a request that arrives with this may begin a new session by storing something. A
    /// token that another has taken the place of may not: its cookie would undo the newer one.
    pub(crate) const fn may_begin(self) -> bool {
        !matches!(
            self,
            Self::Superseded | Self::Suspended | Self::Ended { reason: EndReason::Replaced, .. }
        )
    }
}

impl From<Refused> for SessionError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Invalid | Refused::Superseded => Self::Invalid,
            Refused::NotFound => Self::NotFound,
            Refused::Suspended => Self::Suspended,
            Refused::Corrupt => Self::Corrupt("the record of the presented session".into()),
            Refused::Ended { reason, ended_at } if reason.is_expiry() => {
                Self::Expired { reason, ended_at }
            }
            Refused::Ended { reason, ended_at } => Self::Ended { reason, ended_at },
        }
    }
}
