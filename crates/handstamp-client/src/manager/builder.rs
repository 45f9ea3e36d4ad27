//! Putting a manager together.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, watch};

use super::{Held, Inner, SessionManager};
use crate::backend::{Answer, AuthBackend, BackendError, Granted, RefreshCall};
use crate::clock::{Clock, SystemClock};
use crate::random;
use crate::session::Margins;
use crate::state::AuthState;
use crate::storage::{MemoryStorage, Protection, SealedFile, Storage};
use crate::token::Token;

/// How many events a slow listener may be behind before it misses some.
const EVENTS: usize = 256;

/// How a manager behaves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientConfig {
    /// When tokens count as over, and as due.
    pub margins: Margins,
    /// Whether each change is kept at once: yes by default. Without it,
    /// [`save_session`](SessionManager::save_session) keeps them; what a refresh, a sign-out or the
    /// end of a session changes is kept at once in any case, because it could not be made up for.
    pub auto_save: bool,
    /// How long to wait for another process that renews the tokens: 15 s by default.
    pub lock_patience: Duration,
    /// How long a server may take for any answer: 10 s by default.
    pub answer_within: Duration,
    /// How often a use of the session is written down: 60 s by default. In between it is in
    /// memory.
    pub note_use_every: Duration,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            margins: Margins::default(),
            auto_save: true,
            lock_patience: Duration::from_secs(15),
            answer_within: Duration::from_secs(10),
            note_use_every: Duration::from_secs(60),
        }
    }
}

/// Puts a [`SessionManager`] together: storage, server, clock, settings.
pub struct Builder {
    storage: Arc<dyn Storage>,
    backend: Arc<dyn AuthBackend>,
    clock: Arc<dyn Clock>,
    config: ClientConfig,
}

/// A server that is not there: sessions end with their access tokens.
struct Nobody;

impl AuthBackend for Nobody {
    fn refresh(&self, _: RefreshCall) -> Answer<'_, Granted> {
        Box::pin(std::future::ready(Err(BackendError::Unsupported)))
    }

    fn revoke(&self, _: Token) -> Answer<'_, ()> {
        Box::pin(std::future::ready(Err(BackendError::Unsupported)))
    }
}

impl Builder {
    /// Where the session is kept; in memory by default.
    #[must_use]
    pub fn storage(mut self, storage: impl Storage) -> Self {
        self.storage = Arc::new(storage);
        self
    }

    /// Who renews and revokes; by default nobody.
    #[must_use]
    pub fn backend(mut self, backend: impl AuthBackend) -> Self {
        self.backend = Arc::new(backend);
        self
    }

    /// Where the time comes from; the system by default.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// How it behaves.
    #[must_use]
    pub fn config(mut self, config: ClientConfig) -> Self {
        self.config = config;
        self
    }

    /// The manager. Nothing is read until it is asked for something.
    pub fn build(self) -> SessionManager {
        let jitter = random::bytes::<1>().map_or(0, |[chance]| u32::from(chance) * 100 / 255);
        SessionManager {
            inner: Arc::new(Inner {
                storage: self.storage,
                backend: self.backend,
                clock: self.clock,
                config: self.config,
                jitter,
                held: Held::default().into(),
                quick: super::quick::Quick::default(),
                turn: tokio::sync::Mutex::default(),
                flights: crate::refresh::Flights::default(),
                pace: std::sync::Mutex::default(),
                delivery: tokio::sync::Mutex::default(),
                state: watch::Sender::new(AuthState::Restoring),
                events: broadcast::Sender::new(EVENTS),
            }),
        }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("config", &self.config).finish_non_exhaustive()
    }
}

impl SessionManager {
    /// A session in this file, or in memory, that nobody renews; kept after each change, or when
    /// told to.
    ///
    /// With the feature `keyring` the file is sealed with a key from the operating system's keyring,
    /// the default store of `keyring-core`, which the program has to set: otherwise every call that
    /// needs the file fails with [`StorageError::NoStore`](crate::StorageError::NoStore). On a
    /// system without a keyring, and without the feature, the file is for its owner only and not
    /// sealed. For anything else, and for a server: [`builder`](Self::builder).
    pub fn new(path: Option<PathBuf>, auto_save: bool) -> Self {
        let builder = Self::builder().config(ClientConfig { auto_save, ..ClientConfig::default() });
        match path {
            Some(path) => builder.storage(SealedFile::new(path, by_default())).build(),
            None => builder.build(),
        }
    }

    /// To put one together.
    pub fn builder() -> Builder {
        Builder {
            storage: Arc::new(MemoryStorage::new()),
            backend: Arc::new(Nobody),
            clock: Arc::new(SystemClock::new()),
            config: ClientConfig::default(),
        }
    }
}

#[cfg(feature = "keyring")]
fn by_default() -> Protection {
    use crate::storage::{Keyring, Policy};

    Protection::Keyring(Keyring::new("handstamp", "session"), Policy::PreferSecure)
}

#[cfg(not(feature = "keyring"))]
const fn by_default() -> Protection {
    Protection::Plain
}
