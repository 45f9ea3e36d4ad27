//! What an application holds: the session of one account, from restore to sign-out.

mod access;
mod builder;
mod change;
mod monitor;
mod outbox;
mod quick;
mod remote;
mod sign_in;
mod sign_out;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use handstamp_protocol::Time;
use handstamp_protocol::sessions::Reason;
use tokio::sync::{broadcast, watch};

pub use builder::{Builder, ClientConfig};
pub(crate) use change::Save;
pub use monitor::Monitoring;
pub use sign_out::SignedOut;

use quick::Quick;

use crate::backend::AuthBackend;
use crate::clock::Clock;
use crate::refresh::{Flights, Pace};
use crate::session::Session;
use crate::state::{AuthEvent, AuthState};
use crate::storage::{Revocation, Storage, Version};

/// One account's session. Clones are the same one.
///
/// Everything asynchronous first reads what is kept, if that was not done yet. Whatever is signed
/// in, renewed or signed out by another process over the same storage is seen at the latest at the
/// next change or refresh.
///
/// Needs a runtime of tokio that has its timers and its I/O (`enable_all`).
#[derive(Clone)]
pub struct SessionManager {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) backend: Arc<dyn AuthBackend>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: ClientConfig,
    /// How much earlier than others this process renews: 0 to 100 thousandths of the margin.
    jitter: u32,
    held: RwLock<Held>,
    /// Written while `held` is.
    quick: Quick,
    /// One change at a time.
    turn: tokio::sync::Mutex<()>,
    pub(crate) flights: Flights,
    pace: Mutex<Pace>,
    /// One delivery of the outbox at a time.
    delivery: tokio::sync::Mutex<()>,
    state: watch::Sender<AuthState>,
    events: broadcast::Sender<AuthEvent>,
}

/// What is in memory. Locked for moments, never across an await.
#[derive(Clone, Default)]
struct Held {
    session: Option<Arc<Session>>,
    outbox: Vec<Revocation>,
    /// Of which write it is.
    version: Option<Version>,
    /// Whether there is something that is not kept.
    is_dirty: bool,
    /// Whether what was kept of it was damaged, and it was not kept again since.
    is_lost: bool,
    /// Whether its tokens are from a time that is yet to come: the clock was put back since, and
    /// whether they are good only the server can tell.
    is_doubted: bool,
    is_offline: bool,
    phase: Phase,
}

#[derive(Clone, PartialEq, Eq, Default, Debug)]
enum Phase {
    /// Nothing was read yet.
    #[default]
    Restoring,
    /// What was kept cannot be read.
    Locked,
    /// What was kept was damaged and lies here. Nobody has signed in or out since.
    Damaged(PathBuf),
    /// What is in memory counts.
    Settled,
    /// The session ended by the server's word.
    Expired(Option<Reason>),
}

impl Phase {
    /// Whether what is kept was read.
    const fn is_settled(&self) -> bool {
        matches!(self, Self::Settled | Self::Expired(_))
    }
}

impl Inner {
    fn held(&self) -> RwLockReadGuard<'_, Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn held_mut(&self) -> RwLockWriteGuard<'_, Held> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session in memory.
    pub(crate) fn session(&self) -> Option<Arc<Session>> {
        self.held().session.clone()
    }

    /// Whether the time of the tokens in memory is not to be believed.
    fn is_doubted(&self) -> bool {
        self.held().is_doubted
    }

    /// Whether what is in memory is kept.
    pub(crate) fn is_kept(&self) -> bool {
        !self.held().is_dirty
    }

    /// Why the last session ended, if the server said.
    pub(crate) fn reason(&self) -> Option<Reason> {
        match &self.held().phase {
            Phase::Expired(reason) => reason.clone(),
            _ => None,
        }
    }

    /// The present, by the clock of the server of this session.
    pub(crate) fn now(&self, session: &Session) -> Time {
        session.server_time(self.clock.now())
    }

    /// The state, to be followed.
    #[cfg(feature = "websocket")]
    pub(crate) fn states(&self) -> watch::Receiver<AuthState> {
        self.state.subscribe()
    }

    pub(crate) fn set_offline(&self, is_offline: bool) {
        self.held_mut().is_offline = is_offline;
        self.publish();
    }

    pub(crate) fn tell(&self, event: AuthEvent) {
        // Nobody may be listening.
        let _ = self.events.send(event);
    }

    /// Shows the present state to whoever watches. Watchers run in their own tasks.
    pub(crate) fn publish(&self) {
        self.show_if(|shown, state| !is_same(shown, state));
    }

    /// The same after a use of the session, which wakes nobody: whoever looks sees it.
    fn show(&self) {
        let kind = std::mem::discriminant::<AuthState>;
        self.show_if(|shown, state| kind(shown) != kind(state));
    }

    fn show_if(&self, is_changed: impl Fn(&AuthState, &AuthState) -> bool) {
        let is_refreshing = self.flights.is_under_way();
        self.state.send_if_modified(|shown| {
            let state = self.state_of(&self.held(), is_refreshing);
            let is_changed = is_changed(shown, &state);
            *shown = state;
            is_changed
        });
    }

    fn state_of(&self, held: &Held, is_refreshing: bool) -> AuthState {
        let Some(session) = &held.session else {
            return match &held.phase {
                Phase::Restoring => AuthState::Restoring,
                Phase::Locked => AuthState::Locked,
                Phase::Damaged(path) => AuthState::Damaged { set_aside: path.clone() },
                Phase::Settled => AuthState::SignedOut,
                Phase::Expired(reason) => AuthState::Expired { reason: reason.clone() },
            };
        };
        let session = Arc::clone(session);
        let is_expired = session.tokens.is_expired(self.now(&session), &self.config.margins);
        match session.is_guest {
            _ if held.is_offline && is_expired => AuthState::Offline(session),
            _ if is_refreshing => AuthState::Refreshing(session),
            true => AuthState::Guest(session),
            false => AuthState::Active(session),
        }
    }
}

fn is_same(one: &AuthState, other: &AuthState) -> bool {
    let is_kind = std::mem::discriminant(one) == std::mem::discriminant(other);
    let is_session = match (one.session(), other.session()) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (one, other) => one.is_none() && other.is_none(),
    };
    is_kind && is_session
}

impl fmt::Debug for SessionManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.inner.state.borrow();
        f.debug_struct("SessionManager").field("state", &*state).finish_non_exhaustive()
    }
}
