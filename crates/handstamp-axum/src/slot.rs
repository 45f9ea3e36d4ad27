//! The place in a request where its session is, or will be.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use handstamp_core::record::Client;
use handstamp_core::{CookieValue, Presented, Session, SessionError};
use http::HeaderValue;
use http::header::USER_AGENT;
use http::request::Parts;
use http::uri::PathAndQuery;

use crate::client::user_agent;
use crate::cookies::{Found, find};
use crate::options::Options;

/// Stands for the session of a request, in the request's extensions.
///
/// Putting it there costs next to nothing: no store is asked and no cryptography done before
/// [`load`](Self::load). Handlers take [`Session`](crate::Session) instead; this is for other
/// tower services, and for handlers that may not need the session at all.
///
/// ```
/// # use handstamp_axum::SessionSlot;
/// # use handstamp_core::SessionError;
/// async fn name(request: &http::Request<String>) -> Result<Option<String>, SessionError> {
///     let Some(slot) = request.extensions().get::<SessionSlot>() else { return Ok(None) };
///     Ok(slot.load().await?.user_id().map(|user| user.to_string()))
/// }
/// ```
#[derive(Clone)]
pub struct SessionSlot(Arc<Inner>);

struct Inner {
    options: Arc<Options>,
    cookie: Held,
    pre_session: Held,
    user_agent: Option<HeaderValue>,
    ip: Option<IpAddr>,
    path: Option<PathAndQuery>,
    session: OnceLock<Session>,
}

impl SessionSlot {
    /// Reads from the head of a request what its session will need.
    pub(crate) fn read(options: &Arc<Options>, head: &Parts) -> Self {
        let names = [&*options.cookie().name, &*options.pre_session_name];
        let [cookie, pre_session] = find(&head.headers, names);
        Self(Arc::new(Inner {
            cookie: cookie.into(),
            pre_session: pre_session.into(),
            user_agent: head.headers.get(USER_AGENT).cloned(),
            ip: options.client_ip.as_ref().and_then(|ip| ip(head)),
            path: head.uri.path_and_query().cloned(),
            session: OnceLock::new(),
            options: Arc::clone(options),
        }))
    }

    /// The session of the request: the same one for everybody who asks during the request.
    ///
    /// The first call judges the presented cookie, by the near cache where that knows it, else by
    /// the store. A visitor without a good cookie has a session too: an anonymous one, of which
    /// nothing is kept until something is stored in it.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] and its like when the store cannot be asked; trying again
    /// helps once it can. A cookie that is not good is no error.
    pub async fn load(&self) -> Result<Session, SessionError> {
        let session = self.open();
        if !session.try_resolve_cached() {
            session.resolve().await?;
        }
        Ok(session.clone())
    }

    /// The session of the cookie, for an answer that sets none: a proxy that asks whether to let a
    /// request pass throws the answer's cookies away. Nothing is rotated, and the layer adds
    /// nothing to the answer. It is no activity; the caller may note some.
    ///
    /// # Errors
    /// As [`SessionManager::look`](handstamp_core::SessionManager::look).
    pub async fn look(&self) -> Result<Session, SessionError> {
        self.0.options.manager.look(self.0.presented_cookie()).await
    }

    /// The session if the near cache can judge it at once.
    pub(crate) fn load_cached(&self) -> Option<Session> {
        let session = self.open();
        session.try_resolve_cached().then(|| session.clone())
    }

    /// The session if anybody has asked for it.
    pub(crate) fn opened(&self) -> Option<&Session> {
        self.0.session.get()
    }

    pub(crate) fn options(&self) -> &Options {
        &self.0.options
    }

    /// The path that the client asked for, before any router took parts of it off.
    pub(crate) fn path(&self) -> Option<&PathAndQuery> {
        self.0.path.as_ref()
    }

    fn open(&self) -> &Session {
        self.0.session.get_or_init(|| self.0.options.manager.open(self.0.presented()))
    }
}

impl std::fmt::Debug for SessionSlot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionSlot").field("session", &self.opened()).finish_non_exhaustive()
    }
}

impl<S: Send + Sync> axum_core::extract::FromRequestParts<S> for SessionSlot {
    type Rejection = crate::SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        parts.extensions.get().cloned().ok_or(crate::SessionRejection::NoLayer)
    }
}

impl Inner {
    fn presented_cookie(&self) -> CookieValue<'_> {
        match &self.cookie {
            Held::None => CookieValue::None,
            Held::One(text) => CookieValue::One(text.as_bytes()),
            Held::Several => CookieValue::Several,
        }
    }

    fn presented(&self) -> Presented<'_> {
        Presented {
            cookie: self.presented_cookie(),
            pre_session: match &self.pre_session {
                Held::One(text) => Some(text.as_str()),
                Held::None | Held::Several => None,
            },
            client: Client {
                ip: self.ip,
                user_agent: self.user_agent.as_ref().and_then(user_agent),
                ..Client::default()
            },
        }
    }
}

/// What was presented, kept in place: a request costs no allocation for its cookie.
enum Held {
    None,
    One(Short),
    Several,
}

impl From<Found<'_>> for Held {
    fn from(found: Found<'_>) -> Self {
        match found {
            Found::None => Self::None,
            Found::One(value) => Self::One(Short::of(value)),
            Found::Several => Self::Several,
        }
    }
}

/// Text of a length that a token may have. A longer one, or one that is not ASCII, is no token
/// whatever it says, and is kept as the empty text, which is none either.
struct Short {
    length: u8,
    bytes: [u8; Self::MAX as usize],
}

impl Short {
    const MAX: u8 = 80;

    fn of(value: &[u8]) -> Self {
        let mut short = Self { length: 0, bytes: [0; Self::MAX as usize] };
        if let Ok(length) = u8::try_from(value.len())
            && let Some(room) = short.bytes.get_mut(..value.len())
            && value.is_ascii()
        {
            room.copy_from_slice(value);
            short.length = length;
        }
        short
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Short;

    #[test]
    fn a_token_is_kept_and_what_cannot_be_one_is_nothing() {
        let long = [b'a'; 81];
        let rows: [(&[u8], &str); 5] = [
            (b"abc", "abc"),
            (b"", ""),
            (b"\xff", ""),
            (&long, ""),
            (&[b'a'; 80], &"a".repeat(80)),
        ];
        for (sent, kept) in rows {
            assert_eq!(Short::of(sent).as_str(), kept);
        }
    }
}
