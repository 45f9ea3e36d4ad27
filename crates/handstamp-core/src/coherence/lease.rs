//! The lease: until when what the near cache holds may be trusted.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::time::Timestamp;

/// Until when the cache may be trusted. For a store that belongs to this process: for ever.
#[derive(Debug)]
pub(super) struct Lease {
    until: AtomicI64,
    millis: i64,
}

impl Lease {
    /// One that never lapses.
    pub(super) const fn forever() -> Self {
        Self { until: AtomicI64::new(i64::MAX), millis: i64::MAX }
    }

    /// One that has lapsed, and lasts for `length` whenever it is renewed.
    pub(super) fn lapsed(length: Duration) -> Self {
        let millis = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
        Self { until: AtomicI64::new(i64::MIN), millis }
    }

    /// How long it is good for at the most; `None` for ever.
    pub(super) fn length(&self) -> Option<Duration> {
        let millis = u64::try_from(self.millis).ok().filter(|_| self.millis != i64::MAX);
        millis.map(Duration::from_millis)
    }

    /// Until when it lasts. To be read *before* the cache is looked at: whatever was invalidated
    /// before the lease was renewed is gone then.
    #[inline]
    pub(super) fn until(&self) -> i64 {
        self.until.load(Ordering::Acquire)
    }

    /// Whether a lease that lasts `until` is good at `now`. One that lasts longer than it can have
    /// been given for is not: then the clock was set back.
    #[inline]
    pub(super) const fn is_good(&self, until: i64, now: Timestamp) -> bool {
        let left = until.saturating_sub(now.as_millis());
        left > 0 && left <= self.millis
    }

    /// Renews it: everything that was committed before `began` is known.
    pub(super) fn renew(&self, began: Timestamp) {
        self.until.store(began.as_millis().saturating_add(self.millis), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_lease_counts_from_when_it_was_asked_for() {
        let lease = Lease::lapsed(Duration::from_millis(5_000));
        assert!(!lease.is_good(lease.until(), at(0)), "none was given yet");
        lease.renew(at(1_000));
        let is_good = |now| lease.is_good(lease.until(), at(now));
        assert!(is_good(1_000) && is_good(5_999));
        assert!(!is_good(6_000));
    }

    #[test]
    fn a_clock_that_was_set_back_prolongs_no_lease() {
        let lease = Lease::lapsed(Duration::from_millis(5_000));
        lease.renew(at(100_000));
        assert!(!lease.is_good(lease.until(), at(10_000)));
    }

    #[test]
    fn without_others_a_lease_is_always_good() {
        let lease = Lease::forever();
        for now in [at(0), at(-1), at(1), Timestamp::from_millis(i64::MAX - 1)] {
            assert!(lease.is_good(lease.until(), now), "{now:?}");
        }
    }
}
