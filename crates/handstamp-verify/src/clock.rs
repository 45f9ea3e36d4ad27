//! Where the time comes from: an argument, so that tests set it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use handstamp_protocol::Time;

/// Tells the time in two ways.
pub trait Clock: Send + Sync + 'static {
    /// The present, to be compared with the times in a token.
    fn now(&self) -> Time;

    /// How long it is since some fixed moment, by a clock that never steps and that counts the
    /// time that the machine was suspended. Leases are measured with it.
    fn elapsed(&self) -> Duration;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Time {
        (**self).now()
    }

    fn elapsed(&self) -> Duration {
        (**self).elapsed()
    }
}

/// The clocks of the system.
///
/// [`now`](Clock::now) is the later of the wall clock and of the wall clock at the start carried
/// on by the clock that never steps: setting the wall clock back revives no token that was past
/// its time, and setting it forward takes effect.
///
/// Suspend is counted on Linux, Android (`CLOCK_BOOTTIME`) and Apple's systems
/// (`CLOCK_MONOTONIC`); elsewhere as far as [`std::time::Instant`] does.
#[derive(Clone, Debug)]
pub struct SystemClock {
    wall: SystemTime,
    started: Duration,
}

impl SystemClock {
    /// Reads both clocks.
    pub fn new() -> Self {
        Self { wall: SystemTime::now(), started: steady() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Time {
        let carried_on = self.wall + steady().saturating_sub(self.started);
        SystemTime::now().max(carried_on).into()
    }

    fn elapsed(&self) -> Duration {
        steady()
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn steady() -> Duration {
    use rustix::time::{ClockId, clock_gettime};

    #[cfg(not(target_vendor = "apple"))]
    const STEADY: ClockId = ClockId::Boottime;
    #[cfg(target_vendor = "apple")]
    const STEADY: ClockId = ClockId::Monotonic;

    let time = clock_gettime(STEADY);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn steady() -> Duration {
    use std::sync::OnceLock;
    use std::time::Instant;

    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_that_was_set_back_does_not_turn_time_back() {
        let ahead = SystemTime::now() + Duration::from_secs(3600);
        let clock = SystemClock { wall: ahead, started: steady() };
        assert!(clock.now() >= Time::from(ahead));
        assert!(SystemClock::new().now() < Time::from(ahead));
    }

    #[test]
    fn the_steady_clock_goes_forward() {
        let clock = SystemClock::new();
        let earlier = clock.elapsed();
        assert!(clock.elapsed() >= earlier);
    }
}
