//! What goes on in the background: noted activity is flushed, what is due ends, old tombstones
//! are purged.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Interval;

use super::Engine;
use super::pace::{Pace, STEP};
use crate::commit::{Mutation, Step};
use crate::error::SessionError;
use crate::id::SessionId;
use crate::policy::{LastSeen, Standing, touch_slack};
use crate::store::Found;
use crate::time::Timestamp;

/// How often noted activity is written: 2 seconds. Part of the slack that
/// [`touch_slack`](crate::policy::touch_slack) states.
const FLUSH_EVERY: Duration = Duration::from_secs(2);

/// How many sessions one cleanup looks past that can be neither ended nor left alone.
const MOST_STUCK: usize = 10_000;

/// What a cleanup did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cleaned {
    /// Sessions that were due and ended.
    pub ended: usize,
    /// Tombstones that were old and went.
    pub purged: usize,
}

impl Cleaned {
    /// Both together.
    pub const fn total(self) -> usize {
        self.ended + self.purged
    }
}

impl Engine {
    /// Starts the background work at the first use within a runtime, and again if a panic or the
    /// end of that runtime stopped it. It stops for good when the engine is dropped.
    pub(crate) fn ensure_maintenance(self: &Arc<Self>) {
        self.coherence.ensure_followed();
        if !self.has_maintenance || self.is_maintained.load(Ordering::Acquire) {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if !self.is_maintained.swap(true, Ordering::AcqRel) {
            let at_work = AtWork(Arc::downgrade(self));
            runtime.spawn(maintain(at_work, self.config.cleanup_every()));
        }
    }

    /// Ends what is due, with events, then purges old tombstones.
    pub(crate) async fn cleanup(self: &Arc<Self>) -> Result<Cleaned, SessionError> {
        Ok(Cleaned { ended: self.end_due().await?, purged: self.purge().await? })
    }

    async fn end_due(self: &Arc<Self>) -> Result<usize, SessionError> {
        let longest = [self.config.idle(), self.config.remember_idle()];
        let slack = longest.into_iter().flatten().map(touch_slack).max().unwrap_or_default();
        // What is due within the slack may have been used on a node that has not told yet.
        let before = self.now().minus(slack);
        let (mut ended, mut stuck) = (0, HashSet::<SessionId>::new());
        let mut pace = Pace::of(&self.committer);
        loop {
            self.flush_touches().await?;
            let due = self.store.due(before, STEP + stuck.len()).await?;
            let new: Vec<SessionId> = due.into_iter().filter(|id| !stuck.contains(id)).collect();
            let is_last = new.len() < STEP || stuck.len() > MOST_STUCK;
            let mut left = new.as_slice();
            while !left.is_empty() {
                let (step, later) = left.split_at(pace.size().min(left.len()));
                let bury = self.bury_these(step.iter().copied());
                let count = pace.step(step.len(), bury).await as usize;
                ended += count;
                if count < step.len() {
                    // Live by what this process knows, or not to be read: looked past, not at again.
                    stuck.extend(step);
                }
                left = later;
            }
            if is_last {
                return Ok(ended);
            }
        }
    }

    /// Writes noted activity to the store.
    pub(crate) async fn flush_touches(&self) -> Result<(), SessionError> {
        let doubtful = self.touches.flush(&self.store).await?;
        for batch in doubtful.chunks(STEP) {
            self.retouch(batch).await?;
        }
        Ok(())
    }

    /// Writes activity that the store would not take as a touch, because the session was due by
    /// what it knew: after an outage that was longer than the idle lifetime. What this process saw
    /// counts.
    async fn retouch(&self, touches: &[(SessionId, Timestamp)]) -> Result<(), SessionError> {
        let ids: Vec<SessionId> = touches.iter().map(|(id, _)| *id).collect();
        let found = self.store.load(&ids).await?.found;
        let behind = found.iter().zip(touches).filter(|(found, (_, at))| {
            matches!(found, Found::Record(it) if !it.record.is_tombstone() && it.record.last_seen < *at)
        });
        for (_, (id, at)) in behind {
            self.change(*id, seen_at(*at))
                .await
                .map(drop)
                .or_else(|error| if error.is_fault() { Err(error) } else { Ok(()) })?;
        }
        Ok(())
    }

    async fn purge(&self) -> Result<usize, SessionError> {
        let before = self.now().minus(self.config.keep_tombstones());
        let (mut purged, mut pace) = (0, Pace::of(&self.committer));
        loop {
            let size = pace.size();
            let count = pace.step(0, self.store.purge(before, size)).await?;
            purged += count;
            if count < size {
                return Ok(purged);
            }
        }
    }
}

/// Moves a session's last activity, if it was live then.
fn seen_at(at: Timestamp) -> Mutation {
    Box::new(move |draft| {
        draft.seen = LastSeen { at: draft.seen.at.max(at), is_exact: true };
        draft.record.last_seen = draft.record.last_seen.max(at);
        match draft.standing() {
            Standing::Live | Standing::Suspended => Ok(Step::Changed),
            Standing::Over { .. } => Ok(Step::Unchanged),
        }
    })
}

/// Held by the background work for as long as it runs.
struct AtWork(Weak<Engine>);

impl Drop for AtWork {
    fn drop(&mut self) {
        if let Some(engine) = self.0.upgrade() {
            engine.is_maintained.store(false, Ordering::Release);
        }
    }
}

async fn maintain(at_work: AtWork, cleanup_every: Duration) {
    let mut flush = tokio::time::interval(FLUSH_EVERY);
    flush.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut since_cleanup = Duration::ZERO;
    loop {
        flush.tick().await;
        let Some(engine) = at_work.0.upgrade() else { return };
        since_cleanup += FLUSH_EVERY;
        let done = if since_cleanup >= cleanup_every {
            since_cleanup = Duration::ZERO;
            clean_up(&engine, &mut flush).await
        } else {
            engine.flush_touches().await
        };
        if let Err(error) = done {
            tracing::warn!(%error, "background work failed and will be tried again");
        }
    }
}

/// A cleanup may take long: meanwhile activity is flushed, and when nobody else holds the engine
/// any more, it stops.
async fn clean_up(engine: &Arc<Engine>, flush: &mut Interval) -> Result<(), SessionError> {
    let mut cleanup = pin!(engine.cleanup());
    loop {
        tokio::select! {
            cleaned = &mut cleanup => {
                let Cleaned { ended, purged } = cleaned?;
                tracing::debug!(ended, purged, "cleaned up");
                return Ok(());
            }
            _ = flush.tick() => {
                engine.flush_touches().await?;
                if Arc::strong_count(engine) == 1 {
                    return Ok(());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Cached;
    use crate::config::SessionConfig;
    use crate::engine::Begin;
    use crate::key::KeyRing;
    use crate::random::SystemRng;
    use crate::record::Client;
    use crate::sign_in::SignIn;
    use crate::store::MemoryStore;
    use crate::testing::{Call, GateStore, When};
    use crate::time::SystemClock;

    fn engine(store: GateStore<MemoryStore>) -> Arc<Engine> {
        let (config, keys) = (SessionConfig::default(), KeyRing::generate().unwrap());
        let (clock, rng) = (Arc::new(SystemClock::new()), Arc::new(SystemRng));
        Engine::new(Arc::new(store), config, keys, clock, rng, true)
    }

    async fn begin(engine: &Arc<Engine>) -> Arc<Cached> {
        let sign_in = Some(SignIn::new("ada").unwrap());
        let client = Client::default();
        engine.begin(Begin { sign_in, client, old: None, delta: Arc::default() }).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn activity_is_flushed_while_a_cleanup_takes_long() {
        let gate = GateStore::new(MemoryStore::new());
        let held = gate.hold(Call::Due, When::Before);
        let engine = engine(gate.clone());
        let session = begin(&engine).await;
        engine.ensure_maintenance();
        held.arrived().await;
        engine.touches.note(&session, engine.now().plus(Duration::from_secs(600)));
        assert_eq!(gate.counts().touch, 0);
        tokio::time::sleep(FLUSH_EVERY * 2).await;
        assert_eq!(gate.counts().touch, 1);
        held.release();
    }

    #[tokio::test(start_paused = true)]
    async fn a_cleanup_stops_when_nobody_holds_the_engine_any_more() {
        let gate = GateStore::new(MemoryStore::new());
        let held = gate.hold(Call::Due, When::Before);
        let engine = engine(gate);
        engine.ensure_maintenance();
        held.arrived().await;
        let there = Arc::downgrade(&engine);
        drop(engine);
        tokio::time::sleep(FLUSH_EVERY * 2).await;
        assert!(there.upgrade().is_none());
    }
}
