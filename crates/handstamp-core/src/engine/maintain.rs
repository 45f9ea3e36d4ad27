//! What goes on in the background: noted activity is flushed, what is due ends, old tombstones
//! are purged.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Engine;
use crate::error::SessionError;
use crate::policy::touch_slack;

/// How often noted activity is written: 2 seconds. Part of the slack that
/// [`touch_slack`](crate::policy::touch_slack) states.
const FLUSH_EVERY: Duration = Duration::from_secs(2);

/// How many sessions end, or tombstones go, in one step; small, so that others get their turn.
const STEP: usize = 128;

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
    /// Starts the background work at the first use within a runtime. It stops when the engine is
    /// dropped.
    pub(crate) fn ensure_maintenance(self: &Arc<Self>) {
        if !self.has_maintenance || self.maintenance.is_completed() {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let engine = Arc::downgrade(self);
            let every = self.config.cleanup_every();
            self.maintenance.call_once(|| {
                runtime.spawn(maintain(engine, every));
            });
        }
    }

    /// Ends what is due, with events, then purges old tombstones.
    pub(crate) async fn cleanup(self: &Arc<Self>) -> Result<Cleaned, SessionError> {
        self.flush_touches().await?;
        Ok(Cleaned { ended: self.end_due().await?, purged: self.purge().await? })
    }

    async fn end_due(self: &Arc<Self>) -> Result<usize, SessionError> {
        let longest = [self.config.idle(), self.config.remember_idle()];
        let slack = longest.into_iter().flatten().map(touch_slack).max().unwrap_or_default();
        // What is due within the slack may have been used on a node that has not told yet.
        let before = self.now().minus(slack);
        let mut ended = 0;
        loop {
            let due = self.store.due(before, STEP).await?;
            let is_last = due.len() < STEP;
            let count = self.bury_these(due.into_iter()).await as usize;
            ended += count;
            if is_last || count == 0 {
                return Ok(ended);
            }
            tokio::task::yield_now().await;
        }
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

async fn maintain(engine: Weak<Engine>, cleanup_every: Duration) {
    let mut flush = tokio::time::interval(FLUSH_EVERY);
    flush.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut since_cleanup = Duration::ZERO;
    loop {
        flush.tick().await;
        let Some(engine) = engine.upgrade() else { return };
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
