//! The audit log, batch by batch. The events of a batch lie side by side.

use handstamp_core::transfer::{EVENTS, Stretch, Value};
use rusqlite::{Connection, params, params_from_iter};

use super::rows::{Given, names, read};
use crate::fault::Fault;
use crate::rows::signed;

const BATCHES: &str = "SELECT writer, number, key_id, link, last_event - events + 1, last_event,
    until_at, first_place, events FROM batches WHERE writer = ?1 AND number > ?2
    ORDER BY number LIMIT ?3";

const END: &str = "SELECT max((SELECT coalesce(max(place), 0) FROM events),
    (SELECT coalesce(max(place), 0) FROM cuts))";

const ADD: &str = "INSERT INTO batches (writer, number, key_id, link, last_event, until_at,
    first_place, events) VALUES (?1, ?2, ?3, ?4, ?6, ?7, ?8, ?6 - ?5 + 1)";

const MEND: &str = "UPDATE batches SET key_id = ?3, link = ?4, last_event = ?6, until_at = ?7
    WHERE writer = ?1 AND number = ?2 AND first_place = ?8 AND events = ?6 - ?5 + 1";

/// The batches of `writer` after number `after`, oldest first.
pub(super) fn list(
    connection: &Connection,
    writer: u32,
    after: u64,
    limit: usize,
) -> Result<Vec<Stretch>, Fault> {
    let moment = connection.unchecked_transaction()?;
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = moment.prepare_cached(BATCHES)?;
    let mut found = statement.query(params![writer, after, limit])?;
    let sql = format!(
        "SELECT {} FROM events WHERE place >= ?1 AND place < ?2 ORDER BY place",
        names(EVENTS.columns)
    );
    let mut events_of = moment.prepare_cached(&sql)?;
    let mut log = Vec::new();
    while let Some(row) = found.next()? {
        let (place, count): (i64, i64) = (row.get(7)?, row.get(8)?);
        let mut events = Vec::new();
        let mut lines = events_of.query([place, place.saturating_add(count)])?;
        while let Some(line) = lines.next()? {
            events.push(read(line, EVENTS.columns.len())?);
        }
        log.push(Stretch { place, batch: read(row, 7)?, events });
    }
    Ok(log)
}

/// Adds batches at the end.
pub(super) fn append(connection: &Connection, log: &[Stretch]) -> Result<(), Fault> {
    let mut place: i64 = connection.prepare_cached(END)?.query_row([], |row| row.get(0))?;
    let marks = vec!["?"; EVENTS.columns.len()].join(", ");
    let sql = format!("INSERT INTO events ({}, place) VALUES ({marks}, ?)", names(EVENTS.columns));
    let mut add_event = connection.prepare_cached(&sql)?;
    let mut add = connection.prepare_cached(ADD)?;
    for stretch in log {
        let first = Value::Number(place + 1);
        add.execute(params_from_iter(stretch.batch.iter().chain([&first]).map(Given)))?;
        for event in &stretch.events {
            place += 1;
            let at = Value::Number(place);
            add_event.execute(params_from_iter(event.iter().chain([&at]).map(Given)))?;
        }
    }
    Ok(())
}

/// Makes the batch at `place` what `stretch` is: parts of it were erased since.
pub(super) fn mend(connection: &Connection, place: i64, stretch: &Stretch) -> Result<(), Fault> {
    let first = Value::Number(place);
    let values = stretch.batch.iter().chain([&first]).map(Given);
    if connection.prepare_cached(MEND)?.execute(params_from_iter(values))? != 1 {
        return Err(Fault::Stored("batch"));
    }
    let marks = vec!["?"; EVENTS.columns.len()].join(", ");
    let sql = format!("UPDATE events SET ({}) = ({marks}) WHERE place = ?", names(EVENTS.columns));
    let mut set = connection.prepare_cached(&sql)?;
    for (at, event) in (place..).zip(&stretch.events) {
        let at = Value::Number(at);
        set.execute(params_from_iter(event.iter().chain([&at]).map(Given)))?;
    }
    Ok(())
}

/// Removes the batches of `writer` up to number `through`.
pub(super) fn cut(connection: &Connection, writer: u32, through: u64) -> Result<(), Fault> {
    let through = signed(through.min(i64::MAX.unsigned_abs()))?;
    let events = "DELETE FROM events WHERE place IN (
        SELECT place FROM batches JOIN events
        ON place >= first_place AND place < first_place + batches.events
        WHERE batches.writer = ?1 AND batches.number <= ?2)";
    connection.prepare_cached(events)?.execute(params![writer, through])?;
    let batches = "DELETE FROM batches WHERE writer = ?1 AND number <= ?2";
    connection.prepare_cached(batches)?.execute(params![writer, through])?;
    Ok(())
}
