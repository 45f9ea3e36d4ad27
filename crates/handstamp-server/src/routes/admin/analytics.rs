//! Figures over time, from what the ledger has added up.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use handstamp_axum::problem::Problem;
use handstamp_core::SessionError;
use handstamp_core::ledger::{self, Report};
use handstamp_protocol::analytics::{Analytics, AnalyticsQuery, Bucket, Point, Series};

use super::problem;
use crate::answer::{time, timestamp};
use crate::body::out_of_range;
use crate::caller::Operator;
use crate::json::Body;
use crate::path::Path;
use crate::query::Query;
use crate::service::Service;

/// What a report goes over when nobody says: seven days.
const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// How many events are added up at a time.
const STEP: usize = 2000;

/// `GET /admin/analytics/{series}`.
pub(crate) async fn analytics(
    State(service): State<Arc<Service>>,
    _operator: Operator,
    Path(series): Path<String>,
    Query(query): Query<AnalyticsQuery>,
) -> Result<Body<Analytics>, Problem> {
    let report = report_of(&series)?;
    let to = query.to.map_or_else(|| service.sessions.now(), timestamp);
    let from = query.from.map_or_else(|| to.minus(WEEK), timestamp);
    if from >= to {
        return Err(out_of_range("from", "must be earlier than to"));
    }
    let bucket = match query.bucket.unwrap_or(Bucket::Day) {
        Bucket::Hour => ledger::Bucket::Hour,
        Bucket::Day => ledger::Bucket::Day,
        Bucket::Week => ledger::Bucket::Week,
        _ => return Err(out_of_range("bucket", "must be hour, day or week")),
    };
    add_up(&service).await?;
    let answer = service.ledger.report(report, from, to, bucket).await;
    Ok(Body(told(&answer.map_err(|error| problem(error.into()))?)))
}

fn report_of(series: &str) -> Result<Report, Problem> {
    match Series::from(series) {
        Series::Logins => Ok(Report::Logins),
        Series::Active => Ok(Report::Active),
        Series::Devices => Ok(Report::Devices),
        Series::Durations => Ok(Report::Durations),
        Series::Failures => Ok(Report::Failures),
        Series::Ips => Ok(Report::Ips),
        Series::Countries => Ok(Report::Countries),
        _ => Err(problem(SessionError::NotFound)),
    }
}

/// Takes what has happened since the last report into the figures.
///
/// # Errors
/// 503 when the ledger is out of reach.
pub(crate) async fn add_up(service: &Service) -> Result<(), Problem> {
    while service.ledger.roll_up(STEP).await.map_err(|error| problem(error.into()))? {}
    Ok(())
}

fn told(series: &ledger::Series) -> Analytics {
    let bucket = Bucket::from(series.bucket.as_str());
    let seconds = |span: Option<Duration>| span.map(|span| span.as_secs());
    let points = series.points.iter().map(|point| Point {
        at: time(point.at),
        name: point.name.as_deref().map(str::to_owned),
        count: point.count,
        failed: point.failed,
        subjects: point.subjects,
        mean_seconds: seconds(point.mean),
        median_seconds: seconds(point.median),
        p95_seconds: seconds(point.p95),
    });
    Analytics { from: time(series.from), to: time(series.to), bucket, points: points.collect() }
}
