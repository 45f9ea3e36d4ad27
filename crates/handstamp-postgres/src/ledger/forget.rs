//! Addresses leave the figures: those of a subject, or old ones.

use std::collections::BTreeMap;

use handstamp_core::id::Subject;
use handstamp_core::ledger::Bucket;
use handstamp_core::ledger::tally::{Figure, Place, Visit};
use handstamp_core::time::Timestamp;
use sqlx::postgres::PgRow;

use super::roll_up::{HOLD, count};
use crate::fault::Fault;
use crate::link::{Link, With};
use crate::rows::{Columns, fit};

/// Rows that are removed in one transaction.
const STEP: i64 = 1000;

const THEIRS: &str = "DELETE FROM handstamp.visits WHERE subject = $1
    RETURNING bucket, at, ip, count, failed";

const EMPTY: &str = "
DELETE FROM handstamp.figures f USING unnest($1::TEXT[], $2::BIGINT[], $3::TEXT[])
    AS asked (bucket, at, name)
WHERE f.report = 'ips' AND f.bucket = asked.bucket AND f.at = asked.at AND f.name = asked.name
    AND f.count <= 0";

const TRIM: [&str; 2] = [
    "DELETE FROM handstamp.visits WHERE (bucket, at, subject, ip) IN (SELECT bucket, at, subject, ip
     FROM handstamp.visits WHERE bucket = $1 AND at < $2 LIMIT $3)",
    "DELETE FROM handstamp.figures WHERE (report, bucket, at, name) IN (SELECT report, bucket, at,
     name FROM handstamp.figures WHERE report = 'ips' AND bucket = $1 AND at < $2 LIMIT $3)",
];

/// Takes the visits of `subject` out.
pub(super) async fn forget(link: &Link, subject: &Subject) -> Result<(), Fault> {
    let mut transaction = link.begin(With::Served).await?;
    transaction.run(sqlx::query(HOLD)).await?;
    let theirs = sqlx::query(THEIRS).bind(fit(subject.as_str()).unwrap_or_default());
    let mut figures: BTreeMap<Place, Figure> = BTreeMap::new();
    for row in &transaction.rows(theirs).await? {
        let (place, figure) = read(subject, row)?;
        figures.entry(place).or_default().add(figure.forgotten());
    }
    count(&mut transaction, &figures).await?;
    let empty = sqlx::query(EMPTY)
        .bind(figures.keys().map(|place| place.bucket.as_str()).collect::<Vec<_>>())
        .bind(figures.keys().map(|place| place.at.as_millis()).collect::<Vec<_>>())
        .bind(figures.keys().map(|place| &*place.name).collect::<Vec<_>>());
    transaction.run(empty).await?;
    transaction.keep().await
}

fn read(subject: &Subject, row: &PgRow) -> Result<(Place, Figure), Fault> {
    let mut columns = Columns::of(row);
    let name: &str = columns.next("bucket")?;
    let bucket = Bucket::ALL.into_iter().find(|bucket| bucket.as_str() == name);
    let bucket = bucket.ok_or(Fault::Stored("bucket"))?;
    let (at, ip) = (columns.time("at")?, columns.next::<&str>("ip")?.into());
    let visit = Visit { bucket, at, subject: subject.as_str().into(), ip };
    Ok((visit.place(), Figure::of(columns.next("count")?, columns.next("failed")?)))
}

/// Removes some of what is told of addresses and began before `before`; answers whether there may
/// be more.
pub(super) async fn trim(link: &Link, before: Timestamp) -> Result<bool, Fault> {
    let mut transaction = link.begin(With::Served).await?;
    transaction.run(sqlx::query(HOLD)).await?;
    let mut has_more = false;
    for bucket in Bucket::ALL {
        for sql in TRIM {
            let trim = sqlx::query(sql).bind(bucket.as_str()).bind(before.as_millis()).bind(STEP);
            has_more |= i64::try_from(transaction.run(trim).await?).is_ok_and(|gone| gone == STEP);
        }
    }
    transaction.keep().await?;
    Ok(has_more)
}
