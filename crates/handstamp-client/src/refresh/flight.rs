//! One refresh at a time in this process.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::Outcome;
use crate::manager::Inner;

type Landing = watch::Receiver<Option<Outcome>>;

/// The refresh that is under way, if one is.
#[derive(Default)]
pub(crate) struct Flights(Mutex<Option<Landing>>);

impl Flights {
    /// Whether one is under way.
    pub(crate) fn is_under_way(&self) -> bool {
        self.slot().is_some()
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Landing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Clears the slot when the task is over, also if it panics.
struct Slot(Arc<Inner>);

impl Drop for Slot {
    fn drop(&mut self) {
        *self.0.flights.slot() = None;
        self.0.publish();
    }
}

impl Inner {
    /// Takes part in the refresh that is under way, or starts one. `generation` is the one that is
    /// not good enough; a newer one needs no refresh.
    pub(crate) fn join_refresh(self: &Arc<Self>, generation: u64) -> Landing {
        let mut slot = self.flights.slot();
        if let Some(landing) = slot.as_ref() {
            return landing.clone();
        }
        let (landed, landing) = watch::channel(None);
        *slot = Some(landing.clone());
        drop(slot);
        let guard = Slot(Arc::clone(self));
        self.publish();
        tokio::spawn(async move {
            let outcome = guard.0.run_refresh(generation).await;
            drop(guard);
            landed.send_replace(Some(outcome));
        });
        landing
    }

    /// The same, to its end.
    pub(crate) async fn refresh_from(self: &Arc<Self>, generation: u64) -> Outcome {
        let mut landing = self.join_refresh(generation);
        let outcome = landing.wait_for(Option::is_some).await.map(|outcome| outcome.clone());
        // The task is gone without an outcome only if it panicked, or with its runtime.
        outcome.ok().flatten().unwrap_or(Outcome::Transient { retry_at: self.clock.now() })
    }
}
