//! From the rows of a ledger to the points of a report: for the authors of ledgers.

use std::sync::Arc;
use std::time::Duration;

use super::lengths::quantile;
use super::report::{Point, Report};
use super::tally::Figure;
use crate::time::Timestamp;

/// A name, empty where there is none, and its figure.
pub type Row = (Arc<str>, Figure);

/// The points of `report` for the bucket that begins at `at`. `rows` are those of the bucket: of a
/// report with names the greatest, in order; of another one all, by name.
pub fn points_of(report: Report, at: Timestamp, rows: Vec<Row>) -> Vec<Point> {
    match report {
        Report::Logins | Report::Active => vec![total(report, at, &rows)],
        Report::Durations => vec![durations(at, &rows)],
        _ => {
            let some = rows.into_iter().filter(|(_, figure)| figure.count > 0);
            some.map(|(name, figure)| named(report, at, name, figure)).collect()
        }
    }
}

fn total(report: Report, at: Timestamp, rows: &[Row]) -> Point {
    let all = sum(rows);
    let mut point = Point::new(at, None, count(all.count));
    if report == Report::Logins {
        (point.failed, point.subjects) = (Some(count(all.failed)), Some(count(all.subjects)));
    }
    point
}

fn durations(at: Timestamp, rows: &[Row]) -> Point {
    let all = sum(rows);
    let class = |(name, figure): &Row| Some((name.parse().ok()?, count(figure.count)));
    let classes: Vec<_> = rows.iter().filter_map(class).collect();
    let mut point = Point::new(at, None, count(all.count));
    let mean = count(all.total_ms).checked_div(point.count);
    point.mean = mean.map(Duration::from_millis);
    (point.median, point.p95) = (quantile(&classes, 50), quantile(&classes, 95));
    point
}

fn named(report: Report, at: Timestamp, name: Arc<str>, figure: Figure) -> Point {
    let name = (!name.is_empty()).then_some(name);
    let mut point = Point::new(at, name, count(figure.count));
    if matches!(report, Report::Users | Report::Ips) {
        point.failed = Some(count(figure.failed));
    }
    if report == Report::Ips {
        point.subjects = Some(count(figure.subjects));
    }
    point
}

fn sum(rows: &[Row]) -> Figure {
    let mut all = Figure::default();
    rows.iter().for_each(|(_, figure)| all.add(*figure));
    all
}

fn count(figure: i64) -> u64 {
    figure.try_into().unwrap_or(0)
}
