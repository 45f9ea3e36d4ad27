//! The place in a request where its session is, or will be.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use handstamp_core::record::Client;
use handstamp_core::{CookieValue, Engine, Opened, Presented, RequestInfo, Session, SessionError};
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
pub struct SessionSlot(Opened<Asked>);

/// What is kept of a request beside its session.
pub(crate) struct Asked {
    options: Arc<Options>,
    user_agent: Option<HeaderValue>,
    ip: Option<IpAddr>,
    /// Where the request was for, if a guard may send it to a page that leads back.
    path: Option<PathAndQuery>,
    /// Whether anybody has asked for the session.
    is_open: AtomicBool,
}

impl RequestInfo for Asked {
    fn engine(&self) -> &Arc<Engine> {
        self.options.manager.engine()
    }

    fn client(&self) -> Client {
        let user_agent = self.user_agent.as_ref().and_then(user_agent);
        Client { ip: self.ip, user_agent, ..Client::default() }
    }
}

impl SessionSlot {
    /// Reads from the head of a request what its session will need.
    pub(crate) fn read(options: &Arc<Options>, head: &Parts) -> Self {
        let names = [&*options.cookie().name, &*options.pre_session_name];
        let [cookie, pre_session] = find(&head.headers, names);
        Self(Opened::new(Presented {
            cookie: match cookie {
                Found::None => CookieValue::None,
                Found::One(value) => CookieValue::One(value),
                Found::Several => CookieValue::Several,
            },
            pre_session: match pre_session {
                Found::One(value) => std::str::from_utf8(value).ok(),
                Found::None | Found::Several => None,
            },
            client: Asked {
                user_agent: head.headers.get(USER_AGENT).cloned(),
                ip: options.client_ip.as_ref().and_then(|ip| ip(head)),
                path: options.has_pages().then(|| head.uri.path_and_query().cloned()).flatten(),
                is_open: AtomicBool::new(false),
                options: Arc::clone(options),
            },
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
        if let Some(session) = self.load_cached() {
            return Ok(session);
        }
        let session = self.0.session();
        // In a box, because what waits for a store is large and would be carried by every handler.
        Box::pin(session.resolve()).await?;
        Ok(session)
    }

    /// The session of the cookie, for an answer that sets none: a proxy that asks whether to let a
    /// request pass throws the answer's cookies away. Nothing is rotated, and the layer adds
    /// nothing to the answer. It is no activity; the caller may note some.
    ///
    /// # Errors
    /// As [`SessionManager::look`](handstamp_core::SessionManager::look).
    pub async fn look(&self) -> Result<Session, SessionError> {
        self.options().manager.look(self.0.cookie()).await
    }

    /// The session if the near cache can judge it at once.
    pub(crate) fn load_cached(&self) -> Option<Session> {
        self.0.request().is_open.store(true, Ordering::Relaxed);
        self.0.try_resolve_cached().then(|| self.0.session())
    }

    /// The session if anybody has asked for it.
    pub(crate) fn opened(&self) -> Option<&Opened<Asked>> {
        self.0.request().is_open.load(Ordering::Relaxed).then_some(&self.0)
    }

    pub(crate) fn options(&self) -> &Options {
        &self.0.request().options
    }

    /// The path that the client asked for, before any router took parts of it off; kept only where
    /// guards have a page to send to.
    pub(crate) fn path(&self) -> Option<&PathAndQuery> {
        self.0.request().path.as_ref()
    }
}

impl std::fmt::Debug for SessionSlot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionSlot").field("session", &self.0.session()).finish_non_exhaustive()
    }
}

impl<S: Send + Sync> axum_core::extract::FromRequestParts<S> for SessionSlot {
    type Rejection = crate::SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        parts.extensions.get().cloned().ok_or(crate::SessionRejection::NoLayer)
    }
}
