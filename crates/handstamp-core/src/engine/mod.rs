//! What sessions and their manager share: the store behind its cache, the committer, the keys.

mod access;
mod acts;
mod aside;
mod begin;
mod bulk;
mod heads;
mod holders;
mod judge;
mod maintain;
mod pace;
mod refresh;
mod upgrade;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, Weak};

pub(crate) use begin::Begin;
pub use bulk::Bulk;
pub(crate) use judge::Judged;
pub use maintain::Cleaned;
pub use refresh::{RefreshCase, Refreshed};

use crate::cache::{Cache, Cached};
use crate::chain::Sealer;
use crate::coherence::{Coherence, Shared};
use crate::commit::{Committed, Committer, Job, Mutation, Parts};
use crate::config::SessionConfig;
use crate::delta::Sizes;
use crate::error::SessionError;
use crate::head::Head;
use crate::id::{SessionId, Subject};
use crate::key::KeyRing;
use crate::policy::{self, LastSeen, Standing};
use crate::random::Rng;
use crate::record::Record;
use crate::store::{Found, SessionStore};
use crate::time::{Clock, Timestamp};
use crate::touch::Touches;
use crate::watch::Watchers;

/// Everything that one manager and all its sessions share. From outside there is nothing to see.
pub struct Engine {
    pub(crate) config: SessionConfig,
    pub(crate) keys: KeyRing,
    pub(crate) store: Arc<dyn SessionStore>,
    pub(crate) cache: Arc<Cache>,
    pub(crate) coherence: Arc<Coherence>,
    pub(crate) committer: Committer,
    pub(crate) touches: Touches,
    pub(crate) watchers: Arc<Watchers>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Arc<dyn Rng>,
    /// Holds the sign-ins of one subject apart while they make room for each other.
    rooms: Mutex<HashMap<Subject, Weak<tokio::sync::Mutex<()>>>>,
    /// Sessions that were changed and dropped without a commit.
    pub(crate) dropped_dirty: AtomicU64,
    has_maintenance: bool,
    is_maintained: AtomicBool,
}

impl Engine {
    pub(crate) fn new(
        store: Arc<dyn SessionStore>,
        config: SessionConfig,
        keys: KeyRing,
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
        has_maintenance: bool,
    ) -> Arc<Self> {
        let is_alone = !store.capabilities().is_shared;
        let cache = Arc::new(Cache::new(config.cache_bytes(), keys.clone(), is_alone));
        let watchers = Arc::new(Watchers::default());
        let committer = Committer::new(Parts {
            store: Arc::clone(&store),
            cache: Arc::clone(&cache),
            watchers: Arc::clone(&watchers),
            clock: Arc::clone(&clock),
            rng: Arc::clone(&rng),
            sealer: Sealer::new(keys.clone()),
        });
        let coherence = Coherence::new(Shared {
            store: Arc::clone(&store),
            cache: Arc::clone(&cache),
            watchers: Arc::clone(&watchers),
            clock: Arc::clone(&clock),
            lease: config.lease(),
            read_every: config.read_log_every(),
            runs_by_itself: has_maintenance,
        });
        Arc::new(Self {
            config,
            keys,
            store,
            cache,
            coherence,
            committer,
            touches: Touches::default(),
            watchers,
            clock,
            rng,
            rooms: Mutex::default(),
            dropped_dirty: AtomicU64::new(0),
            has_maintenance,
            is_maintained: AtomicBool::new(false),
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) const fn sizes(&self) -> Sizes {
        Sizes { value: self.config.max_value_bytes(), session: self.config.max_session_bytes() }
    }

    pub(crate) fn standing(&self, cached: &Cached) -> Standing {
        self.standing_at(cached, self.now())
    }

    /// The standing at `now`: where several questions need one point in time, and the clock is
    /// read once.
    pub(crate) fn standing_at(&self, cached: &Cached, now: Timestamp) -> Standing {
        let (deployment, seen) = (self.cache.deployment(), cached.activity.last_seen());
        cached.with_head(|head| policy::standing(&cached.record, head, deployment, seen, now))
    }

    /// Whether a session is live at `now`: for the hot path, which needs no reason.
    pub(crate) fn is_live_at(&self, cached: &Cached, now: Timestamp) -> bool {
        let (deployment, seen) = (self.cache.deployment(), cached.activity.last_seen());
        policy::is_live(&cached.record, cached.is_allowed(), deployment, seen, now)
    }

    /// The standing of a record that was listed, with the head it was listed under.
    pub(crate) fn standing_of(&self, record: &Record, head: Option<&Head>) -> Standing {
        let seen = LastSeen { at: record.last_seen, is_exact: false };
        policy::standing(record, head, self.cache.deployment(), seen, self.now())
    }

    /// Commits a change of one session. It goes on if the caller does not.
    pub(crate) async fn change(
        &self,
        id: SessionId,
        mutation: Mutation,
    ) -> Result<Committed, SessionError> {
        self.committer.run(|reply| Job::Change { id, mutation, reply }).await
    }

    /// The latest of a session: from the cache where that is the truth, else from the store. Where
    /// others write to the store, the cache is never more than a good guess.
    ///
    /// A cache may only say yes: where it says that the head forbids the session, its record may
    /// be the one from before an end-all that spared it, and the head already the one from after.
    pub(crate) async fn fetch(&self, id: SessionId) -> Result<Option<Arc<Cached>>, SessionError> {
        let is_final = |cached: &Arc<Cached>| {
            let standing = self.standing(cached);
            !matches!(standing, Standing::Over { is_written: false, .. })
        };
        if self.coherence.is_shared() {
            return self.coherence.load(id).await;
        }
        if let Some(cached) = self.cache.get(&id).filter(is_final) {
            return Ok(Some(cached));
        }
        self.fill(id).await
    }

    /// Loads a session from the store, again if a commit overtook the load.
    async fn fill(&self, id: SessionId) -> Result<Option<Arc<Cached>>, SessionError> {
        loop {
            let fill = self.cache.begin_fill(id);
            let mut answer = self.store.load(&[id]).await?;
            let loaded = match answer.found.pop() {
                Some(Found::Record(loaded)) => loaded,
                Some(Found::Missing) | None => return Ok(None),
                Some(Found::Corrupt(why)) => {
                    tracing::error!(session = %id, %why, "a stored record cannot be read");
                    return Err(SessionError::Corrupt(why));
                }
            };
            let head = loaded.head.as_ref();
            let filled = self.cache.end_fill(&fill, loaded.record.clone(), head, answer.deployment);
            if let Some(cached) = filled {
                return Ok(Some(cached));
            }
        }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}
