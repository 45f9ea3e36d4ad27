//! One call that is held at a gate.

use std::sync::Arc;

use tokio::sync::watch;

/// A hold on the next call that fits; see [`GateStore::hold`](super::GateStore::hold).
///
/// Dropping it lets the call go, so that a test that fails does not hang.
#[derive(Debug)]
pub struct Held {
    pub(super) barrier: Arc<Barrier>,
}

impl Held {
    /// Waits until the call has come to the gate.
    pub async fn arrived(&self) {
        Barrier::wait(&self.barrier.has_arrived).await;
    }

    /// Whether the call has come to the gate.
    pub fn has_arrived(&self) -> bool {
        *self.barrier.has_arrived.borrow()
    }

    /// Lets the call go on, now or when it comes.
    pub fn release(self) {
        drop(self);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.barrier.is_open.send_replace(true);
    }
}

/// Where a held call and its holder meet.
#[derive(Debug, Default)]
pub(super) struct Barrier {
    has_arrived: watch::Sender<bool>,
    is_open: watch::Sender<bool>,
}

impl Barrier {
    pub(super) async fn pass(&self) {
        self.has_arrived.send_replace(true);
        Self::wait(&self.is_open).await;
    }

    async fn wait(flag: &watch::Sender<bool>) {
        // The sender lives as long as this borrow, so waiting cannot fail.
        let _ = flag.subscribe().wait_for(|is_set| *is_set).await;
    }
}
