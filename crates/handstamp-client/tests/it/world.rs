//! A manager with a server, a clock and a storage of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use handstamp_client::storage::{
    Loaded, Lock, MemoryStorage, Replaced, StorageError, Stored, Version,
};
use handstamp_client::testing::{ManualClock, TestServer};
use handstamp_client::{AuthEvent, AuthState, SessionManager, Storage};
use tokio::sync::broadcast;

/// How long an access token of these tests lives.
pub(crate) const LIFE: Duration = Duration::from_secs(1800);

pub(crate) struct World {
    pub(crate) server: TestServer,
    pub(crate) clock: ManualClock,
    pub(crate) storage: MemoryStorage,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            server: TestServer::new(LIFE),
            clock: ManualClock::new(),
            storage: MemoryStorage::new(),
        }
    }

    /// A manager over this world's storage: another one is another process.
    pub(crate) fn manager(&self) -> SessionManager {
        self.manager_over(self.storage.clone())
    }

    pub(crate) fn manager_over(&self, storage: impl Storage) -> SessionManager {
        SessionManager::builder()
            .storage(storage)
            .backend(self.server.clone())
            .clock(self.clock.clone())
            .build()
    }

    /// A manager that is signed in.
    pub(crate) async fn signed_in(&self) -> SessionManager {
        let manager = self.manager();
        sign_in(&manager, &self.server).await;
        manager
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Until the access token is past its time.
    pub(crate) fn let_it_expire(&self) {
        self.clock.advance(LIFE);
    }
}

pub(crate) async fn sign_in(manager: &SessionManager, server: &TestServer) {
    manager.create_session_from_login_result(server.sign_in(), None).await.unwrap();
}

pub(crate) async fn token(manager: &SessionManager) -> String {
    manager.token().await.unwrap().expose().to_owned()
}

/// The name of a state, without what is in it.
pub(crate) fn name(state: &AuthState) -> &'static str {
    match state {
        AuthState::Restoring => "restoring",
        AuthState::SignedOut => "signed out",
        AuthState::Guest(_) => "guest",
        AuthState::Active(_) => "active",
        AuthState::Refreshing(_) => "refreshing",
        AuthState::Offline(_) => "offline",
        AuthState::Locked => "locked",
        AuthState::Damaged { .. } => "damaged",
        AuthState::Expired { .. } => "expired",
        _ => "another",
    }
}

/// Lets everything run that can run without time passing.
pub(crate) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// Everything that was told so far, in words.
pub(crate) fn told(events: &mut broadcast::Receiver<AuthEvent>) -> Vec<String> {
    std::iter::from_fn(|| events.try_recv().ok())
        .map(|event| {
            let text = format!("{event:?}");
            text.split([' ', '{', '(']).next().unwrap_or_default().to_owned()
        })
        .collect()
}

/// A storage that fails to write from the so-manieth time on.
#[derive(Clone)]
pub(crate) struct Full(pub(crate) MemoryStorage, pub(crate) Arc<AtomicUsize>);

impl Storage for Full {
    fn load(&self) -> Result<Loaded, StorageError> {
        self.0.load()
    }

    fn replace(&self, old: Option<&Version>, new: &Stored) -> Result<Replaced, StorageError> {
        let left = self.1.load(Ordering::SeqCst);
        if left == 0 {
            return Err(StorageError::Io(std::io::ErrorKind::StorageFull.into()));
        }
        self.1.store(left - 1, Ordering::SeqCst);
        self.0.replace(old, new)
    }

    fn clear(&self) -> Result<(), StorageError> {
        self.0.clear()
    }

    fn try_lock(&self) -> Result<Lock, StorageError> {
        self.0.try_lock()
    }

    fn is_blocking(&self) -> bool {
        false
    }
}
