//! Reports as figures, charts and lists for people.

use std::collections::BTreeMap;
use std::sync::Arc;

use handstamp_core::ledger::Point;

use super::views::When;
use crate::risk::words::{grouped, span};

/// How many names a list of bars has.
const BARS: usize = 6;
/// How many addresses are shown.
const ADDRESSES: usize = 8;
/// From how many users of one address on it is worth a look.
const MANY_USERS: u64 = 5;
/// From how many failures of one address on it is worth a look.
const MANY_FAILURES: u64 = 3;

/// What the reports say of the time that is looked at.
pub(super) struct Figures {
    pub(super) active: Vec<Point>,
    pub(super) logins: Vec<Point>,
    pub(super) users: Vec<Point>,
    pub(super) durations: Vec<Point>,
    pub(super) devices: Vec<Point>,
    pub(super) countries: Vec<Point>,
    pub(super) ips: Vec<Point>,
}

/// One row of the table that the chart is drawn from.
pub(super) struct Hour {
    pub(super) when: When,
    pub(super) logins: u64,
    pub(super) failures: u64,
}

/// One bar of a list.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) count: String,
    /// Of a hundred.
    pub(super) width: u64,
}

/// An address that is worth a look.
pub(super) struct Address {
    pub(super) ip: String,
    pub(super) tried: String,
    pub(super) failed: String,
    pub(super) users: String,
    pub(super) is_bad: bool,
    /// The query that lists what came from there.
    pub(super) query: String,
}

impl Figures {
    pub(super) fn live(&self) -> String {
        grouped(self.active.last().map_or(0, |point| point.count))
    }

    pub(super) fn logins(&self) -> String {
        grouped(self.logins.iter().map(|point| point.count).sum())
    }

    pub(super) fn failures(&self) -> String {
        grouped(failed(&self.logins))
    }

    /// How many different users tried to sign in; each bucket names so many at most, so that it
    /// may be more.
    pub(super) fn users(&self) -> String {
        let named = by_name(&self.users);
        let more = if named.len() >= handstamp_core::ledger::report::MOST_NAMES { "+" } else { "" };
        match named.len() {
            1 => "1 user".into(),
            count => format!("{}{more} users", grouped(count as u64)),
        }
    }

    /// How long sessions lasted that ended, on average.
    pub(super) fn length(&self) -> String {
        let ended: u64 = self.durations.iter().map(|point| point.count).sum();
        let lasted = |point: &Point| {
            let count = u32::try_from(point.count).unwrap_or(u32::MAX);
            point.mean.map(|mean| mean.saturating_mul(count))
        };
        let all: std::time::Duration = self.durations.iter().filter_map(lasted).sum();
        let count = u32::try_from(ended).unwrap_or(u32::MAX);
        match all.checked_div(count) {
            Some(mean) => format!("sessions lasted {} on average", span(mean)),
            None => "no session has ended".into(),
        }
    }

    pub(super) fn hours(&self) -> Vec<Hour> {
        let hour = |point: &Point| Hour {
            when: When::exact(point.at),
            logins: point.count,
            failures: point.failed.unwrap_or_default(),
        };
        self.logins.iter().map(hour).collect()
    }

    pub(super) fn devices(&self) -> Vec<Bar> {
        bars(&self.devices, "Unknown device")
    }

    pub(super) fn countries(&self) -> Vec<Bar> {
        bars(&self.countries, "Unknown")
    }

    /// Those from which many sign-ins failed, or many users were tried.
    pub(super) fn addresses(&self) -> Vec<Address> {
        let mut odd: Vec<(Arc<str>, Sum)> = by_name(&self.ips)
            .into_iter()
            .filter(|(_, sum)| sum.failed >= MANY_FAILURES || sum.subjects >= MANY_USERS)
            .filter_map(|(name, sum)| Some((name?, sum)))
            .collect();
        odd.sort_by_key(|(_, sum)| std::cmp::Reverse((sum.failed, sum.subjects)));
        odd.into_iter().take(ADDRESSES).map(|(ip, sum)| Address::of(&ip, &sum)).collect()
    }
}

impl Address {
    fn of(ip: &str, sum: &Sum) -> Self {
        Self {
            ip: ip.to_owned(),
            tried: grouped(sum.count),
            failed: grouped(sum.failed),
            users: grouped(sum.subjects),
            is_bad: sum.failed * 2 > sum.count,
            query: form_urlencoded::Serializer::new(String::new()).append_pair("ip", ip).finish(),
        }
    }
}

/// The points of one name over all buckets. Users are not added up: one who comes back is no other.
#[derive(Default)]
struct Sum {
    count: u64,
    failed: u64,
    subjects: u64,
}

fn by_name(points: &[Point]) -> BTreeMap<Option<Arc<str>>, Sum> {
    let mut sums: BTreeMap<Option<Arc<str>>, Sum> = BTreeMap::new();
    for point in points {
        let sum = sums.entry(point.name.clone()).or_default();
        sum.count += point.count;
        sum.failed += point.failed.unwrap_or_default();
        sum.subjects = sum.subjects.max(point.subjects.unwrap_or_default());
    }
    sums
}

fn failed(points: &[Point]) -> u64 {
    points.iter().filter_map(|point| point.failed).sum()
}

/// The greatest, and what is left as one.
fn bars(points: &[Point], unknown: &str) -> Vec<Bar> {
    let mut sums: Vec<(String, u64)> = by_name(points)
        .into_iter()
        .map(|(name, sum)| {
            (name.map_or_else(|| unknown.to_owned(), |name| name.to_string()), sum.count)
        })
        .collect();
    sums.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let rest: u64 = sums.iter().skip(BARS).map(|(_, count)| count).sum();
    sums.truncate(BARS);
    if rest > 0 {
        sums.push(("Others".into(), rest));
    }
    let all = sums.iter().map(|(_, count)| *count).max().unwrap_or_default().max(1);
    let bar = |(name, count): (String, u64)| Bar {
        name,
        count: grouped(count),
        width: (count * 100).div_ceil(all),
    };
    sums.into_iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_core::time::Timestamp;

    fn point(at: i64, name: Option<&str>, count: u64, failed: u64, subjects: u64) -> Point {
        let mut point = Point::new(Timestamp::from_millis(at), name.map(Into::into), count);
        (point.failed, point.subjects) = (Some(failed), Some(subjects));
        point
    }

    #[test]
    fn bars_are_the_greatest_and_one_for_the_rest() {
        let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let points: Vec<Point> =
            (0..).zip(names).map(|(at, name)| point(at, Some(name), 10, 0, 0)).collect();
        let bars = bars(&points, "?");
        assert_eq!(bars.len(), BARS + 1);
        assert_eq!((bars[0].width, &*bars[BARS].name, &*bars[BARS].count), (50, "Others", "20"));
        assert!(super::bars(&[], "?").is_empty());
    }

    #[test]
    fn f10_an_address_is_odd_by_failures_or_by_users() {
        let figures = Figures {
            active: vec![],
            logins: vec![],
            users: vec![],
            durations: vec![],
            devices: vec![],
            countries: vec![],
            ips: vec![
                point(1, Some("203.0.113.1"), 9, 0, 1),
                point(1, Some("203.0.113.2"), 4, 2, 1),
                point(2, Some("203.0.113.2"), 4, 3, 2),
                point(1, Some("203.0.113.3"), 9, 0, 7),
                point(1, None, 90, 90, 90),
            ],
        };
        let odd: Vec<_> = figures.addresses().into_iter().map(|one| (one.ip, one.is_bad)).collect();
        assert_eq!(odd, [("203.0.113.2".to_owned(), true), ("203.0.113.3".to_owned(), false)]);
    }
}
