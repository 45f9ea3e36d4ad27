//! Two nodes on one store, each with a manager of its own behind a gate of its own.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::config::SessionConfig;
use crate::conformance::Fixture;
use crate::conformance::engine::{START, Store, cookie_of};
use crate::error::SessionError;
use crate::key::KeyRing;
use crate::manager::SessionManager;
use crate::record::{EndReason, Transport};
use crate::session::Session;
use crate::sign_in::SignIn;
use crate::testing::{GateStore, ManualClock};

/// One process.
pub struct Node {
    /// The gate before its store.
    pub gate: GateStore<Store>,
    /// Its manager; nothing runs in the background.
    pub sessions: SessionManager,
}

/// Starts as many tasks as there are, and comes back when each has been run for a while.
pub(super) async fn all_at_once<T: Send + 'static>(
    tasks: impl Iterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<tokio::task::JoinHandle<T>> {
    let begun = Arc::new(AtomicUsize::new(0));
    let tasks = tasks.map(|task| {
        let begun = Arc::clone(&begun);
        tokio::spawn(async move {
            begun.fetch_add(1, Ordering::SeqCst);
            task.await
        })
    });
    let tasks: Vec<_> = tasks.collect();
    while begun.load(Ordering::SeqCst) < tasks.len() {
        tokio::task::yield_now().await;
    }
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    tasks
}

/// Two processes on one store, with one clock set by hand and one key ring.
pub struct Nodes {
    // Keeps what the store lives in.
    _fixture: Box<dyn Fixture>,
    /// The time.
    pub clock: Arc<ManualClock>,
    /// The key ring.
    pub keys: KeyRing,
    /// The settings.
    pub config: SessionConfig,
    /// One.
    pub a: Node,
    /// The other.
    pub b: Node,
}

impl Nodes {
    /// Two nodes over a fresh store.
    pub async fn new(fixture: impl Fixture + 'static) -> Self {
        let store = fixture.open().await;
        assert!(store.capabilities().is_shared, "the store is shared");
        let other = fixture.another(&store).await.expect("a shared store can be opened again");
        let (clock, keys) = (ManualClock::at(START), KeyRing::generate().unwrap());
        // The limits in time are long, so that only the lease matters.
        let config = SessionConfig::default().edit().cache_bytes(4 << 20).build().unwrap();
        let (a, b) = (GateStore::new(store), GateStore::new(other));
        let a = Node::new(a, &clock, &keys, &config);
        let b = Node::new(b, &clock, &keys, &config);
        Self { _fixture: Box::new(fixture), clock, keys, config, a, b }
    }

    /// The same nodes with other settings.
    #[must_use]
    pub fn configured(mut self, config: SessionConfig) -> Self {
        let Self { clock, keys, a, b, .. } = &self;
        let a = Node::new(a.gate.clone(), clock, keys, &config);
        let b = Node::new(b.gate.clone(), clock, keys, &config);
        (self.a, self.b, self.config) = (a, b, config);
        self
    }

    /// How long a lease is.
    pub fn lease(&self) -> Duration {
        self.config.lease()
    }

    /// Both have read the change log to its end.
    pub async fn catch_up(&self) {
        self.a.catch_up().await;
        self.b.catch_up().await;
    }
}

impl Node {
    fn new(
        gate: GateStore<Store>,
        clock: &Arc<ManualClock>,
        keys: &KeyRing,
        config: &SessionConfig,
    ) -> Self {
        let builder = SessionManager::builder(gate.clone(), config.clone(), keys.clone());
        let sessions = builder.clock(Arc::clone(clock)).maintenance(false).build();
        Self { gate, sessions }
    }

    /// Reads the change log to its end.
    pub async fn catch_up(&self) {
        self.sessions.catch_up().await.unwrap();
    }

    /// Signs `who` in; answers the value of their cookie.
    pub async fn cookie(&self, who: &str) -> String {
        cookie_of(&self.sessions.begin(who).await.unwrap())
    }

    /// Signs `who` in; answers the refresh token.
    pub async fn refresh_token(&self, who: &str) -> String {
        let sign_in = SignIn::new(who).unwrap().transport(Transport::Token);
        cookie_of(&self.sessions.begin(sign_in).await.unwrap())
    }

    /// The session of a cookie that is good.
    pub async fn load(&self, cookie: &str) -> Session {
        self.sessions.load(cookie).await.unwrap()
    }

    /// Whether a cookie is good, and how many calls it cost to say so.
    pub async fn costs(&self, cookie: &str) -> u64 {
        let before = self.gate.counts().total();
        self.load(cookie).await;
        self.gate.counts().total() - before
    }

    /// Holds a session in the cache, so that the next check costs nothing.
    pub async fn warm(&self, cookie: &str) {
        self.catch_up().await;
        self.load(cookie).await;
        assert_eq!(self.costs(cookie).await, 0, "a session in use costs no call");
    }

    /// Signs the holder of a cookie out.
    pub async fn sign_out(&self, cookie: &str) {
        self.load(cookie).await.logout().await.unwrap();
    }

    /// Why a cookie is refused.
    pub async fn refusal(&self, cookie: &str) -> Option<SessionError> {
        self.sessions.load(cookie).await.err()
    }

    /// Asserts that a cookie is refused because its session was ended so.
    pub async fn assert_ended(&self, cookie: &str, reason: EndReason) {
        let refused = self.refusal(cookie).await;
        let is_so =
            matches!(&refused, Some(SessionError::Ended { reason: it, .. }) if *it == reason);
        assert!(is_so, "{refused:?}");
    }
}
