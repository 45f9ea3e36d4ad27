//! Where the time comes from: an argument, so that tests set it.

use std::time::{Duration, SystemTime};

use handstamp_protocol::Time;

use crate::BoxFuture;
#[cfg(all(any(target_os = "linux", target_os = "android"), feature = "reqwest"))]
use crate::alarm::rings_at;

/// How long a sleep of the runtime is trusted at a time: its timers stand still while the machine
/// is suspended, so the clock is looked at that often where there is no [`alarm`](crate::alarm).
const LONGEST_NAP: Duration = Duration::from_secs(20);

/// Tells the time, and waits.
pub trait Clock: Send + Sync + 'static {
    /// The present, by the wall clock.
    fn now(&self) -> Time;

    /// How long it is since some fixed moment, by a clock that never steps and that counts the
    /// time that the machine was suspended.
    fn elapsed(&self) -> Duration;

    /// Waits for so long by [`elapsed`](Self::elapsed).
    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()>;
}

/// The clocks of the system, as a process with this client uses them.
///
/// [`now`](Clock::now) is the wall clock at the start, carried on by the clock that never steps:
/// a wall clock that is set while the program runs neither revives nor kills a token.
///
/// Suspend is counted on Linux, Android (`CLOCK_BOOTTIME`) and Apple's systems
/// (`CLOCK_MONOTONIC`); elsewhere as far as [`std::time::Instant`] does.
///
/// A long wait wakes the process once, with the feature `reqwest` on Linux and Android, for sixteen
/// waits at a time; otherwise every 20 s, to look whether the machine was suspended.
///
/// # Panics
/// Waits of more than 20 s where the runtime has no I/O (`enable_all`).
#[derive(Clone, Debug)]
pub struct SystemClock {
    /// What the wall clock showed when the steady one stood at nothing, in milliseconds.
    origin: i64,
}

impl SystemClock {
    /// Reads both clocks.
    pub fn new() -> Self {
        Self::showing(SystemTime::now().into())
    }

    fn showing(now: Time) -> Self {
        Self { origin: now.as_millis().saturating_sub(steady_millis()) }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Time {
        Time::from_millis(self.origin.saturating_add(steady_millis()))
    }

    fn elapsed(&self) -> Duration {
        steady()
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        let until = steady().saturating_add(span);
        Box::pin(async move {
            while let Some(left) = until.checked_sub(steady()).filter(|left| !left.is_zero()) {
                if left <= LONGEST_NAP || !rings_at(until).await {
                    tokio::time::sleep(left.min(LONGEST_NAP)).await;
                }
            }
        })
    }
}

/// There is no alarm here.
#[cfg(not(all(any(target_os = "linux", target_os = "android"), feature = "reqwest")))]
async fn rings_at(_: Duration) -> bool {
    false
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn steady_time() -> rustix::time::Timespec {
    use rustix::time::{ClockId, clock_gettime};

    #[cfg(not(target_vendor = "apple"))]
    const STEADY: ClockId = ClockId::Boottime;
    #[cfg(target_vendor = "apple")]
    const STEADY: ClockId = ClockId::Monotonic;

    clock_gettime(STEADY)
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn steady() -> Duration {
    let time = steady_time();
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The same in milliseconds: each token that is handed out costs one of these.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn steady_millis() -> i64 {
    let time = steady_time();
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    time.tv_sec * 1000 + i64::from(nanos / 1_000_000)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn steady_millis() -> i64 {
    i64::try_from(steady().as_millis()).unwrap_or(i64::MAX)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn steady() -> Duration {
    use std::sync::OnceLock;
    use std::time::Instant;

    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// `time`, so much later.
pub(crate) fn later(time: Time, span: Duration) -> Time {
    let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    Time::from_millis(time.as_millis().saturating_add(millis))
}

/// `time`, so much earlier.
pub(crate) fn earlier(time: Time, span: Duration) -> Time {
    let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    Time::from_millis(time.as_millis().saturating_sub(millis))
}

/// How long it is from `from` to `to`; nothing if that is not in the future.
pub(crate) fn between(from: Time, to: Time) -> Duration {
    let millis = to.as_millis().saturating_sub(from.as_millis());
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_that_was_set_while_the_program_runs_moves_nothing() {
        let now = Time::from(SystemTime::now());
        let ahead = later(now, Duration::from_secs(3600));
        assert!(SystemClock::showing(ahead).now() >= ahead);
        let behind = earlier(now, Duration::from_secs(3600));
        assert!(SystemClock::showing(behind).now() < later(behind, Duration::from_secs(60)));
    }

    #[test]
    fn spans_of_time_stop_at_the_ends_of_time() {
        assert_eq!(later(Time::MAX, Duration::MAX), Time::MAX);
        assert_eq!(earlier(Time::MIN, Duration::MAX), Time::MIN);
        assert_eq!(between(Time::MAX, Time::MIN), Duration::ZERO);
        assert_eq!(between(Time::from_millis(5), Time::from_millis(7)).as_millis(), 2);
    }
}
