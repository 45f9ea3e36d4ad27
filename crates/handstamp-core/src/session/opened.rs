//! A session as a middleware holds it, from the head of the request to the head of the response.

use std::sync::Arc;

use super::Session;
use super::finish::{CommitFuture, Outgoing};
use super::inner::{Inner, Plain};
use super::resolve::{CookieValue, Presented};
use crate::engine::Engine;
use crate::record::Client;

/// What a session asks of the request that it is opened for.
pub trait RequestInfo: Send + Sync + 'static {
    /// What the session shares with its manager: [`SessionManager::engine`].
    ///
    /// [`SessionManager::engine`]: crate::SessionManager::engine
    fn engine(&self) -> &Arc<Engine>;

    /// The machine that the request comes from. Asked only when that is kept: when a session
    /// begins.
    fn client(&self) -> Client;
}

/// No request at all, or one that middleware has looked at.
pub(crate) struct Outside {
    pub(crate) engine: Arc<Engine>,
    pub(crate) client: Client,
}

impl RequestInfo for Outside {
    fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    fn client(&self) -> Client {
        self.client.clone()
    }
}

/// The session of one request, and in the same allocation what its middleware keeps of the request.
/// Clones are handles to the same session.
///
/// Middleware opens one for every request, whether a handler asks for it or not, so it is made to
/// cost one allocation and no store call.
pub struct Opened<R: RequestInfo>(Arc<Inner<R>>);

/// How a request that has been answered goes on.
#[derive(Debug)]
#[must_use = "changes are lost unless the commit is awaited"]
pub enum Leaving {
    /// The response may leave, with this.
    Now(Outgoing),
    /// First await this; if it fails, the response must not go out. Then ask for
    /// [`Opened::outgoing`].
    After(CommitFuture),
}

impl<R: RequestInfo> Opened<R> {
    /// The session of a request that presents this. Nothing is judged yet: no store is asked and
    /// no key used.
    #[inline]
    pub fn new(presented: Presented<'_, R>) -> Self {
        Self(Inner::open(presented))
    }

    /// What the middleware keeps of the request.
    pub fn request(&self) -> &R {
        &self.0.request
    }

    /// The session cookie that was presented; what cannot be a token is empty.
    pub fn cookie(&self) -> CookieValue<'_> {
        self.0.raw.cookie()
    }

    /// The session.
    pub fn session(&self) -> Session {
        Session(Arc::clone(&self.0) as _)
    }

    /// As [`Session::try_resolve_cached`].
    pub fn try_resolve_cached(&self) -> bool {
        self.0.try_resolve_cached()
    }

    /// Ends the request, as [`Session::finish`], and tells what goes out with the response if
    /// nothing is to be committed before.
    pub fn leave(&self, is_good: bool) -> Leaving {
        match self.0.plain() {
            Plain::Live(known) => self.0.settle_plain(known),
            Plain::Nobody => {}
            Plain::Not => {
                let mut state = self.0.lock();
                return match self.0.settle(&mut state, is_good) {
                    Some(delta) => Leaving::After(self.session().begin_commit(&mut state, delta)),
                    None => Leaving::Now(self.0.outgoing(&mut state)),
                };
            }
        }
        Leaving::Now(self.0.outgoing_plain())
    }

    /// As [`Session::outgoing`].
    pub fn outgoing(&self) -> Outgoing {
        self.0.outgoing(&mut self.0.lock())
    }

    /// Ends a request that will not be answered: what was changed since the last commit is
    /// dropped.
    pub fn abandon(&self) {
        if let Plain::Live(known) = self.0.plain() {
            self.0.settle_plain(known);
        } else if let Some(mut state) = self.0.lock_if_kept() {
            let _ = self.0.settle(&mut state, false);
        }
    }
}

impl<R: RequestInfo> Clone for Opened<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R: RequestInfo> std::fmt::Debug for Opened<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Opened").field(&self.session()).finish()
    }
}
