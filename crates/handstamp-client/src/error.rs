//! Why the holder's call did not come about, one variant per thing that he does differently.

use handstamp_protocol::Time;
use handstamp_protocol::sessions::Reason;

use crate::backend::BackendError;
use crate::random::NoRandom;
use crate::storage::StorageError;

/// A call of the manager failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// Nobody is signed in. Lead the user to sign in.
    #[error("nobody is signed in")]
    NotAuthenticated,
    /// The access token is past its time and there is nothing to renew it with. Sign in anew.
    #[error("the session is past its time")]
    TokenExpired,
    /// The server ended the session. Sign in anew.
    #[error("the session has ended")]
    Ended {
        /// Why, if the server said.
        reason: Option<Reason>,
    },
    /// The server could not be asked, and the access token is past its time. The session stays:
    /// try again at the time.
    #[error("the server cannot be reached")]
    Offline {
        /// When the next try is made.
        retry_at: Time,
    },
    /// What is kept could not be read or written. Nobody was signed out.
    #[error("the session could not be read or kept")]
    Storage(#[from] StorageError),
    /// The new session could not be kept. Whoever was signed in before still is; the server was
    /// asked, once, to end the new one. Sign in anew when it can be kept.
    #[error("the new session could not be kept, and {}", told(revoked))]
    NotKept {
        /// Why it could not be kept.
        #[source]
        cause: StorageError,
        /// What the server said to its end. After an error it lives on there, for as long as its
        /// tokens do.
        revoked: Result<(), BackendError>,
    },
    /// The server could not be asked, or refused this call. The session stays.
    #[error("the server did not do it")]
    Backend(#[from] BackendError),
    /// The address is not among those that the session may be sent to. A mistake of the program.
    #[error("the session is not to be sent to {0}")]
    Origin(String),
    /// The session was exchanged for another one while the call was made.
    #[error("another session has taken the place of this one")]
    Replaced,
    /// The operating system gives no random numbers.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
}

impl AuthError {
    /// Whether only a new sign-in helps.
    pub const fn needs_sign_in(&self) -> bool {
        matches!(self, Self::NotAuthenticated | Self::TokenExpired | Self::Ended { .. })
    }
}

fn told(revoked: &Result<(), BackendError>) -> String {
    match revoked {
        Ok(()) => "was ended at the server".to_owned(),
        Err(error) => format!("may live on at the server: {error}"),
    }
}
