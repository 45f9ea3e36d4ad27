//! A session as a request handles it: plain data in memory, committed together; what decides who
//! somebody is, committed at once.

mod access;
mod acts;
mod csrf;
mod data;
mod ended;
mod finish;
mod flash;
mod life;
mod resolve;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use ended::Ending;
pub use finish::{CommitFuture, CookieAction, Finish, Outgoing};
pub use resolve::{CookieValue, Presented};

use crate::cache::Cached;
use crate::engine::Engine;
use crate::error::Refused;
use crate::id::{SessionId, Subject};
use crate::record::{Kind, Record};
use crate::roles::Roles;
use state::State;

/// The session of one request. Clones are handles to the same session.
///
/// Data is plain and synchronous, and is committed when the request is answered, or by
/// [`commit`](Self::commit). [`login`](Self::login), [`logout`](Self::logout),
/// [`regenerate`](Self::regenerate) and [`destroy`](Self::destroy) commit at once, in a task that
/// a dropped connection cannot cancel.
///
/// A session of a visitor for whom nothing was stored has no id and no record; it gets both when
/// something is stored.
#[derive(Clone)]
pub struct Session(pub(crate) Arc<Inner>);

/// What the clones of a session share.
pub(crate) struct Inner {
    pub(crate) engine: Arc<Engine>,
    state: Mutex<State>,
    /// Held by whatever makes a session of this request begin or end, so that no two do at once.
    turn: tokio::sync::Mutex<()>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if !state.delta.is_empty() {
            self.engine.dropped_dirty.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            tracing::warn!(
                session = state.live().map(|cached| cached.record.id.to_string()),
                "a session was changed and dropped without commit()"
            );
        }
    }
}

impl Session {
    #[inline]
    pub(crate) fn with_state(engine: Arc<Engine>, state: State) -> Self {
        Self(Arc::new(Inner { engine, state: Mutex::new(state), turn: Default::default() }))
    }

    fn engine(&self) -> &Arc<Engine> {
        &self.0.engine
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads something of the record; `None` for a visitor without one.
    fn read<T>(&self, read: impl FnOnce(&Record) -> T) -> Option<T> {
        let mut state = self.lock();
        state.was_used = true;
        state.live().map(|cached| read(&cached.record))
    }

    fn live(&self) -> Option<Arc<Cached>> {
        let mut state = self.lock();
        state.was_used = true;
        state.live().cloned()
    }

    /// The public name; a visitor for whom nothing was stored has none.
    pub fn id(&self) -> Option<SessionId> {
        self.read(|record| record.id)
    }

    /// What is stored of this session, as of the beginning of the request or the last commit.
    pub fn record(&self) -> Option<Arc<Record>> {
        self.live().map(|cached| Arc::clone(&cached.record))
    }

    /// Who the session belongs to; nobody for a visitor.
    pub fn user_id(&self) -> Option<Subject> {
        self.read(|record| record.subject.clone()).flatten()
    }

    /// Anonymous, guest or user.
    pub fn kind(&self) -> Kind {
        self.read(|record| record.kind).unwrap_or(Kind::Anonymous)
    }

    /// Whether a user is signed in. Guests are not.
    pub fn is_authenticated(&self) -> bool {
        self.kind() == Kind::User
    }

    /// Whether this is a guest.
    pub fn is_guest(&self) -> bool {
        self.kind() == Kind::Guest
    }

    /// The roles that the session has now: those it was granted, narrowed by the subject's head.
    pub fn roles(&self) -> Roles {
        self.live().map(|cached| cached.roles()).unwrap_or_default()
    }

    /// Whether the session has `role` now.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles().has(role)
    }

    /// Whether the session's roles have `permission`, by the configured map.
    pub fn has_permission(&self, permission: &str) -> bool {
        self.engine().config.has_permission(&self.roles(), permission)
    }

    /// Display name, as given at sign-in.
    pub fn name(&self) -> Option<Arc<str>> {
        self.read(|record| record.profile.name.clone()).flatten()
    }

    /// E-mail address, as given at sign-in.
    pub fn email(&self) -> Option<Arc<str>> {
        self.read(|record| record.profile.email.clone()).flatten()
    }

    /// Whether the user proved who they are within the last `age` (ASVS 7.5.1).
    pub fn is_fresh(&self, age: Duration) -> bool {
        let now = self.engine().now();
        self.read(|record| record.kind == Kind::User && now.since(record.authenticated_at) <= age)
            .unwrap_or(false)
    }

    /// Whether something was changed and is not committed yet.
    pub fn is_modified(&self) -> bool {
        !self.lock().delta.is_empty()
    }

    /// Whether the session was destroyed in this request.
    pub fn is_destroyed(&self) -> bool {
        self.lock().is_destroyed
    }

    /// Why the presented token was refused, if one was.
    pub fn refusal(&self) -> Option<Refused> {
        let mut state = self.lock();
        state.was_used = true;
        state.refusal
    }

    /// Says that this request is no activity: a status poll, an event stream, an automatic
    /// refresh. It does not move the idle limit.
    pub fn not_activity(&self) {
        self.lock().is_activity = false;
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.lock();
        let id = state.live().map(|cached| cached.record.id);
        f.debug_struct("Session").field("id", &id).field("delta", &state.delta).finish()
    }
}
