//! How long to leave a server alone that fails.

use std::sync::Arc;
use std::time::Duration;

use crate::storage::StorageError;

/// The wait after the first failure; doubled with each further one.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait that we choose ourselves.
const LONGEST: Duration = Duration::from_secs(300);
/// The longest wait while what is kept is in the way: whoever makes room or unlocks a keyring is
/// not to wait for long.
const LONGEST_BLOCKED: Duration = Duration::from_secs(30);
/// The longest wait that a server may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// When a server that fails may be asked again, by the clock that never steps.
#[derive(Clone, Default, Debug)]
pub(crate) struct Pace {
    failures: u32,
    not_before: Option<Duration>,
    /// What is in the way, if it is not the server that failed.
    cause: Option<Arc<StorageError>>,
}

impl Pace {
    /// How long to wait still; nothing if it may be asked.
    pub(crate) fn wait(&self, elapsed: Duration) -> Option<Duration> {
        self.not_before?.checked_sub(elapsed).filter(|wait| !wait.is_zero())
    }

    /// It failed. `chance` is a random number of its own, so that clients that failed together do
    /// not come back together. Answers how long to wait.
    pub(crate) fn failed(
        &mut self,
        elapsed: Duration,
        asked: Option<Duration>,
        chance: u8,
    ) -> Duration {
        let doubled = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        // Between 100 % and 150 %, and never before the server wishes.
        let ours = doubled + doubled.mul_f32(f32::from(chance) / 510.0);
        let wait = ours.max(asked.unwrap_or_default().min(LONGEST_ASKED));
        self.not_before = Some(elapsed.saturating_add(wait));
        self.cause = None;
        wait
    }

    /// It was not even asked. Answers how long to wait.
    pub(crate) fn blocked(
        &mut self,
        elapsed: Duration,
        cause: &Arc<StorageError>,
        chance: u8,
    ) -> Duration {
        let wait = self.failed(elapsed, None, chance).min(LONGEST_BLOCKED);
        self.not_before = Some(elapsed.saturating_add(wait));
        self.cause = Some(Arc::clone(cause));
        wait
    }

    /// What was in the way, if anything was.
    pub(crate) fn cause(&self) -> Option<Arc<StorageError>> {
        self.cause.clone()
    }

    /// It answered.
    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_a_bound_are_spread_and_end_with_success() {
        let mut pace = Pace::default();
        let at = Duration::from_secs(10);
        let waits: Vec<_> = (0..12).map(|_| pace.failed(at, None, 0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        assert_eq!(pace.failed(at, None, 255).as_secs(), 450);
        assert!(pace.wait(at).is_some());
        assert!(pace.wait(at + Duration::from_secs(450)).is_none());
        pace.succeeded();
        assert!(pace.wait(at).is_none());
        assert_eq!(pace.failed(at, None, 0).as_secs(), 1);
    }

    #[test]
    fn what_is_in_the_way_is_tried_again_within_half_a_minute_and_forgotten_with_the_next_answer() {
        let mut pace = Pace::default();
        let cause = Arc::new(StorageError::Locked);
        let waits: Vec<_> =
            (0..7).map(|_| pace.blocked(Duration::ZERO, &cause, 0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        assert!(pace.cause().is_some());
        pace.failed(Duration::ZERO, None, 0);
        assert!(pace.cause().is_none());
    }

    #[test]
    fn s93_a_server_is_left_alone_for_as_long_as_it_asks_but_not_for_ever() {
        let asked = |seconds| Some(Duration::from_secs(seconds));
        let failed = |asked| Pace::default().failed(Duration::ZERO, asked, 0).as_secs();
        assert_eq!(failed(asked(30)), 30);
        assert_eq!(failed(asked(0)), 1);
        assert_eq!(failed(asked(u64::MAX)), 3600);
    }
}
