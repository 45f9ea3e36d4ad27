//! What is kept of one subject, and of one source.

use std::time::Duration;

use handstamp_core::time::Timestamp;

use super::window::Window;
use crate::risk::config::{MAX_SUBJECTS, Threshold};

/// The failures of one subject or name, or from one source.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Failures {
    window: Window,
    /// How many there were since the last success.
    pub(super) run: u32,
    last: Timestamp,
    told: Level,
}

impl Failures {
    /// Counts one more.
    pub(super) fn add(&mut self, at: Timestamp, within: Duration) {
        if self.window.count(at, within) == 0 {
            self.told = Level::default();
        }
        self.window.add(at, within);
        self.run = self.run.saturating_add(1);
        self.last = self.last.max(at);
    }

    pub(super) fn count(&self, at: Timestamp, within: Duration) -> u32 {
        self.window.count(at, within)
    }

    /// How long ago the last one was.
    pub(super) fn age(&self, at: Timestamp) -> Duration {
        at.since(self.last)
    }

    /// Whether so many have not been told of yet; from now on they have.
    pub(super) fn tells(&mut self, count: u32, threshold: Threshold) -> bool {
        self.told.tells(count, threshold.count)
    }
}

/// Up to how many have been told of.
#[derive(Clone, Copy, Debug, Default)]
struct Level(u32);

impl Level {
    /// At the threshold, and whenever the count has doubled: a flood of failures is no flood of
    /// findings.
    fn tells(&mut self, count: u32, threshold: u32) -> bool {
        let is_new = count >= threshold && count >= self.0.saturating_mul(2);
        if is_new {
            self.0 = count;
        }
        is_new
    }
}

/// What came from one source.
#[derive(Clone, Debug, Default)]
pub(super) struct Source {
    pub(super) failures: Failures,
    /// The subjects and names that were tried, by their keys, and when last.
    tried: Vec<(u64, Timestamp)>,
    told: Level,
}

impl Source {
    /// Notes that `account` was tried. Of more than are told apart the longest ago is forgotten.
    pub(super) fn tried(&mut self, account: u64, at: Timestamp, within: Duration) {
        self.tried.retain(|(known, last)| *known != account && at.since(*last) < within);
        if self.tried.is_empty() {
            self.told = Level::default();
        }
        if self.tried.len() >= MAX_SUBJECTS as usize {
            self.tried.remove(0);
        }
        self.tried.push((account, at));
    }

    /// How many were tried within the window.
    pub(super) fn subjects(&self, at: Timestamp, within: Duration) -> u32 {
        let within = self.tried.iter().filter(|(_, last)| at.since(*last) < within);
        u32::try_from(within.count()).unwrap_or(u32::MAX)
    }

    /// Whether so many have not been told of yet; from now on they have.
    pub(super) fn tells(&mut self, subjects: u32, threshold: Threshold) -> bool {
        self.told.tells(subjects, threshold.count)
    }
}
