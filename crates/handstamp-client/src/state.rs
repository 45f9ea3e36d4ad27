//! What a user interface watches.

use std::path::PathBuf;
use std::sync::Arc;

use handstamp_protocol::Time;
use handstamp_protocol::sessions::Reason;

use crate::session::Session;

/// Whether somebody is signed in, and how sure that is.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum AuthState {
    /// What was kept has not been read yet.
    #[default]
    Restoring,
    /// Nobody is signed in.
    SignedOut,
    /// A stand-in that the user asked for.
    Guest(Arc<Session>),
    /// Somebody is signed in, and the access token is good.
    Active(Arc<Session>),
    /// The tokens are being renewed. Those there are may still be good.
    Refreshing(Arc<Session>),
    /// The access token is past its time and the server cannot be reached. The session stays.
    Offline(Arc<Session>),
    /// What is kept cannot be read now: the keyring is locked, the key is not the right one, the
    /// file belongs to a later version. Nobody is signed out by that.
    Locked,
    /// What was kept was damaged: whether somebody was signed in cannot be told. So in the
    /// program that met it, until somebody signs in or [`forget`](crate::SessionManager::forget)
    /// is called; one that starts later has `SignedOut`.
    Damaged {
        /// Where it lies now.
        set_aside: PathBuf,
    },
    /// The session is over.
    Expired {
        /// Why, if that is known.
        reason: Option<Reason>,
    },
}

impl AuthState {
    /// The session, in every state that has one.
    pub const fn session(&self) -> Option<&Arc<Session>> {
        match self {
            Self::Guest(session)
            | Self::Active(session)
            | Self::Refreshing(session)
            | Self::Offline(session) => Some(session),
            _ => None,
        }
    }

    /// Whether it is not yet known: show that something is going on.
    pub const fn is_loading(&self) -> bool {
        matches!(self, Self::Restoring)
    }

    /// Whether what is kept cannot be read, or could not: show what is the matter.
    pub const fn is_error(&self) -> bool {
        matches!(self, Self::Locked | Self::Damaged { .. })
    }
}

/// What happened, in order.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AuthEvent {
    /// What was kept was read.
    Restored,
    /// Somebody signed in, or a guest session began.
    SignedIn,
    /// A guest has become a user.
    Upgraded,
    /// The tokens were renewed here.
    Refreshed,
    /// Another process renewed the tokens, or signed somebody in; its session is used from now on.
    Adopted,
    /// The tokens could not be renewed now.
    RefreshFailed {
        /// When the next try is made.
        retry_at: Time,
    },
    /// The server ended the session.
    Expired {
        /// Why, if it said.
        reason: Option<Reason>,
    },
    /// The user signed out, here or in another process.
    SignedOut,
    /// The server has heard of a sign-out.
    Revoked,
    /// A damaged file was set aside.
    SetAside {
        /// Where it lies.
        path: PathBuf,
    },
    /// What changed could not be kept; it is in memory, and is kept with the next change.
    NotKept,
}
