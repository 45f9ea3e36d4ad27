//! Follows the file of the key ring, so that what `handstamp keys` changes counts in a running
//! service.

use std::time::Duration;

use handstamp_core::KeyRing;
use handstamp_core::key::KeyRingError;
use tokio::time::{MissedTickBehavior, interval};

use crate::failure::chain;

/// How often the file is read: the longest that a retired key stays good.
const EVERY: Duration = Duration::from_secs(1);

/// Loads the ring again and again, for as long as the program runs.
pub(super) async fn follow(ring: KeyRing) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut follower = Follower::default();
    loop {
        ticks.tick().await;
        let ring = ring.clone();
        let Ok(loaded) = tokio::task::spawn_blocking(move || ring.reload()).await else { return };
        follower.tell(loaded);
    }
}

/// Tells of changes, and of a file that cannot be read once rather than each time.
#[derive(Default)]
struct Follower {
    is_lost: bool,
}

impl Follower {
    fn tell(&mut self, loaded: Result<bool, KeyRingError>) {
        match loaded {
            Ok(is_changed) => {
                if is_changed {
                    tracing::info!("the key ring has changed; its new state counts from now on");
                }
                self.is_lost = false;
            }
            Err(error) if !self.is_lost => {
                let error = chain(&error);
                tracing::error!(%error, "the key ring cannot be read again; its last state counts");
                self.is_lost = true;
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_read_is_told_once_until_it_can_be() {
        let mut follower = Follower::default();
        let lost = || Err(KeyRingError::Format { why: "gone" });
        follower.tell(lost());
        assert!(follower.is_lost);
        follower.tell(Ok(false));
        assert!(!follower.is_lost);
    }
}
