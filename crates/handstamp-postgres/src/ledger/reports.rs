//! Reports, read off the figures.

use std::collections::BTreeMap;
use std::sync::Arc;

use handstamp_core::ledger::points::{Row, points_of};
use handstamp_core::ledger::report::{MOST_NAMES, Span};
use handstamp_core::ledger::tally::Figure;
use handstamp_core::ledger::{Point, Report, Series};
use handstamp_core::time::Timestamp;
use sqlx::postgres::PgRow;

use super::entries::most;
use crate::fault::Fault;
use crate::link::Link;
use crate::rows::Columns;

/// All of a bucket, by name.
const ALL: &str = "
SELECT b.at, f.name, f.count, f.failed, f.subjects, f.total_ms
FROM unnest($3::BIGINT[]) AS b (at)
CROSS JOIN LATERAL (
    SELECT name, count, failed, subjects, total_ms FROM handstamp.figures
    WHERE report = $1 AND bucket = $2 AND at = b.at ORDER BY name
) f ORDER BY b.at, f.name";

/// The greatest of a bucket, in order.
const GREATEST: &str = "
SELECT b.at, f.name, f.count, f.failed, f.subjects, f.total_ms
FROM unnest($3::BIGINT[]) AS b (at)
CROSS JOIN LATERAL (
    SELECT name, count, failed, subjects, total_ms FROM handstamp.figures
    WHERE report = $1 AND bucket = $2 AND at = b.at ORDER BY count DESC, name LIMIT $4
) f ORDER BY b.at, f.count DESC, f.name";

const LIVE: &str = "SELECT 0::BIGINT, device, live, 0::BIGINT, 0::BIGINT, 0::BIGINT
    FROM handstamp.live_devices ORDER BY live DESC, device LIMIT $1";

/// How many came and went until then: before the first bucket, and in each.
const ACTIVE: &str = "
SELECT (SELECT coalesce(sum(count), 0)::BIGINT FROM handstamp.figures
    WHERE report = $1 AND bucket = $2 AND at < $3), f.at, f.count
FROM (SELECT 1) AS one
LEFT JOIN handstamp.figures f ON report = $1 AND bucket = $2 AND at >= $3 AND at < $4";

/// The series of `report` over `span`, all as of one moment.
pub(super) async fn report(link: &Link, report: Report, span: Span) -> Result<Series, Fault> {
    let points = match report {
        Report::Active => active(link, span).await?,
        Report::LiveDevices => {
            let rows = link.rows(|| sqlx::query(LIVE).bind(most(MOST_NAMES))).await?;
            let rows = rows.iter().map(read).map(|row| Ok(row?.1)).collect::<Result<_, Fault>>()?;
            points_of(report, span.to, rows)
        }
        _ => by_bucket(link, report, span).await?,
    };
    Ok(span.series(points))
}

async fn by_bucket(link: &Link, report: Report, span: Span) -> Result<Vec<Point>, Fault> {
    let starts: Vec<i64> = span.starts().map(Timestamp::as_millis).collect();
    let sql = if report.has_names() { GREATEST } else { ALL };
    let (name, bucket) = (report.as_str(), span.bucket.as_str());
    let statement = || {
        let asked = sqlx::query(sql).bind(name).bind(bucket).bind(&starts);
        if report.has_names() { asked.bind(most(MOST_NAMES)) } else { asked }
    };
    let mut buckets: BTreeMap<i64, Vec<Row>> = BTreeMap::new();
    for row in &link.rows(statement).await? {
        let (at, row) = read(row)?;
        buckets.entry(at).or_default().push(row);
    }
    let mut points = Vec::new();
    for at in span.starts() {
        points.extend(points_of(report, at, buckets.remove(&at.as_millis()).unwrap_or_default()));
    }
    Ok(points)
}

fn read(row: &PgRow) -> Result<(i64, Row), Fault> {
    let mut columns = Columns::of(row);
    let at = columns.next("at")?;
    let name: Arc<str> = columns.next::<&str>("name")?.into();
    let (count, failed) = (columns.next("count")?, columns.next("failed")?);
    let (subjects, total_ms) = (columns.next("subjects")?, columns.next("total_ms")?);
    Ok((at, (name, Figure { count, failed, subjects, total_ms })))
}

/// How many were live at the end of each bucket: all that came and went until then.
async fn active(link: &Link, span: Span) -> Result<Vec<Point>, Fault> {
    let (name, bucket) = (Report::Active.as_str(), span.bucket.as_str());
    let (from, to) = (span.from.as_millis(), span.to.as_millis());
    let statement = || sqlx::query(ACTIVE).bind(name).bind(bucket).bind(from).bind(to);
    let (mut live, mut more) = (0_i64, BTreeMap::new());
    for row in &link.rows(statement).await? {
        let mut columns = Columns::of(row);
        live = columns.next("before")?;
        if let Some(at) = columns.next::<Option<i64>>("at")? {
            *more.entry(at).or_default() += columns.next::<i64>("count")?;
        }
    }
    let points = span.starts().map(|at| {
        live += more.get(&at.as_millis()).copied().unwrap_or(0);
        Point::new(at, None, live.try_into().unwrap_or(0))
    });
    Ok(points.collect())
}
