//! The session manager: what an application holds, and what operators act through.

mod access;
mod audit;
mod bulk;
mod clock;
mod erase;
mod export;
mod holders;
mod listing;
mod operate;
mod verify;

use std::sync::Arc;

pub use audit::SignInFailure;
pub use clock::ClockOffset;
pub use erase::{Erased, Retained, Retention};
pub use export::Exported;
pub use holders::Why;
pub use listing::{Listed, ListedPage};
pub use verify::LogCheck;

pub use crate::cache::CacheLooks;
use crate::cache::Cached;
use crate::coherence::Following;
use crate::config::SessionConfig;
use crate::engine::{Begin, Cleaned, Engine, Refreshed};
use crate::error::SessionError;
use crate::id::SessionId;
use crate::key::KeyRing;
use crate::random::{Rng, SystemRng};
use crate::record::{Client, Record, Transport};
use crate::roles::Roles;
use crate::session::{CookieValue, Opened, Outside, Presented, Session};
use crate::sign_in::IntoSignIn;
use crate::store::{Cursor, SessionStore};
use crate::time::{Clock, Timestamp};
use crate::token::{AttemptId, Token};

/// Begins, finds, lists and ends sessions. Clones share everything.
///
/// ```
/// use handstamp_core::{SessionManager, config::SessionConfig, key::KeyRing, store::MemoryStore};
/// let keys = KeyRing::generate()?;
/// let sessions = SessionManager::new(MemoryStore::new(), SessionConfig::default(), keys);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct SessionManager {
    engine: Arc<Engine>,
}

/// Makes a manager with a clock or randomness of one's own.
#[derive(Clone)]
#[must_use = "a builder does nothing until it is built"]
pub struct SessionManagerBuilder {
    store: Arc<dyn SessionStore>,
    config: SessionConfig,
    keys: KeyRing,
    clock: Option<Arc<dyn Clock>>,
    rng: Arc<dyn Rng>,
    has_maintenance: bool,
}

/// A session that has begun, with the token that its holder keeps.
#[derive(Clone, Debug)]
pub struct Begun {
    /// The token: the value of a cookie, or a refresh token.
    pub token: Token,
    /// The record as it was committed.
    pub record: Arc<Record>,
    /// The roles that the session has now: those it was granted, narrowed by the subject's head.
    pub roles: Roles,
}

impl SessionManagerBuilder {
    /// Tells the time from `clock` instead of the store's ([`SessionStore::clock`]), or, where it has
    /// none, the system's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Takes random bytes from `rng` instead of the system.
    ///
    /// # Security
    /// Anything but a cryptographic source makes every token guessable.
    pub fn rng(mut self, rng: impl Rng) -> Self {
        self.rng = Arc::new(rng);
        self
    }

    /// Whether activity is flushed, cleanup runs, and other processes on the same store are followed
    /// by themselves (default yes). Without it, call [`SessionManager::cleanup`] and
    /// [`SessionManager::catch_up`] by a schedule of your own.
    pub const fn maintenance(mut self, has_maintenance: bool) -> Self {
        self.has_maintenance = has_maintenance;
        self
    }

    /// The manager.
    pub fn build(self) -> SessionManager {
        let Self { store, config, keys, clock, rng, has_maintenance } = self;
        let of_store = || Arc::new(store.clock().unwrap_or_default()) as _;
        let clock = clock.unwrap_or_else(of_store);
        SessionManager { engine: Engine::new(store, config, keys, clock, rng, has_maintenance) }
    }
}

impl SessionManager {
    /// A manager of the sessions in `store`. Background work starts with the first use.
    pub fn new(store: impl SessionStore, config: SessionConfig, keys: KeyRing) -> Self {
        Self::builder(store, config, keys).build()
    }

    /// Starts to make a manager.
    pub fn builder(
        store: impl SessionStore,
        config: SessionConfig,
        keys: KeyRing,
    ) -> SessionManagerBuilder {
        SessionManagerBuilder {
            store: Arc::new(store),
            config,
            keys,
            clock: None,
            rng: Arc::new(SystemRng),
            has_maintenance: true,
        }
    }

    /// The settings.
    pub fn config(&self) -> &SessionConfig {
        &self.engine.config
    }

    /// The key ring.
    pub fn keys(&self) -> &KeyRing {
        &self.engine.keys
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn SessionStore> {
        &self.engine.store
    }

    /// The present, by this manager's clock.
    pub fn now(&self) -> Timestamp {
        self.engine.now()
    }

    /// A session for a visitor who presents nothing. No row is stored before something else is.
    pub fn start(&self) -> Session {
        self.open(Presented {
            cookie: CookieValue::None,
            pre_session: None,
            client: Client::default(),
        })
    }

    /// The session of a request that presents this, not judged yet:
    /// [`resolve`](Session::resolve) it before anything else.
    pub fn open(&self, presented: Presented<'_>) -> Session {
        let Presented { cookie, pre_session, client } = presented;
        let client = Outside { engine: Arc::clone(&self.engine), client };
        Opened::new(Presented { cookie, pre_session, client }).session()
    }

    /// What this manager shares with its sessions: for middleware that opens them with
    /// [`Opened::new`].
    pub const fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The live session of a cookie's value.
    ///
    /// # Errors
    /// [`SessionError::Invalid`] for what is no good token, [`SessionError::NotFound`],
    /// [`SessionError::Expired`], [`SessionError::Ended`], [`SessionError::Suspended`];
    /// [`SessionError::Unavailable`] when the store is out of reach.
    pub async fn load(&self, token: &str) -> Result<Session, SessionError> {
        let session = self.open(Presented {
            cookie: CookieValue::One(token.as_bytes()),
            pre_session: None,
            client: Client::default(),
        });
        session.resolve().await?;
        match session.refusal() {
            Some(refused) => Err(refused.into()),
            None => Ok(session),
        }
    }

    /// Commits what was changed in `session`: the same as [`Session::commit`].
    ///
    /// # Errors
    /// As [`Session::commit`]. A session that has ended is never brought back.
    pub async fn save(&self, session: &Session) -> Result<(), SessionError> {
        session.commit().await
    }

    /// Begins a session for somebody who has proved who they are, outside any request.
    ///
    /// # Errors
    /// As [`Session::login`]; for a [`SignIn::upgrade_from`](crate::sign_in::SignIn::upgrade_from) also [`SessionError::Invalid`],
    /// [`SessionError::NotFound`], [`SessionError::Ended`], [`SessionError::Expired`] or
    /// [`SessionError::Suspended`] by what its token is.
    pub async fn begin(&self, sign_in: impl IntoSignIn) -> Result<Begun, SessionError> {
        self.engine.ensure_maintenance();
        let sign_in = sign_in.into_sign_in()?;
        let client = sign_in.client.clone().unwrap_or_default();
        let begin = Begin { sign_in: Some(sign_in), client, old: None, delta: Arc::default() };
        let engine = Arc::clone(&self.engine);
        let begun = tokio::spawn(async move { engine.begin(begin).await });
        let cached = begun.await.unwrap_or_else(|lost| Err(SessionError::Unknown(lost.into())))?;
        Begun::of(&cached)
    }

    /// As [`refresh`](Self::refresh), and notes when the user was last active, as their client saw
    /// it: moved into what can be, between the last activity known and now. Without it a refresh is
    /// no activity. The idle limit is judged with it, if the session was live then by what is known
    /// and no cleanup has ended it yet.
    ///
    /// # Errors
    /// As [`refresh`](Self::refresh).
    pub async fn refresh_active(
        &self,
        token: &str,
        attempt: Option<&AttemptId>,
        last_active_at: Option<Timestamp>,
    ) -> Result<Refreshed, SessionError> {
        self.engine.ensure_maintenance();
        self.engine.refresh(token, attempt, last_active_at).await
    }

    /// Exchanges a refresh token for its successor. The same token presented by many at once
    /// gives all of them the same successor; see [`crate::verdict`] for every case.
    ///
    /// # Errors
    /// [`SessionError::Invalid`] for what is no good token or lost a race that ends nothing,
    /// [`SessionError::Ended`] with `reuse` when a superseded token came back,
    /// [`SessionError::Expired`], [`SessionError::Suspended`], [`SessionError::NotFound`];
    /// [`SessionError::Unavailable`] and [`SessionError::Unknown`] are safe to retry with the same
    /// attempt id.
    ///
    /// # Security
    /// RFC 9700 §4.14.2; the grace of 30 seconds deviates from ASVS 10.4.5 and can be set to zero.
    pub async fn refresh(
        &self,
        token: &str,
        attempt: Option<&AttemptId>,
    ) -> Result<Refreshed, SessionError> {
        self.engine.ensure_maintenance();
        self.engine.refresh(token, attempt, None).await
    }

    /// Ends what is due, with events, and purges old tombstones. Runs by itself as configured.
    ///
    /// While requests commit changes it makes way for them: it goes in small steps and rests after
    /// each, so a million sessions may take the better part of an hour. After an hour it makes way no
    /// more. Needs a runtime whose timers are enabled.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when the store is out of reach; what was done stands.
    pub async fn cleanup(&self) -> Result<Cleaned, SessionError> {
        self.engine.cleanup().await
    }

    /// Writes what is noted or under way, before the program ends. Nothing acknowledged is lost
    /// without it; idle times are more exact with it.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when the store is out of reach.
    pub async fn shutdown(&self) -> Result<(), SessionError> {
        self.engine.committer.drained().await;
        self.engine.flush_touches().await
    }

    /// Wakes whenever this process has committed something, before whoever asked for it hears of
    /// it, and when it hears of a commit of another process. The number only counts; what was
    /// committed is in the store.
    pub fn commits(&self) -> tokio::sync::watch::Receiver<u64> {
        self.engine.watchers.commits()
    }

    /// The end of the store's change log: a state in which everything that has been acknowledged
    /// is known.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when the store is out of reach.
    pub async fn cursor(&self) -> Result<Cursor, SessionError> {
        Ok(self.engine.store.cursor().await?)
    }

    /// Takes in what all processes on the store had committed when this was called: sessions are
    /// judged by that state or a later one from then on, for as long as the lease lasts. Runs by
    /// itself as configured; where this process is alone on its store there is nothing to do.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when the store is out of reach.
    pub async fn catch_up(&self) -> Result<(), SessionError> {
        self.engine.coherence.ensure_followed();
        self.engine.coherence.catch_up().await
    }

    /// How this process keeps up with others on the same store; `None` where it is alone.
    pub fn following(&self) -> Option<Following> {
        self.engine.coherence.following()
    }

    /// How many sessions the near cache holds, and how many bytes they take by reckoning.
    pub fn cache_usage(&self) -> (usize, u64) {
        self.engine.cache.usage()
    }

    /// How often the near cache had what was looked for.
    pub fn cache_looks(&self) -> CacheLooks {
        self.engine.cache.looks()
    }

    /// How many sessions were changed, mostly after their response, and dropped without a commit.
    pub fn dropped_dirty(&self) -> u64 {
        self.engine.dropped_dirty.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// What is stored under `id`, live or not; `None` if nothing is.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when the store is out of reach, [`SessionError::Corrupt`]
    /// when the record cannot be read.
    pub async fn record(&self, id: SessionId) -> Result<Option<Arc<Record>>, SessionError> {
        let found = self.engine.fetch(id).await?;
        Ok(found.map(|cached| Arc::clone(&cached.record)))
    }
}

impl From<Refreshed> for Begun {
    fn from(refreshed: Refreshed) -> Self {
        let Refreshed { token, record, roles, .. } = refreshed;
        Self { token, record, roles }
    }
}

impl Begun {
    /// The session of `cached`, with its token and roles.
    pub(crate) fn of(cached: &Cached) -> Result<Self, SessionError> {
        let token = cached.token().ok_or(SessionError::Invalid)?;
        Ok(Self { token, record: Arc::clone(&cached.record), roles: cached.roles() })
    }

    /// How the holder presents the token.
    pub fn transport(&self) -> Transport {
        self.record.transport
    }
}
