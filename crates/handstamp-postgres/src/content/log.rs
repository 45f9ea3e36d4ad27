//! The audit log, batch by batch.

use std::collections::BTreeMap;

use handstamp_core::transfer::{BATCHES, EVENTS, Row, Stretch, TransferError, Value};
use sqlx::AssertSqlSafe;

use super::rows::{self, names, read, read_batch};
use crate::fault::Fault;
use crate::link::{Link, Transaction};
use crate::rows::Columns;

/// The chains of writers end with these batches.
const TIP: &str = "
INSERT INTO handstamp.writers (writer, batch, event, link, until_at)
SELECT b.writer, b.number, b.last_event, b.link, b.until_at
FROM unnest($1::BIGINT[], $2::BIGINT[]) AS last (writer, number)
JOIN handstamp.batches b ON b.writer = last.writer AND b.number = last.number
ON CONFLICT (writer) DO UPDATE SET batch = excluded.batch, event = excluded.event,
    link = excluded.link, until_at = excluded.until_at";

const CUT: &str = "
WITH gone AS (
    DELETE FROM handstamp.batches WHERE writer = $1 AND number <= $2 RETURNING last_event
)
DELETE FROM handstamp.events WHERE writer = $1 AND number <= (SELECT max(last_event) FROM gone)";

/// The batches of `writer` after number `after`, oldest first.
pub(super) async fn list(
    link: &Link,
    writer: u32,
    after: u64,
    limit: usize,
) -> Result<Vec<Stretch>, Fault> {
    let (writer, after) = (i64::from(writer), i64::try_from(after).unwrap_or(i64::MAX));
    let sql = format!(
        "SELECT {} FROM handstamp.batches WHERE writer = $1 AND number > $2
         ORDER BY number LIMIT {limit}",
        names(BATCHES.columns)
    );
    let batches =
        link.rows(|| sqlx::query(AssertSqlSafe(sql.clone())).bind(writer).bind(after)).await?;
    let batches = batches.iter().map(read_batch).collect::<Result<Vec<_>, _>>()?;
    let (Some(first), Some(last)) = (batches.first(), batches.last()) else {
        return Ok(Vec::new());
    };
    let (first, last) = (number(first, FIRST), number(last, LAST));
    let sql = format!(
        "SELECT place, {} FROM handstamp.events WHERE writer = $1 AND number BETWEEN $2 AND $3
         ORDER BY number",
        names(EVENTS.columns)
    );
    let lines = || sqlx::query(AssertSqlSafe(sql.clone())).bind(writer).bind(first).bind(last);
    let mut lines = link
        .rows(lines)
        .await?
        .into_iter()
        .map(|row| {
            let mut columns = Columns::of(&row);
            Ok((columns.next::<i64>("place")?, read(&mut columns, EVENTS.columns)?))
        })
        .collect::<Result<Vec<_>, Fault>>()?
        .into_iter()
        .peekable();
    let stretch = |batch: Row| {
        let last = number(&batch, LAST);
        let mut stretch = Stretch { place: 0, batch, events: Vec::new() };
        while let Some((place, event)) = lines.next_if(|(_, event)| number(event, 1) <= last) {
            stretch.place = if stretch.events.is_empty() { place } else { stretch.place };
            stretch.events.push(event);
        }
        stretch
    };
    Ok(batches.into_iter().map(stretch).collect())
}

/// Where a batch has its first and its last event.
const FIRST: usize = 4;
const LAST: usize = 5;

fn number(row: &Row, at: usize) -> i64 {
    match row.get(at) {
        Some(Value::Number(number)) => *number,
        _ => 0,
    }
}

/// Refuses what no text of PostgreSQL can hold.
pub(super) fn check(log: &[Stretch]) -> Result<(), TransferError> {
    log.iter().try_for_each(|stretch| rows::check(&EVENTS, &stretch.events))
}

/// Adds batches at the end.
pub(super) async fn append(transaction: &mut Transaction, log: &[Stretch]) -> Result<(), Fault> {
    let events: Vec<&Row> = log.iter().flat_map(|stretch| &stretch.events).collect();
    rows::add_events(transaction, &events).await?;
    let batches: Vec<&Row> = log.iter().map(|stretch| &stretch.batch).collect();
    rows::put_batches(transaction, &batches).await?;
    let ends: BTreeMap<i64, i64> =
        batches.iter().map(|batch| (number(batch, 0), number(batch, 1))).collect();
    let (writers, numbers): (Vec<i64>, Vec<i64>) = ends.into_iter().unzip();
    transaction.run(sqlx::query(TIP).bind(writers).bind(numbers)).await?;
    Ok(())
}

/// Makes a batch what `stretch` is: parts of it were erased since.
pub(super) async fn mend(transaction: &mut Transaction, stretch: &Stretch) -> Result<(), Fault> {
    let events: Vec<&Row> = stretch.events.iter().collect();
    rows::mend_events(transaction, &events).await?;
    rows::put_batches(transaction, &[&stretch.batch]).await
}

/// Removes the batches of `writer` up to number `through`.
pub(super) async fn cut(
    transaction: &mut Transaction,
    writer: u32,
    through: u64,
) -> Result<(), Fault> {
    let through = i64::try_from(through).unwrap_or(i64::MAX);
    transaction.run(sqlx::query(CUT).bind(i64::from(writer)).bind(through)).await?;
    Ok(())
}
