//! Several processes on one store agree.
//!
//! The near cache is trusted only while a **lease** is fresh, and the lease is renewed only by
//! *completing a read* of the store's change log, counted from the start of that read: whatever was
//! acknowledged before it is known by then. A wake-up only makes the reader look earlier. When the
//! lease has lapsed, every check goes to the store, and a store out of reach is an error, never a
//! yes. For a store that belongs to this process the lease lasts for ever and nothing is read.
//!
//! The clock is the engine's. It must count suspend and never step, as
//! [`SystemClock`](crate::time::SystemClock) does.

mod follow;
mod lease;
mod loads;
mod log;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use self::lease::Lease;
use self::loads::Loads;
use self::log::Log;
use crate::cache::{Cache, Cached};
use crate::error::SessionError;
use crate::id::SessionId;
use crate::store::SessionStore;
use crate::time::{Clock, Timestamp};
use crate::watch::Watchers;

/// How this process keeps up with what others commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Following {
    /// How long ago the last complete read of the change log began; `None` before the first.
    pub age: Option<Duration>,
    /// Whether the near cache is trusted now.
    pub is_trusted: bool,
    /// How many reads were completed.
    pub reads: u64,
    /// How many reads failed.
    pub failures: u64,
    /// How often the log did not reach back, so that everything was forgotten.
    pub gaps: u64,
}

/// What keeps the cache of this process true to a store that others write to.
pub(crate) struct Coherence {
    store: Arc<dyn SessionStore>,
    cache: Arc<Cache>,
    watchers: Arc<Watchers>,
    clock: Arc<dyn Clock>,
    lease: Lease,
    length: Duration,
    read_every: Duration,
    log: Log,
    loads: Loads,
    runs_by_itself: bool,
    is_followed: AtomicBool,
}

/// What a [`Coherence`] is made of.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn SessionStore>,
    pub(crate) cache: Arc<Cache>,
    pub(crate) watchers: Arc<Watchers>,
    pub(crate) clock: Arc<dyn Clock>,
    /// How long the cache is trusted after a read began.
    pub(crate) lease: Duration,
    /// How often the log is read when nothing wakes the reader.
    pub(crate) read_every: Duration,
    /// Whether the log is followed in the background.
    pub(crate) runs_by_itself: bool,
}

impl Coherence {
    pub(crate) fn new(shared: Shared) -> Arc<Self> {
        let Shared { store, cache, watchers, clock, lease, read_every, runs_by_itself } = shared;
        let length = lease;
        let lease = if cache.is_alone() { Lease::forever() } else { Lease::lapsed(length) };
        Arc::new(Self {
            loads: Loads::new(Arc::clone(&store), Arc::clone(&cache)),
            store,
            cache,
            watchers,
            clock,
            lease,
            length,
            read_every,
            log: Log::default(),
            runs_by_itself,
            is_followed: AtomicBool::new(false),
        })
    }

    /// Whether other processes write to the store.
    pub(crate) fn is_shared(&self) -> bool {
        !self.cache.is_alone()
    }

    /// How long what the cache holds may be trusted without a word from the store; `None` for ever.
    pub(crate) fn lease(&self) -> Option<Duration> {
        self.lease.length()
    }

    /// What the cache holds of a session, if it may be trusted now, and when that was.
    #[inline]
    pub(crate) fn trusted(&self, id: &SessionId) -> Option<(Arc<Cached>, Timestamp)> {
        let until = self.lease.until();
        let (cached, now) = (self.cache.get(id)?, self.clock.now());
        self.lease.is_good(until, now).then_some((cached, now))
    }

    /// A session as the store has it now. Many who ask at once share a few calls.
    pub(crate) async fn load(
        self: &Arc<Self>,
        id: SessionId,
    ) -> Result<Option<Arc<Cached>>, SessionError> {
        self.ensure_followed();
        self.loads.load(id).await
    }

    /// How this process keeps up; `None` where it is alone on its store.
    pub(crate) fn following(&self) -> Option<Following> {
        if self.cache.is_alone() {
            return None;
        }
        let now = self.clock.now();
        let until = self.lease.until();
        let began = self.log.began();
        Some(Following {
            age: began.map(|began| now.since(began)),
            is_trusted: self.lease.is_good(until, now),
            reads: self.log.reads(),
            failures: self.log.failures(),
            gaps: self.log.gaps(),
        })
    }
}
