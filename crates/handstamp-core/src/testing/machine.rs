//! A machine whose time passes only when told to, and whose wall clock can be set.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::time::{TimeSource, Timestamp};

/// A machine whose time passes only when told to, and whose wall clock can be set: what
/// [`SystemClock`](crate::time::SystemClock) reads in tests of clock steps and suspends.
#[derive(Debug)]
pub struct ManualMachine {
    wall: AtomicI64,
    elapsed: AtomicU64,
}

impl ManualMachine {
    /// A machine whose wall clock shows `start`.
    pub fn at(start: Timestamp) -> Arc<Self> {
        Arc::new(Self { wall: start.as_millis().into(), elapsed: 0.into() })
    }

    /// Lets `span` pass, awake or suspended.
    pub fn pass(&self, span: Duration) {
        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        self.elapsed.fetch_add(millis, Ordering::SeqCst);
        self.step(i64::try_from(millis).unwrap_or(i64::MAX));
    }

    /// Somebody moves the wall clock by `millis`, forward or back; no time passes.
    pub fn step(&self, millis: i64) {
        self.wall.fetch_add(millis, Ordering::SeqCst);
    }
}

impl TimeSource for ManualMachine {
    fn wall(&self) -> Timestamp {
        Timestamp::from_millis(self.wall.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.elapsed.load(Ordering::SeqCst))
    }
}
