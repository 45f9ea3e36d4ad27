//! What goes on in the background: noted activity is flushed, what is due ends, old tombstones
//! are purged.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Engine;
use crate::commit::{Mutation, Step};
use crate::error::SessionError;
use crate::id::SessionId;
use crate::policy::{LastSeen, Standing, touch_slack};
use crate::store::Found;
use crate::time::Timestamp;

/// How often noted activity is written: 2 seconds. Part of the slack that
/// [`touch_slack`](crate::policy::touch_slack) states.
const FLUSH_EVERY: Duration = Duration::from_secs(2);

/// How many sessions end, or tombstones go, in one step; small, so that others get their turn.
const STEP: usize = 128;

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
        let (mut ended, mut stuck) = (0, HashSet::new());
        loop {
            self.flush_touches().await?;
            let due = self.store.due(before, STEP + stuck.len()).await?;
            let new: Vec<SessionId> = due.into_iter().filter(|id| !stuck.contains(id)).collect();
            let is_last = new.len() < STEP || stuck.len() > MOST_STUCK;
            let count = self.bury_these(new.iter().copied()).await as usize;
            ended += count;
            if count < new.len() {
                // Live by what this process knows, or not to be read: looked past, not at again.
                stuck.extend(new);
            }
            if is_last {
                return Ok(ended);
            }
            tokio::task::yield_now().await;
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
        let mut purged = 0;
        loop {
            let count = self.store.purge(before, STEP).await?;
            purged += count;
            if count < STEP {
                return Ok(purged);
            }
            tokio::task::yield_now().await;
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
            engine.cleanup().await.map(|cleaned| {
                tracing::debug!(ended = cleaned.ended, purged = cleaned.purged, "cleaned up");
            })
        } else {
            engine.flush_touches().await
        };
        if let Err(error) = done {
            tracing::warn!(%error, "background work failed and will be tried again");
        }
    }
}
