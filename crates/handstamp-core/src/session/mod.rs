//! A session as a request handles it: plain data in memory, committed together; what decides who
//! somebody is, committed at once.

mod access;
mod acts;
mod csrf;
mod data;
mod ended;
mod finish;
mod flash;
mod inner;
mod life;
mod opened;
mod resolve;
mod state;

use std::sync::{Arc, MutexGuard};
use std::time::Duration;

pub use ended::Ending;
pub use finish::{CommitFuture, CookieAction, Finish, Outgoing};
pub use opened::{Leaving, Opened, RequestInfo};
pub use resolve::{CookieValue, Presented};

use crate::cache::Cached;
use crate::engine::Engine;
use crate::error::Refused;
use crate::id::{SessionId, Subject};
use crate::record::{Kind, Record};
use crate::roles::Roles;
use inner::{Inner, Plain};
pub(crate) use opened::Outside;
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
pub struct Session(Arc<Inner>);

impl Session {
    fn engine(&self) -> &Arc<Engine> {
        self.0.engine()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }

    /// Reads something of the session in use; `None` for a visitor without one.
    fn look<T>(&self, look: impl FnOnce(&Arc<Cached>) -> T) -> Option<T> {
        match self.0.read() {
            Plain::Live(known) => Some(look(&known.cached)),
            Plain::Nobody => None,
            Plain::Not => self.lock().live().map(look),
        }
    }

    /// Reads something of the record; `None` for a visitor without one.
    fn read<T>(&self, read: impl FnOnce(&Record) -> T) -> Option<T> {
        self.look(|cached| read(&cached.record))
    }

    fn live(&self) -> Option<Arc<Cached>> {
        self.look(Arc::clone)
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
        self.0.lock_if_kept().is_some_and(|state| !state.delta.is_empty())
    }

    /// Whether the session was destroyed in this request.
    pub fn is_destroyed(&self) -> bool {
        self.0.lock_if_kept().is_some_and(|state| state.is_destroyed)
    }

    /// Why the presented token was refused, if one was.
    pub fn refusal(&self) -> Option<Refused> {
        match self.0.read() {
            Plain::Live(_) => None,
            Plain::Nobody | Plain::Not => self.lock().refusal,
        }
    }

    /// Says that this request is no activity: a status poll, an event stream, an automatic
    /// refresh. It does not move the idle limit.
    pub fn not_activity(&self) {
        self.0.count_as_activity(false);
    }
}

/// Shows the id, and what is changed if anything may be. To be shown changes nothing.
impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Session");
        if let Some(state) = self.0.lock_if_kept() {
            let id = state.live().map(|cached| cached.record.id);
            return shown.field("id", &id).field("delta", &state.delta).finish();
        }
        let id = match self.0.plain() {
            Plain::Live(known) => Some(known.cached.record.id),
            Plain::Nobody | Plain::Not => None,
        };
        shown.field("id", &id).finish()
    }
}
