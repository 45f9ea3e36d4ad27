//! How long something takes, and what was to be reached.

use std::time::{Duration, Instant};

/// How many rounds; the median one counts.
const ROUNDS: usize = 301;

/// Nanoseconds of one of `each` calls that a round makes, in the median round.
pub(crate) fn median(each: u32, mut round: impl FnMut()) -> f64 {
    let mut rounds: Vec<_> = (0..=ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            round();
            begun.elapsed()
        })
        .skip(1)
        .collect();
    rounds.sort();
    nanos(rounds[ROUNDS / 2]) / f64::from(each)
}

/// The middle of measured spans.
pub(crate) fn middle(mut spans: Vec<Duration>) -> Duration {
    spans.sort();
    spans[spans.len() / 2]
}

pub(crate) fn nanos(span: Duration) -> f64 {
    span.as_secs_f64() * 1e9
}

/// What was to be reached.
pub(crate) struct Aim {
    pub(crate) what: &'static str,
    pub(crate) measured: f64,
    pub(crate) at_most: f64,
    pub(crate) unit: &'static str,
}

impl Aim {
    pub(crate) fn print(&self) {
        let verdict = if self.measured <= self.at_most { "reached" } else { "MISSED " };
        let Self { what, measured, at_most, unit, .. } = self;
        println!("{verdict}  {what}: {measured:.2} {unit} (aim ≤ {at_most} {unit})");
    }
}

/// How many tasks of the whole machine ran or waited to, over the last minute.
pub(crate) fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}

/// The processor, and how many of them there are.
pub(crate) fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let count = text.lines().filter(|line| line.starts_with("processor")).count();
    format!("{} ({count} processors)", name.map_or("unknown processor", |(_, name)| name))
}
