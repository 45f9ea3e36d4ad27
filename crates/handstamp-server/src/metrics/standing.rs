//! Figures that nothing counts as it happens: they are looked up when somebody asks.

use std::sync::atomic::AtomicU64;

use handstamp_core::{ClockOffset, Following, SessionManager};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use tokio::sync::Mutex;

use crate::feed::Feed;

/// Of a figure that may be unknown: it is NaN then.
type Real = Gauge<f64, AtomicU64>;

/// How things stand.
#[derive(Debug, Default)]
pub(super) struct Standing {
    cached: Gauge,
    cache_bytes: Gauge,
    hits: Counter,
    loads: Counter,
    dropped: Gauge,
    live: Real,
    dead: Real,
    lag: Real,
    untold: Gauge,
    lease_age: Real,
    is_trusted: Gauge,
    log_reads: Counter,
    log_failures: Counter,
    log_gaps: Counter,
    clock: Real,
    session_clock: Real,
    /// One looks at a time: records are counted, and whoever asks often must not have them counted
    /// by all readers of the store at once.
    looking: Mutex<()>,
}

impl Standing {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("cached_sessions", "Sessions in the near cache", self.cached.clone());
        registry.register_with_unit(
            "cache",
            "Weight of the near cache",
            Unit::Bytes,
            self.cache_bytes.clone(),
        );
        registry.register(
            "cache_hits",
            "Looks at a session that the near cache answered",
            self.hits.clone(),
        );
        registry.register(
            "cache_loads",
            "Sessions that were loaded from the store for a look",
            self.loads.clone(),
        );
        registry.register(
            "dropped_dirty",
            "Sessions that were changed and dropped without a commit",
            self.dropped.clone(),
        );
        registry.register(
            "live_sessions",
            "Sessions that have not ended; NaN while the store does not tell",
            self.live.clone(),
        );
        registry.register(
            "dead_rows",
            "Tombstones that wait for their purge; NaN while the store does not tell",
            self.dead.clone(),
        );
        registry.register_with_unit(
            "store_log_age",
            "Since the last complete read of what others committed began; NaN before the first, or \
             where nobody shares the store",
            Unit::Seconds,
            self.lease_age.clone(),
        );
        registry.register(
            "cache_trusted",
            "1 while the near cache is trusted, 0 while every check goes to the store",
            self.is_trusted.clone(),
        );
        registry.register(
            "store_log_reads",
            "Complete reads of what others committed",
            self.log_reads.clone(),
        );
        registry.register(
            "store_log_failures",
            "Reads of what others committed that failed",
            self.log_failures.clone(),
        );
        registry.register(
            "store_log_gaps",
            "How often the change log did not reach back, so that the near cache was dropped",
            self.log_gaps.clone(),
        );
        registry.register_with_unit(
            "clock_offset",
            "By how much the clock of this machine is ahead of the store's, which rules; NaN where \
             the store has none or does not answer",
            Unit::Seconds,
            self.clock.clone(),
        );
        registry.register_with_unit(
            "session_clock_offset",
            "By how much the clock is ahead of the store's that this process judges sessions by; it \
             drifts from when the store was opened",
            Unit::Seconds,
            self.session_clock.clone(),
        );
        registry.register_with_unit(
            "feed_lag",
            "Age of the state that verifiers are told; NaN before the first read",
            Unit::Seconds,
            self.lag.clone(),
        );
        registry.register(
            "feed_untold_commits",
            "Commits of this process that the feed has not read yet",
            self.untold.clone(),
        );
    }

    /// Looks everything up.
    pub(super) async fn look(&self, sessions: &SessionManager, feed: &Feed) {
        let _alone = self.looking.lock().await;
        let (count, bytes) = sessions.cache_usage();
        self.cached.set(i64::try_from(count).unwrap_or(i64::MAX));
        self.cache_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.dropped.set(i64::try_from(sessions.dropped_dirty()).unwrap_or(i64::MAX));
        let looks = sessions.cache_looks();
        raise(&self.hits, looks.hits);
        raise(&self.loads, looks.loads);
        let census = sessions.store().census().await.ok();
        let figure = |count: Option<u64>| count.map_or(f64::NAN, |count| count as f64);
        self.live.set(figure(census.map(|census| census.live)));
        self.dead.set(figure(census.map(|census| census.ended)));
        self.followed(sessions.following());
        self.told_time(sessions.clock_offset().await.ok().flatten());
        self.lag.set(feed.lag().map_or(f64::NAN, |lag| lag.as_secs_f64()));
        self.untold.set(i64::try_from(feed.untold()).unwrap_or(i64::MAX));
    }
}

impl Standing {
    /// How far its clocks are from the store's.
    fn told_time(&self, offset: Option<ClockOffset>) {
        let seconds = |millis: fn(ClockOffset) -> i64| {
            offset.map_or(f64::NAN, |offset| millis(offset) as f64 / 1000.0)
        };
        self.clock.set(seconds(|offset| offset.machine));
        self.session_clock.set(seconds(|offset| offset.sessions));
    }

    /// How this process keeps up with others on the store.
    fn followed(&self, following: Option<Following>) {
        let age = following.and_then(|following| following.age);
        self.lease_age.set(age.map_or(f64::NAN, |age| age.as_secs_f64()));
        self.is_trusted.set(i64::from(following.is_none_or(|following| following.is_trusted)));
        if let Some(Following { reads, failures, gaps, .. }) = following {
            raise(&self.log_reads, reads);
            raise(&self.log_failures, failures);
            raise(&self.log_gaps, gaps);
        }
    }
}

/// Moves a counter to a figure that is counted elsewhere.
fn raise(counter: &Counter, to: u64) {
    counter.inc_by(to.saturating_sub(counter.get()));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clock_that_is_ten_minutes_ahead_is_told_and_one_without_another_is_not_a_number() {
        let standing = Standing::default();
        let offset = ClockOffset { machine: 600_000, sessions: -20, within: Duration::ZERO };
        standing.told_time(Some(offset));
        assert_eq!((standing.clock.get(), standing.session_clock.get()), (600.0, -0.02));
        standing.told_time(None);
        assert!(standing.clock.get().is_nan() && standing.session_clock.get().is_nan());
    }
}
