//! Points in time and where they come from.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since 1970-01-01T00:00:00 UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The latest point that can be told; what "never" sorts as.
    pub const MAX: Self = Self(i64::MAX);

    /// The point `millis` milliseconds after the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This point plus `span`, stopping at [`Timestamp::MAX`].
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }

    /// This point minus `span`.
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }

    /// How long it is from `earlier` to here; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        let span = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(span).unwrap_or(0))
    }
}

fn millis(span: Duration) -> i64 {
    let seconds = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    seconds.saturating_mul(1000).saturating_add(i64::from(span.subsec_millis()))
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(span) => Self(millis(span)),
            Err(before) => Self(-millis(before.duration())),
        }
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        let span = Duration::from_millis(time.0.unsigned_abs());
        if time.0 >= 0 { UNIX_EPOCH + span } else { UNIX_EPOCH - span }
    }
}

/// Tells the time. Nothing in the engine reads a clock on its own.
pub trait Clock: Send + Sync + 'static {
    /// The present.
    fn now(&self) -> Timestamp;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

/// What a machine tells of time.
pub trait TimeSource: Send + Sync + 'static {
    /// The wall clock. People, networks and virtual machines set it, so it steps.
    fn wall(&self) -> Timestamp;

    /// How long it is since a point that stays the same, suspends included. It never steps.
    fn elapsed(&self) -> Duration;
}

impl<S: TimeSource + ?Sized> TimeSource for Arc<S> {
    fn wall(&self) -> Timestamp {
        (**self).wall()
    }

    fn elapsed(&self) -> Duration {
        (**self).elapsed()
    }
}

/// The machine that the process runs on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine;

impl TimeSource for Machine {
    fn wall(&self) -> Timestamp {
        SystemTime::now().into()
    }

    fn elapsed(&self) -> Duration {
        since_boot()
    }
}

/// The system's clock, read once and carried on by a clock that never steps.
///
/// The wall clock is read when this is made; from then on time advances with the monotonic clock
/// that also counts suspend (`CLOCK_BOOTTIME` on Linux; elsewhere Rust's `Instant`, which may stand
/// still while the machine is suspended). A step of the wall clock while the process runs
/// therefore neither revives an expired session nor ends live ones; it is taken over at the next
/// start. [`SystemClock::drift`] tells how far the two are apart.
#[derive(Clone, Debug)]
pub struct SystemClock<S = Machine> {
    source: S,
    wall: Timestamp,
    start: Duration,
}

impl SystemClock {
    /// Reads the wall clock once.
    pub fn new() -> Self {
        Self::over(Machine)
    }

    /// One that shows `now` now, whatever the wall clock of this machine does.
    pub fn showing(now: Timestamp) -> Self {
        Self { wall: now, start: Machine.elapsed(), source: Machine }
    }
}

impl<S: TimeSource> SystemClock<S> {
    /// The same over another source: for a machine that counts suspend by a clock of its own.
    pub fn over(source: S) -> Self {
        Self { wall: source.wall(), start: source.elapsed(), source }
    }

    /// How far the wall clock has moved away from this one, in milliseconds; positive when the
    /// wall clock is ahead.
    pub fn drift(&self) -> i64 {
        self.source.wall().as_millis() - self.now().as_millis()
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: TimeSource> Clock for SystemClock<S> {
    fn now(&self) -> Timestamp {
        self.wall.plus(self.source.elapsed().saturating_sub(self.start))
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn since_boot() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanos)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn since_boot() -> Duration {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// A clock that moves only when told to.
#[cfg(feature = "testing")]
#[derive(Debug)]
pub struct ManualClock(std::sync::atomic::AtomicI64);

#[cfg(feature = "testing")]
impl ManualClock {
    /// A clock that shows `start`.
    pub fn at(start: Timestamp) -> Arc<Self> {
        Arc::new(Self(start.as_millis().into()))
    }

    /// Moves forward by `span`.
    pub fn advance(&self, span: Duration) {
        self.0.fetch_add(millis(span), std::sync::atomic::Ordering::SeqCst);
    }

    /// Jumps to `time`, forward or back.
    pub fn set(&self, time: Timestamp) {
        self.0.store(time.as_millis(), std::sync::atomic::Ordering::SeqCst);
    }
}

#[cfg(feature = "testing")]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(std::sync::atomic::Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_agrees_with_the_wall_clock_when_made() {
        assert!(SystemClock::new().drift().abs() < 1000);
    }

    #[test]
    fn spans_never_run_backwards_or_overflow() {
        let now = Timestamp::from_millis(1_000);
        assert_eq!(now.since(Timestamp::from_millis(2_000)), Duration::ZERO);
        assert_eq!(Timestamp::MAX.plus(Duration::MAX), Timestamp::MAX);
        assert_eq!(now.plus(Duration::from_secs(1)).since(now), Duration::from_secs(1));
    }
}
