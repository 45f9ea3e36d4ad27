//! Following the change log in the background.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;

use super::Coherence;
use crate::error::SessionError;
use crate::store::SessionStore;

/// The shortest between the starts of two reads, whatever wakes the reader.
const SHORTEST: Duration = Duration::from_millis(5);

impl Coherence {
    /// Starts to follow the log at the first use within a runtime, and again if a panic or the end
    /// of that runtime stopped it. It stops for good when nobody holds the engine any more.
    pub(crate) fn ensure_followed(self: &Arc<Self>) {
        let is_idle = !self.runs_by_itself || self.cache.is_alone();
        if is_idle || self.is_followed.load(Ordering::Acquire) {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if !self.is_followed.swap(true, Ordering::AcqRel) {
            let following = AtWork(Arc::downgrade(self));
            runtime.spawn(follow(following, Arc::clone(&self.store), self.read_every));
        }
    }

    /// One read, for as long as a lease could come of it.
    async fn read_in_time(&self) -> Result<(), SessionError> {
        let read = tokio::time::timeout(self.length, self.catch_up()).await;
        read.unwrap_or_else(|_| Err(SessionError::Unavailable("no answer in time".into())))
    }
}

/// Held by the reader for as long as it runs.
struct AtWork(Weak<Coherence>);

impl Drop for AtWork {
    fn drop(&mut self) {
        if let Some(coherence) = self.0.upgrade() {
            coherence.is_followed.store(false, Ordering::Release);
        }
    }
}

async fn follow(at_work: AtWork, store: Arc<dyn SessionStore>, every: Duration) {
    let mut is_well = true;
    let mut wakes = store.wakes();
    drop(store);
    loop {
        let Some(coherence) = at_work.0.upgrade() else { return };
        let next = tokio::time::Instant::now() + every;
        let soonest = tokio::time::Instant::now() + SHORTEST.min(every);
        let read = coherence.read_in_time().await;
        drop(coherence);
        match &read {
            Err(error) if is_well => {
                tracing::warn!(%error, "the change log cannot be read: when the lease lapses, every check goes to the store");
            }
            Ok(()) if !is_well => tracing::info!("the change log can be read again"),
            _ => {}
        }
        is_well = read.is_ok();
        tokio::time::sleep_until(soonest).await;
        tokio::select! {
            // A wake-up is no reason to hurry while the store does not answer.
            () = woken(&mut wakes), if is_well => {}
            () = tokio::time::sleep_until(next) => {}
        }
    }
}

/// Resolves when the store says that something may have changed; never where it cannot tell.
async fn woken(wakes: &mut Option<watch::Receiver<u64>>) {
    if let Some(wakes) = wakes
        && wakes.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}
