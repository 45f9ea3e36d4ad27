//! Figures over time, as plain data.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::time::Timestamp;

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Report {
    /// Sign-ins: `count` came about, `failed` did not; `subjects` different users came in. A guest
    /// who becomes a user signs in. One point for each bucket.
    Logins,
    /// Sign-ins that were tried, by user, whose subject is the name: `failed` of `count` failed.
    Users,
    /// Sessions of users and guests that were live when the bucket ended. One point for each
    /// bucket.
    Active,
    /// Sessions of users and guests that began, by device.
    Devices,
    /// Sessions of users and guests that are live as of the last roll-up, by device. All points
    /// are at the end of the time asked for.
    LiveDevices,
    /// Sessions of users and guests that ended, and how long they lasted. One point for each
    /// bucket.
    Durations,
    /// Sign-ins that failed, by the application's reason.
    Failures,
    /// Sign-ins that were tried, by address: `failed` of `count` failed, in the name of `subjects`
    /// different users.
    Ips,
    /// Sessions of users and guests that began, by country.
    Countries,
}

impl Report {
    /// Every report, in the order of their declaration.
    pub const ALL: [Self; 9] = [
        Self::Logins,
        Self::Users,
        Self::Active,
        Self::Devices,
        Self::LiveDevices,
        Self::Durations,
        Self::Failures,
        Self::Ips,
        Self::Countries,
    ];

    /// The name in ledgers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logins => "logins",
            Self::Users => "users",
            Self::Active => "active",
            Self::Devices => "devices",
            Self::LiveDevices => "live_devices",
            Self::Durations => "durations",
            Self::Failures => "failures",
            Self::Ips => "ips",
            Self::Countries => "countries",
        }
    }

    /// Whether it has points for names, up to [`MOST_NAMES`] for each bucket, rather than one point
    /// for each bucket.
    pub const fn has_names(self) -> bool {
        !matches!(self, Self::Logins | Self::Active | Self::Durations)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How long one point stands for, in UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Bucket {
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A week, from Monday.
    Week,
}

impl Bucket {
    /// Every length, the shortest first.
    pub const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Week];

    /// The name in ledgers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
        }
    }

    /// How long it is.
    pub const fn length(self) -> Duration {
        Duration::from_secs(match self {
            Self::Hour => 3600,
            Self::Day => 86_400,
            Self::Week => 7 * 86_400,
        })
    }

    /// Where the bucket begins that `at` lies in.
    pub fn start(self, at: Timestamp) -> Timestamp {
        // 1970 began on a Thursday.
        let monday = if self == Self::Week { 3 * 86_400_000 } else { 0 };
        let length = self.millis();
        let buckets = at.as_millis().saturating_add(monday).div_euclid(length);
        let start = buckets.saturating_mul(length);
        Timestamp::from_millis(start.saturating_sub(monday))
    }

    const fn millis(self) -> i64 {
        self.length().as_secs().cast_signed() * 1000
    }
}

/// The most names that a report has for one bucket: those with the greatest counts.
pub const MOST_NAMES: usize = 50;

/// The most buckets that a report goes over: the latest.
pub const MOST_BUCKETS: usize = 2000;

/// The time that a report goes over, in whole buckets: for the authors of ledgers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// How long a point stands for.
    pub bucket: Bucket,
    /// Where the first bucket begins.
    pub from: Timestamp,
    /// Where the last bucket ends.
    pub to: Timestamp,
}

impl Span {
    /// The buckets that hold any of the time from `from` to `to`, the latest [`MOST_BUCKETS`] of
    /// them.
    pub fn of(from: Timestamp, to: Timestamp, bucket: Bucket) -> Self {
        let to = match bucket.start(to) {
            start if start == to => to,
            start => start.plus(bucket.length()),
        };
        let most = bucket.length().saturating_mul(u32::try_from(MOST_BUCKETS).unwrap_or(u32::MAX));
        let from = bucket.start(from).max(to.minus(most)).min(to);
        Self { bucket, from, to }
    }

    /// Where its buckets begin, in order.
    pub fn starts(self) -> impl Iterator<Item = Timestamp> {
        let after = move |at: &Timestamp| Some(at.plus(self.bucket.length()));
        std::iter::successors(Some(self.from), after).take_while(move |at| *at < self.to)
    }

    /// The series with these points.
    pub fn series(self, points: Vec<Point>) -> Series {
        Series { from: self.from, to: self.to, bucket: self.bucket, points }
    }
}

/// One figure. What a report has no use for is `None`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Point {
    /// Where its bucket begins.
    pub at: Timestamp,
    /// What was counted: a user, a device, an address, a country, a reason; `None` also where that
    /// is not known.
    pub name: Option<Arc<str>>,
    /// How many.
    pub count: u64,
    /// How many failed.
    pub failed: Option<u64>,
    /// How many different users.
    pub subjects: Option<u64>,
    /// How long, on average.
    pub mean: Option<Duration>,
    /// Half were shorter; exact to a fifth.
    pub median: Option<Duration>,
    /// 19 of 20 were shorter; exact to a fifth.
    pub p95: Option<Duration>,
}

impl Point {
    /// A point that says how many, and nothing else.
    pub const fn new(at: Timestamp, name: Option<Arc<str>>, count: u64) -> Self {
        let (failed, subjects) = (None, None);
        Self { at, name, count, failed, subjects, mean: None, median: None, p95: None }
    }
}

/// The points of a report, by time, and for one time the greatest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Series {
    /// Where the first bucket begins.
    pub from: Timestamp,
    /// Where the last bucket ends.
    pub to: Timestamp,
    /// How long a point stands for.
    pub bucket: Bucket,
    /// The points.
    pub points: Vec<Point>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const THURSDAY: Timestamp = Timestamp::from_millis(0);

    #[test]
    fn a_bucket_begins_at_the_hour_the_day_or_monday() {
        let at = THURSDAY.plus(Duration::from_secs(90_061));
        assert_eq!(Bucket::Hour.start(at), THURSDAY.plus(Duration::from_secs(90_000)));
        assert_eq!(Bucket::Day.start(at), THURSDAY.plus(Duration::from_secs(86_400)));
        let monday = Timestamp::from_millis(-3 * 86_400_000);
        assert_eq!(Bucket::Week.start(at), monday);
        assert_eq!(Bucket::Week.start(monday), monday);
        assert_eq!(
            Bucket::Week.start(Timestamp::from_millis(monday.as_millis() - 1)).as_millis(),
            -10 * 86_400_000
        );
    }

    #[test]
    fn a_span_is_whole_buckets_and_not_endless() {
        let (from, to) = (Timestamp::from_millis(1), Timestamp::from_millis(2 * 3_600_000));
        let span = Span::of(from, to, Bucket::Hour);
        assert_eq!((span.from, span.to, span.starts().count()), (THURSDAY, to, 2));
        let span = Span::of(from, to.plus(Duration::from_millis(1)), Bucket::Hour);
        assert_eq!(span.starts().count(), 3);
        let all = Span::of(Timestamp::from_millis(i64::MIN), to, Bucket::Day);
        assert_eq!(all.starts().count(), MOST_BUCKETS);
        assert_eq!(Span::of(to, from, Bucket::Hour).starts().count(), 0);
        assert!(Span::of(from, Timestamp::MAX, Bucket::Week).starts().count() <= MOST_BUCKETS);
    }
}
