//! Adding up events: read and summed by a thread that reads, added by the writer if nothing has
//! changed meanwhile, together with the place up to which they were read.

use handstamp_core::event::Event;
use handstamp_core::id::SessionId;
use handstamp_core::ledger::tally::{Figure, Open, Place, Standing, Sums, Visit};
use handstamp_core::store::StoreError;
use handstamp_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::entries::most;
use crate::events;
use crate::fault::Fault;
use crate::rows::signed;
use crate::state::State;
use crate::writer::{Care, Reply, Work};

const ADD: &str =
    "INSERT INTO figures (report, bucket, at, name, count, failed, subjects, total_ms)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT (report, bucket, at, name) DO UPDATE SET count = count + ?5, failed = failed + ?6,
    subjects = subjects + ?7, total_ms = total_ms + ?8
    RETURNING count, failed";

const VISIT: &str = "INSERT INTO visits (bucket, at, subject, ip, count, failed)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (bucket, at, subject, ip) DO UPDATE SET count = count + ?5, failed = failed + ?6
    RETURNING count";

const LIVE: &str = "INSERT INTO live_devices (device, live) VALUES (?1, ?2)
    ON CONFLICT (device) DO UPDATE SET live = live + ?2";

const OPEN: &str =
    "INSERT OR REPLACE INTO open_sessions (id, began, device, epoch) VALUES (?1, ?2, ?3, ?4)";

/// Sums of events, and between which places of the log these lie.
pub(super) struct Read {
    sums: Sums,
    changes: i64,
    place: i64,
}

impl Read {
    /// How many events it is good for; those that cannot be read are none.
    pub(super) const fn taken(&self) -> usize {
        self.sums.taken
    }
}

/// Where the roll-ups stand.
struct At {
    place: i64,
    changes: i64,
    standing: Standing,
}

fn at(connection: &Connection) -> Result<At, Fault> {
    let sql = "SELECT place, changes, epoch, live FROM roll_up";
    let row = connection.prepare_cached(sql)?.query_row([], |row| {
        let (place, changes, epoch, live): (_, _, i64, _) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        Ok(At { place, changes, standing: Standing { epoch: epoch.unsigned_abs(), live } })
    });
    Ok(row?)
}

/// Sums up to `limit` events that were not yet; `None` when there are none.
pub(super) fn read(connection: &Connection, limit: usize) -> Result<Option<Read>, Fault> {
    let moment = connection.unchecked_transaction()?;
    let At { place, changes, standing } = at(&moment)?;
    let found = events::after(&moment, place, most(limit))?;
    let Some((last, _)) = found.last() else { return Ok(None) };
    let mut place = *last;
    let (places, events): (Vec<i64>, Vec<Event>) =
        found.into_iter().filter_map(|(place, event)| Some((place, event?))).unzip();
    let sums = Sums::of(&events, standing, |id| find_open(&moment, id))?;
    if sums.taken < events.len()
        && let Some(stopped) = sums.taken.checked_sub(1)
    {
        place = places[stopped];
    }
    Ok(Some(Read { sums, changes, place }))
}

fn find_open(connection: &Connection, id: SessionId) -> Result<Option<Open>, Fault> {
    let sql = "SELECT began, device, epoch FROM open_sessions WHERE id = ?1";
    let found = connection.prepare_cached(sql)?.query_row([id.as_bytes()], |row| {
        let began = Timestamp::from_millis(row.get(0)?);
        let epoch: i64 = row.get(2)?;
        Ok(Open { began, device: row.get(1)?, epoch: epoch.unsigned_abs() })
    });
    Ok(found.optional()?)
}

/// Sums on their way to the writer.
pub(super) struct Add {
    read: Read,
    is_added: bool,
    reply: Reply<bool>,
}

impl Add {
    /// Adds what was `read`; whether it did, because nobody was faster, goes to `reply`.
    pub(super) const fn of(read: Read, reply: Reply<bool>) -> Self {
        Self { read, is_added: false, reply }
    }
}

impl Work for Add {
    fn step(&mut self, connection: &Connection, _: &mut State, _: Care) -> Result<(), Fault> {
        self.is_added = at(connection)?.changes == self.read.changes;
        if self.is_added { add(connection, &self.read) } else { Ok(()) }
    }

    fn settle(self: Box<Self>) -> Option<Box<dyn Work>> {
        let _ = self.reply.send(Ok(self.is_added));
        None
    }

    fn fail(self: Box<Self>, error: StoreError) {
        let _ = self.reply.send(Err(error));
    }
}

fn add(connection: &Connection, read: &Read) -> Result<(), Fault> {
    let Read { sums, place, changes } = read;
    for (place, figure) in &sums.figures {
        add_figure(connection, place, *figure)?;
    }
    for (visit, figure) in &sums.visits {
        add_visit(connection, visit, *figure)?;
    }
    for (id, open) in &sums.opened {
        let Open { began, device, epoch } = open;
        let values = params![id.as_bytes(), began.as_millis(), &**device, signed(*epoch)?];
        connection.prepare_cached(OPEN)?.execute(values)?;
    }
    let mut close = connection.prepare_cached("DELETE FROM open_sessions WHERE id = ?1")?;
    for id in &sums.closed {
        close.execute([id.as_bytes()])?;
    }
    for (device, more) in &sums.live {
        connection.prepare_cached(LIVE)?.execute(params![&**device, more])?;
    }
    let gone = if sums.is_reset {
        "DELETE FROM live_devices"
    } else {
        "DELETE FROM live_devices WHERE live = 0"
    };
    connection.prepare_cached(gone)?.execute([])?;
    let sql = "UPDATE roll_up SET place = ?1, changes = ?2, epoch = ?3, live = ?4";
    let Standing { epoch, live } = sums.standing;
    connection.prepare_cached(sql)?.execute(params![place, changes + 1, signed(epoch)?, live])?;
    Ok(())
}

fn add_figure(connection: &Connection, place: &Place, figure: Figure) -> Result<(), Fault> {
    let after = count(connection, place, figure)?;
    let before = Figure::of(after.count - figure.count, after.failed - figure.failed);
    if let Some(place) = place.newcomer(before, after) {
        count(connection, &place, Figure::NEWCOMER)?;
    }
    Ok(())
}

fn add_visit(connection: &Connection, visit: &Visit, figure: Figure) -> Result<(), Fault> {
    let Visit { bucket, at, subject, ip } = visit;
    let values =
        params![bucket.as_str(), at.as_millis(), &**subject, &**ip, figure.count, figure.failed];
    let count_now: i64 = connection.prepare_cached(VISIT)?.query_row(values, |row| row.get(0))?;
    if count_now == figure.count {
        count(connection, &visit.place(), Figure::NEWCOMER)?;
    }
    Ok(())
}

/// Adds to a figure; answers what it is then.
pub(super) fn count(
    connection: &Connection,
    place: &Place,
    figure: Figure,
) -> Result<Figure, Fault> {
    let Place { report, bucket, at, name } = place;
    let Figure { count, failed, subjects, total_ms } = figure;
    let (report, bucket) = (report.as_str(), bucket.as_str());
    let values =
        params![report, bucket, at.as_millis(), &**name, count, failed, subjects, total_ms];
    let after = connection
        .prepare_cached(ADD)?
        .query_row(values, |row| Ok(Figure::of(row.get(0)?, row.get(1)?)))?;
    Ok(after)
}
