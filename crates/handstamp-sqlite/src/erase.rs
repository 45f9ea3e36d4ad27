//! Personal parts are erased, in steps, so that commits pass between them.

use handstamp_core::chain::ChainEnd;
use handstamp_core::id::{SessionId, Subject};
use handstamp_core::store::StoreError;
use rusqlite::{Connection, OptionalExtension, params};

use crate::fault::Fault;
use crate::rows::{self, Texts, signed};
use crate::state::State;
use crate::writer::{Care, Reply, Work};

/// Events or records in one transaction: a commit that shares it waits about a millisecond.
const STEP: usize = 64;

/// The salt goes too: with it, what little there is to know could be guessed from the hash.
const BLANK: &str = "UPDATE events SET personal = NULL, salt = zeroblob(16)
    WHERE place = ?1 AND writer = ?2 AND number <= ?3";

const BLANK_BATCH: &str = "UPDATE events SET personal = NULL, salt = zeroblob(16)
    WHERE place >= ?1 AND place < ?2 AND personal IS NOT NULL";

const NEXT_BATCH: &str = "SELECT number, first_place, events FROM batches
    WHERE writer = ?1 AND number <= ?2
    AND number > coalesce((SELECT batch FROM erased WHERE writer = ?1), 0)
    ORDER BY number LIMIT 1";

const ERASED: &str = "INSERT INTO erased (writer, batch) VALUES (?1, ?2)
    ON CONFLICT (writer) DO UPDATE SET batch = ?2";

/// Where an erasure is.
#[derive(Clone, Copy)]
enum At {
    /// After this event of the subject.
    Event(i64),
    /// After the tombstone that began then and has this id.
    Tombstone(i64, [u8; SessionId::LEN]),
    /// In all events, after the batches that are noted as erased.
    Batch,
    /// At the end.
    Done,
}

/// An erasure on its way to the writer.
pub(crate) struct Erase {
    subject: Option<Subject>,
    through: Vec<ChainEnd>,
    at: At,
    next: At,
    erased: usize,
    erased_now: usize,
    reply: Reply<usize>,
}

impl Erase {
    /// Erases what is personal of `subject`, or in all events, up to `through`; in how many events
    /// goes to `reply`.
    pub(crate) fn of(
        subject: Option<Subject>,
        through: Vec<ChainEnd>,
        reply: Reply<usize>,
    ) -> Self {
        let at = if subject.is_some() { At::Event(0) } else { At::Batch };
        Self { subject, through, at, next: at, erased: 0, erased_now: 0, reply }
    }
}

impl Work for Erase {
    fn step(&mut self, connection: &Connection, _: &mut State, _: Care) -> Result<(), Fault> {
        self.erased_now = 0;
        self.next = match (self.at, &self.subject) {
            (At::Event(after), Some(subject)) => {
                let (erased, next) = events(connection, subject, &self.through, after)?;
                self.erased_now = erased;
                next
            }
            (At::Tombstone(begun, id), Some(subject)) => {
                tombstones(connection, subject, begun, id)?
            }
            (At::Batch, _) => {
                let (erased, next) = batches(connection, &self.through)?;
                self.erased_now = erased;
                next
            }
            _ => At::Done,
        };
        Ok(())
    }

    fn is_erased(&self) -> bool {
        matches!(self.next, At::Done)
    }

    fn settle(mut self: Box<Self>) -> Option<Box<dyn Work>> {
        self.erased += self.erased_now;
        self.at = self.next;
        if !matches!(self.at, At::Done) {
            return Some(self);
        }
        let _ = self.reply.send(Ok(self.erased));
        None
    }

    fn fail(self: Box<Self>, error: StoreError) {
        let _ = self.reply.send(Err(error));
    }
}

/// The next events of a subject that are not blank.
fn events(
    connection: &Connection,
    subject: &Subject,
    through: &[ChainEnd],
    after: i64,
) -> Result<(usize, At), Fault> {
    let sql = format!(
        "SELECT place, writer FROM events WHERE subject = ?1 AND place > ?2
         AND personal IS NOT NULL ORDER BY place LIMIT {STEP}"
    );
    let found: Vec<(i64, u32)> = connection
        .prepare_cached(&sql)?
        .query_map(params![subject.as_str(), after], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut blank = connection.prepare_cached(BLANK)?;
    let mut erased = 0;
    for (place, writer) in &found {
        let Some(end) = through.iter().find(|end| end.writer == *writer) else { continue };
        erased += blank.execute(params![place, writer, signed(end.event)?])?;
    }
    let next = match found.last() {
        Some((place, _)) if found.len() == STEP => At::Event(*place),
        _ => At::Tombstone(i64::MIN, [0; SessionId::LEN]),
    };
    Ok((erased, next))
}

/// The next tombstones of a subject.
fn tombstones(
    connection: &Connection,
    subject: &Subject,
    begun: i64,
    id: [u8; SessionId::LEN],
) -> Result<At, Fault> {
    let sql = format!(
        "SELECT created_at, id FROM sessions WHERE subject = ?1 AND (created_at, id) > (?2, ?3)
         AND ended_at IS NOT NULL ORDER BY created_at, id LIMIT {STEP}"
    );
    let found: Vec<(i64, [u8; SessionId::LEN])> = connection
        .prepare_cached(&sql)?
        .query_map(params![subject.as_str(), begun, id], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (_, id) in &found {
        blank_record(connection, SessionId::from_bytes(*id))?;
    }
    Ok(match found.last() {
        Some((begun, id)) if found.len() == STEP => At::Tombstone(*begun, *id),
        _ => At::Done,
    })
}

fn blank_record(connection: &Connection, id: SessionId) -> Result<(), Fault> {
    let found = match rows::find(connection, id) {
        Err(fault) if fault.is_damage() => {
            tracing::error!(%id, %fault, "a record cannot be read, nor what is personal in it erased");
            return Ok(());
        }
        found => found?,
    };
    let Some(record) = found else { return Ok(()) };
    let mut blank = record.clone();
    blank.blank();
    if blank == record {
        return Ok(());
    }
    rows::write(connection, rows::Write::Replace, &blank, &Texts::of(&blank)?)
}

/// The next batches of each chain.
fn batches(connection: &Connection, through: &[ChainEnd]) -> Result<(usize, At), Fault> {
    let (mut erased, mut looked) = (0, 0);
    for end in through {
        while looked < STEP {
            let next: Option<(i64, i64, i64)> = connection
                .prepare_cached(NEXT_BATCH)?
                .query_row(params![end.writer, signed(end.batch)?], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })
                .optional()?;
            let Some((number, first, count)) = next else { break };
            let range = [first, first.saturating_add(count)];
            erased += connection.prepare_cached(BLANK_BATCH)?.execute(range)?;
            connection.prepare_cached(ERASED)?.execute(params![end.writer, number])?;
            looked += usize::try_from(count).unwrap_or(STEP).max(1);
        }
    }
    Ok((erased, if looked < STEP { At::Done } else { At::Batch }))
}
