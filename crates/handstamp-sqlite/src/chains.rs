//! Chains of the audit log: where they end and where they were cut.

use handstamp_core::chain::{ChainEnd, Cut, Link, Sealer};
use handstamp_core::store::StoreError;
use handstamp_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::fault::Fault;
use crate::rows::{Columns, signed};
use crate::state::State;
use crate::writer::{Care, Reply, Work};

/// Events that go in one transaction: a commit that shares it waits about a millisecond.
const STEP: usize = 64;

const OLDEST: &str = "SELECT number, last_event, link, first_place, events, until_at FROM batches
    WHERE writer = ?1 AND number <= ?2 ORDER BY number LIMIT 1";

const CUT: &str =
    "INSERT INTO cuts (writer, batch, event, link, key_id, signature, place, until_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT (writer) DO UPDATE SET batch = ?2, event = ?3, link = ?4, key_id = ?5,
    signature = ?6, place = ?7, until_at = ?8";

/// The writers whose chains are here, or were cut.
pub(crate) fn writers(connection: &Connection) -> Result<Vec<u32>, Fault> {
    let sql = "SELECT DISTINCT writer FROM batches UNION SELECT writer FROM cuts ORDER BY 1";
    let mut statement = connection.prepare_cached(sql)?;
    let writers = statement.query_map([], |row| row.get(0))?;
    Ok(writers.collect::<Result<_, _>>()?)
}

/// Where the chains were cut.
pub(crate) fn cuts(connection: &Connection) -> Result<Vec<Cut>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT writer, batch, event, link, key_id, signature FROM cuts ORDER BY writer",
    )?;
    let mut rows = statement.query([])?;
    let mut cuts = Vec::new();
    while let Some(row) = rows.next()? {
        cuts.push(read_cut(row)?);
    }
    Ok(cuts)
}

fn read_cut(row: &Row<'_>) -> Result<Cut, Fault> {
    let mut columns = Columns::of(row);
    let writer = columns.next("writer")?;
    let (batch, event) = (columns.count("batch")?, columns.count("event")?);
    let end = ChainEnd { writer, batch, event, link: Link(columns.next("link")?) };
    Ok(Cut { end, key_id: columns.next("key_id")?, signature: columns.next("signature")? })
}

/// How far each chain had happened before `before`.
pub(crate) fn ends(connection: &Connection, before: Timestamp) -> Result<Vec<ChainEnd>, Fault> {
    let moment = connection.unchecked_transaction()?;
    let cuts = cuts(&moment)?;
    let mut ends = Vec::new();
    for writer in writers(&moment)? {
        let cut = cuts.iter().find(|cut| cut.end.writer == writer);
        let start = cut.map_or(ChainEnd::start(writer), |cut| cut.end);
        let last = last_before(&moment, writer, before.as_millis())?;
        ends.push(last.unwrap_or(start));
    }
    Ok(ends)
}

/// The last batch of `writer` up to which all had happened before `before`; halved, for it never
/// goes back along a chain.
fn last_before(
    connection: &Connection,
    writer: u32,
    before: i64,
) -> Result<Option<ChainEnd>, Fault> {
    let sql = "SELECT coalesce(min(number), 1) - 1, coalesce(max(number), 0) FROM batches
               WHERE writer = ?1";
    let (start, mut high): (i64, i64) = connection
        .prepare_cached(sql)?
        .query_row([writer], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut low = start;
    while low < high {
        let middle = low + (high - low + 1) / 2;
        match end_of(connection, writer, middle)? {
            Some((_, until)) if until < before => low = middle,
            _ => high = middle - 1,
        }
    }
    if low == start { Ok(None) } else { Ok(end_of(connection, writer, low)?.map(|(end, _)| end)) }
}

/// The place after a batch, and when all up to there had happened.
fn end_of(
    connection: &Connection,
    writer: u32,
    number: i64,
) -> Result<Option<(ChainEnd, i64)>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT number, last_event, link, until_at FROM batches WHERE writer = ?1 AND number = ?2",
    )?;
    let mut rows = statement.query(params![writer, number])?;
    rows.next()?
        .map(|row| {
            let mut columns = Columns::of(row);
            let (batch, event) = (columns.count("number")?, columns.count("last_event")?);
            let end = ChainEnd { writer, batch, event, link: Link(columns.next("link")?) };
            Ok((end, columns.next("until_at")?))
        })
        .transpose()
}

/// A cut on its way to the writer.
pub(crate) struct CutOff {
    through: Vec<ChainEnd>,
    sealer: Sealer,
    removed: usize,
    removed_now: usize,
    reply: Reply<usize>,
}

impl CutOff {
    /// Cuts the chains off up to `through`; how many events went is answered to `reply`.
    pub(crate) const fn of(through: Vec<ChainEnd>, sealer: Sealer, reply: Reply<usize>) -> Self {
        Self { through, sealer, removed: 0, removed_now: 0, reply }
    }
}

impl Work for CutOff {
    fn step(&mut self, connection: &Connection, _: &mut State, _: Care) -> Result<(), Fault> {
        self.removed_now = 0;
        for end in &self.through {
            let left = STEP.saturating_sub(self.removed_now);
            self.removed_now += cut(connection, end, &self.sealer, left)?;
        }
        Ok(())
    }

    fn is_erased(&self) -> bool {
        // Nothing cut off is nothing to overwrite.
        self.removed_now < STEP && self.removed + self.removed_now > 0
    }

    fn settle(mut self: Box<Self>) -> Option<Box<dyn Work>> {
        self.removed += self.removed_now;
        if self.removed_now >= STEP {
            return Some(self);
        }
        let _ = self.reply.send(Ok(self.removed));
        None
    }

    fn fail(self: Box<Self>, error: StoreError) {
        let _ = self.reply.send(Err(error));
    }
}

/// Removes whole batches from the beginning of a chain, up to `through` and until `enough` events
/// went; answers how many did.
fn cut(
    connection: &Connection,
    through: &ChainEnd,
    sealer: &Sealer,
    enough: usize,
) -> Result<usize, Fault> {
    let (mut removed, mut last) = (0, None);
    while removed < enough {
        let values = params![through.writer, signed(through.batch)?];
        let oldest = connection
            .prepare_cached(OLDEST)?
            .query_row(values, |row| Oldest::read(through.writer, row))
            .optional()?;
        let Some(oldest) = oldest else { break };
        removed += oldest.remove(connection)?;
        last = Some(oldest);
    }
    if let Some(oldest) = last {
        oldest.sign(connection, sealer)?;
    }
    Ok(removed)
}

/// The oldest batch of a chain.
struct Oldest {
    end: ChainEnd,
    first: i64,
    count: i64,
    until: i64,
}

impl Oldest {
    fn read(writer: u32, row: &Row<'_>) -> rusqlite::Result<Self> {
        let (batch, event): (i64, i64) = (row.get(0)?, row.get(1)?);
        let (batch, event) = (batch.unsigned_abs(), event.unsigned_abs());
        let end = ChainEnd { writer, batch, event, link: Link(row.get(2)?) };
        Ok(Self { end, first: row.get(3)?, count: row.get(4)?, until: row.get(5)? })
    }

    fn remove(&self, connection: &Connection) -> Result<usize, Fault> {
        let range = [self.first, self.first.saturating_add(self.count)];
        let sql = "DELETE FROM events WHERE place >= ?1 AND place < ?2";
        let removed = connection.prepare_cached(sql)?.execute(range)?;
        connection
            .prepare_cached("DELETE FROM batches WHERE writer = ?1 AND number = ?2")?
            .execute(params![self.end.writer, signed(self.end.batch)?])?;
        Ok(removed.max(1))
    }

    fn sign(&self, connection: &Connection, sealer: &Sealer) -> Result<(), Fault> {
        let Cut { end, key_id, signature } = sealer.cut(self.end);
        connection.prepare_cached(CUT)?.execute(params![
            end.writer,
            signed(end.batch)?,
            signed(end.event)?,
            end.link.0,
            key_id,
            signature,
            self.first.saturating_add(self.count) - 1,
            self.until,
        ])?;
        Ok(())
    }
}
