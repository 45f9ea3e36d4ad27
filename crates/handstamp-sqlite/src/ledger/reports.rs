//! Reports, read off the figures.

use handstamp_core::ledger::points::{Row, points_of};
use handstamp_core::ledger::report::{MOST_NAMES, Span};
use handstamp_core::ledger::tally::Figure;
use handstamp_core::ledger::{Point, Report, Series};
use handstamp_core::time::Timestamp;
use rusqlite::{Connection, Params, params};

use super::entries::most;
use crate::fault::Fault;

const ALL: &str = "SELECT name, count, failed, subjects, total_ms FROM figures
    WHERE report = ?1 AND bucket = ?2 AND at = ?3 ORDER BY name";

const GREATEST: &str = "SELECT name, count, failed, subjects, total_ms FROM figures
    WHERE report = ?1 AND bucket = ?2 AND at = ?3 ORDER BY count DESC, name LIMIT ?4";

const LIVE: &str = "SELECT device, live, 0, 0, 0 FROM live_devices
    ORDER BY live DESC, device LIMIT ?1";

const BEFORE: &str = "SELECT coalesce(sum(count), 0) FROM figures
    WHERE report = ?1 AND bucket = ?2 AND at < ?3";

/// The series of `report` over `span`, all as of one moment.
pub(super) fn report(connection: &Connection, report: Report, span: Span) -> Result<Series, Fault> {
    let moment = connection.unchecked_transaction()?;
    let points = match report {
        Report::Active => active(&moment, span)?,
        Report::LiveDevices => points_of(report, span.to, rows(&moment, LIVE, [most(MOST_NAMES)])?),
        _ => {
            let mut points = Vec::new();
            for at in span.starts() {
                points.extend(points_of(report, at, of_bucket(&moment, report, span, at)?));
            }
            points
        }
    };
    Ok(span.series(points))
}

fn of_bucket(
    connection: &Connection,
    report: Report,
    span: Span,
    at: Timestamp,
) -> Result<Vec<Row>, Fault> {
    let (name, bucket, at) = (report.as_str(), span.bucket.as_str(), at.as_millis());
    if report.has_names() {
        rows(connection, GREATEST, params![name, bucket, at, most(MOST_NAMES)])
    } else {
        rows(connection, ALL, params![name, bucket, at])
    }
}

fn rows(connection: &Connection, sql: &str, values: impl Params) -> Result<Vec<Row>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(values, |row| {
        let (count, failed) = (row.get(1)?, row.get(2)?);
        let (subjects, total_ms) = (row.get(3)?, row.get(4)?);
        Ok((row.get(0)?, Figure { count, failed, subjects, total_ms }))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many were live at the end of each bucket: all that came and went until then.
fn active(connection: &Connection, span: Span) -> Result<Vec<Point>, Fault> {
    let (name, bucket) = (Report::Active.as_str(), span.bucket.as_str());
    let mut live: i64 = connection
        .prepare_cached(BEFORE)?
        .query_row(params![name, bucket, span.from.as_millis()], |row| row.get(0))?;
    let mut points = Vec::new();
    for at in span.starts() {
        let more = of_bucket(connection, Report::Active, span, at)?;
        live += more.iter().map(|(_, figure)| figure.count).sum::<i64>();
        points.push(Point::new(at, None, live.try_into().unwrap_or(0)));
    }
    Ok(points)
}

#[cfg(test)]
mod tests {
    use rusqlite::types::Null;

    use super::*;

    /// Ten million events cost what ten thousand do: a report reads the rows that it shows, in the
    /// order in which it shows them.
    #[test]
    fn f09_a_report_reads_what_it_shows_and_nothing_else() {
        let connection = Connection::open_in_memory().unwrap();
        for sql in crate::schema::MIGRATIONS {
            connection.execute_batch(sql).unwrap();
        }
        for sql in [ALL, GREATEST, BEFORE] {
            let plan = format!("EXPLAIN QUERY PLAN {sql}");
            let mut statement = connection.prepare(&plan).unwrap();
            let values = vec![Null; statement.parameter_count()];
            let steps = statement.query_map(rusqlite::params_from_iter(values), |row| row.get(3));
            let steps: Vec<String> = steps.unwrap().map(Result::unwrap).collect();
            assert_eq!(steps.len(), 1, "{steps:?}");
            assert!(steps[0].starts_with("SEARCH figures USING "), "{steps:?}");
        }
    }
}
