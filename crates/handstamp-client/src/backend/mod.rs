//! Who renews and revokes tokens: the session service, or any other.

#[cfg(feature = "reqwest")]
mod oauth;
#[cfg(feature = "reqwest")]
mod service;
#[cfg(feature = "reqwest")]
mod wire;

use std::time::Duration;

use handstamp_protocol::Time;
use handstamp_protocol::logs::LogList;
use handstamp_protocol::sessions::{Reason, SessionList};
use handstamp_protocol::status::Status;

#[cfg(feature = "reqwest")]
pub use crate::address::AddressError;
#[cfg(feature = "reqwest")]
pub use oauth::OauthBackend;
#[cfg(feature = "reqwest")]
pub use service::HandstampBackend;
#[cfg(feature = "reqwest")]
pub(crate) use service::bearer;
#[cfg(feature = "websocket")]
pub(crate) use wire::{CONNECT, failure};

use crate::BoxFuture;
use crate::session::UserInfo;
use crate::token::Token;

/// A refresh that is asked for.
#[derive(Clone, Debug)]
pub struct RefreshCall {
    /// The refresh token.
    pub token: Token,
    /// 192 bits that nobody can tell who does not hold the session. Whoever asks again for the same
    /// generation sends the same ones.
    pub attempt: Token,
    /// When the session was last used, by the server's clock. A refresh alone is no activity.
    pub last_active_at: Option<Time>,
}

/// Tokens, as a server hands them out.
#[derive(Clone, Debug)]
pub struct Granted {
    /// The access token.
    pub access_token: Token,
    /// How long it lives, if that was said.
    pub expires_in: Option<Duration>,
    /// The next refresh token; none if the one there is stays good.
    pub refresh_token: Option<Token>,
    /// How long the refresh token lives, if that was said.
    pub refresh_expires_in: Option<Duration>,
    /// The session's public id, if that was said.
    pub id: Option<String>,
    /// Whose it is, if that was said.
    pub user: Option<UserInfo>,
    /// Whether it is a guest, if that was said.
    pub is_guest: Option<bool>,
    /// When the user signed in, if that was said.
    pub authenticated_at: Option<Time>,
    /// What the server's clock showed.
    pub date: Option<Time>,
}

impl Granted {
    /// An access token of which nothing else was said.
    pub fn new(access_token: impl Into<Token>) -> Self {
        Self {
            access_token: access_token.into(),
            expires_in: None,
            refresh_token: None,
            refresh_expires_in: None,
            id: None,
            user: None,
            is_guest: None,
            authenticated_at: None,
            date: None,
        }
    }
}

/// A server did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// It says, in so many words, that this session is over. Retrying never helps. Only what is
    /// certainly such an answer is one: a 401 of a proxy is not.
    #[error("the server refused the session")]
    Refused {
        /// Why, if it said.
        reason: Option<Reason>,
    },
    /// It could not be reached, is too busy, failed, or answered what cannot be understood.
    /// Retrying helps.
    #[error("the server could not be reached")]
    Transient {
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
        /// What happened.
        #[source]
        cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// It answered with a status that means the call itself is not right: a mistake of the
    /// program or of its settings. The session stays.
    #[error("the server answered with status {status}")]
    Status {
        /// The status.
        status: u16,
    },
    /// It knows no such call.
    #[error("the server has no such call")]
    Unsupported,
}

impl BackendError {
    /// A failure that may pass, of which nothing more is known.
    pub const fn passing() -> Self {
        Self::Transient { retry_after: None, cause: None }
    }
}

/// What a call of a backend answers.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, BackendError>>;

fn unsupported<'a, T: Send + 'a>() -> Answer<'a, T> {
    Box::pin(std::future::ready(Err(BackendError::Unsupported)))
}

/// A server that renews and revokes tokens. What it does not know answers
/// [`BackendError::Unsupported`], which is what each of the optional calls does by default.
///
/// # Contract
/// - Whatever is not certainly the end of this very session is [`BackendError::Transient`] or
///   [`BackendError::Status`]: network, DNS, TLS, 429, 5xx, half an answer, an answer of a proxy.
/// - A call that is dropped may or may not have been heard by the server.
pub trait AuthBackend: Send + Sync + 'static {
    /// Exchanges a refresh token.
    fn refresh(&self, call: RefreshCall) -> Answer<'_, Granted>;

    /// Whether the same attempt gets the same answer again, also from another process. Without
    /// that nobody asks while another process may have asked: no by default.
    fn is_repeatable(&self) -> bool {
        false
    }

    /// Revokes a session by its refresh token. A token that is dead already is a success.
    fn revoke(&self, refresh_token: Token) -> Answer<'_, ()>;

    /// Begins a guest session.
    fn begin_guest(&self) -> Answer<'_, Granted> {
        unsupported()
    }

    /// Whether the session of this access token is live.
    fn status(&self, access_token: Token) -> Answer<'_, Status> {
        let _ = access_token;
        unsupported()
    }

    /// The sessions of its user, a page of them.
    fn sessions(&self, access_token: Token, cursor: Option<String>) -> Answer<'_, SessionList> {
        let _ = (access_token, cursor);
        unsupported()
    }

    /// What happened to the sessions of its user, a page of it.
    fn logs(&self, access_token: Token, cursor: Option<String>) -> Answer<'_, LogList> {
        let _ = (access_token, cursor);
        unsupported()
    }

    /// Ends every session of its user and answers how many; all but its own if `except_current`.
    fn end_all(&self, access_token: Token, except_current: bool) -> Answer<'_, u64> {
        let _ = (access_token, except_current);
        unsupported()
    }

    /// Ends one other session of its user; answers whether this call ended it.
    fn end(&self, access_token: Token, id: String) -> Answer<'_, bool> {
        let _ = (access_token, id);
        unsupported()
    }

    /// Names a session of its user, or takes the name away.
    fn name(&self, access_token: Token, id: String, label: Option<String>) -> Answer<'_, ()> {
        let _ = (access_token, id, label);
        unsupported()
    }
}
