//! What a batch costs at the least: the statements alone, with values that lie ready.

use std::path::Path;
use std::time::{Duration, Instant};

use handstamp::record::{Body, Record};
use rusqlite::{Connection, params};

use super::BATCH;
use crate::Fault;
use crate::peers::Synchronous;

const STAMPS: &str = "SELECT version, subject, epoch, deployment_epoch, created_at, last_seen, \
    ended_at FROM sessions WHERE id = ?1";
const HEAD: &str = "SELECT version, epoch, is_disabled, roles, live, live_in, moved FROM heads \
    WHERE subject = ?1";
const REPLACE: &str = "UPDATE sessions SET version = ?2, change_id = ?3, epoch = ?4, \
    deployment_epoch = ?5, kind = ?6, transport = ?7, roles = ?8, authenticated_at = ?9, \
    last_seen = ?10, absolute_expiry = ?11, idle_ms = ?12, due_at = ?13, ip = ?14, \
    user_agent = ?15, device = ?16, country = ?17, location = ?18, label = ?19, \
    is_remembered = ?20, ended_at = ?21, ended_reason = ?22, body = ?23, data = ?24 \
    WHERE id = ?1 AND subject IS ?25 AND created_at = ?26";
const EVENT: &str = "INSERT INTO events (place, writer, number, id, at, action, subject, session, \
    actor, is_success, error, details, personal, salt, personal_hash) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
const SEAL: &str = "INSERT INTO batches (writer, number, key_id, link, first_place, events, \
    last_event) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const CHANGE: &str = "INSERT INTO changes (number, changes) VALUES (?1, ?2)";

/// A record with its texts.
struct Ready<'a> {
    record: &'a Record,
    version: i64,
    body: String,
    data: String,
    /// What the change log hears of it.
    change: String,
}

/// Changes per second, in transactions of 32.
pub(super) fn changes(
    folder: &Path,
    synchronous: Synchronous,
    records: &[Record],
    span: Duration,
) -> Result<f64, Fault> {
    let connection = connect(folder, synchronous)?;
    let mut ready = records.iter().map(prepare).collect::<Result<Vec<_>, Fault>>()?;
    let newest = "SELECT max(place) + 1000000 FROM events";
    let mut place: i64 = connection.query_row(newest, [], |row| row.get(0))?;
    let (mut changes, mut spent) = (0, Duration::ZERO);
    while spent < span {
        for chunk in ready.chunks_mut(BATCH) {
            let start = Instant::now();
            batch(&connection, chunk, place)?;
            spent += start.elapsed();
            place += i64::try_from(chunk.len())?;
            changes += chunk.len();
        }
    }
    Ok(changes as f64 / spent.as_secs_f64())
}

/// A connection with the pragmas of the store's writer.
fn connect(folder: &Path, synchronous: Synchronous) -> Result<Connection, Fault> {
    let connection = Connection::open(folder.join("sessions.db"))?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "journal_mode", "wal")?;
    let synchronous = if synchronous == Synchronous::Full { "full" } else { "normal" };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "wal_autocheckpoint", 4096)?;
    connection.pragma_update(None, "cache_size", -64 * 1024)?;
    Ok(connection)
}

fn prepare(record: &Record) -> Result<Ready<'_>, Fault> {
    Ok(Ready {
        record,
        version: i64::try_from(record.version)?,
        body: Body::to_json(record)?,
        data: serde_json::to_string(&record.data)?,
        change: format!(r#"{{"s":["{}",{},1,false]}}"#, record.id, record.version),
    })
}

fn batch(connection: &Connection, chunk: &mut [Ready<'_>], place: i64) -> Result<(), Fault> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let mut noted = String::from("[");
    for (at, ready) in (place..).zip(chunk.iter_mut()) {
        read(connection, ready.record)?;
        ready.version += 1;
        replace(connection, ready)?;
        event(connection, ready.record, at)?;
        noted.push_str(&ready.change);
    }
    let count = i64::try_from(chunk.len())?;
    let seal = params![1, place, 1, [7_u8; 32], place, count, place + count];
    connection.prepare_cached(SEAL)?.execute(seal)?;
    connection.prepare_cached(CHANGE)?.execute(params![place, noted])?;
    connection.prepare_cached("COMMIT")?.execute([])?;
    Ok(())
}

/// Reads what a change is decided by.
fn read(connection: &Connection, record: &Record) -> Result<(), Fault> {
    let subject = record.subject.as_ref().ok_or("a session of nobody")?;
    let version: i64 =
        connection.prepare_cached(STAMPS)?.query_row([record.id.as_bytes()], |row| row.get(0))?;
    let epoch: i64 =
        connection.prepare_cached(HEAD)?.query_row([subject.as_str()], |row| row.get(1))?;
    std::hint::black_box((version, epoch));
    Ok(())
}

fn replace(connection: &Connection, ready: &Ready<'_>) -> Result<(), Fault> {
    let record = ready.record;
    let none: Option<&str> = None;
    let idle = record.idle_lifetime.map(|idle| i64::try_from(idle.as_millis())).transpose()?;
    let changed = connection.prepare_cached(REPLACE)?.execute(params![
        record.id.as_bytes(),
        ready.version,
        record.change_id.as_bytes(),
        i64::try_from(record.epoch)?,
        i64::try_from(record.deployment_epoch)?,
        record.kind.as_str(),
        record.transport.as_str(),
        "",
        record.authenticated_at.as_millis(),
        record.last_seen.as_millis(),
        record.absolute_expiry.as_millis(),
        idle,
        record.due_at().as_millis(),
        none,
        record.client.user_agent.as_deref(),
        record.client.device.as_deref(),
        none,
        none,
        none,
        record.is_remembered,
        none,
        none,
        ready.body,
        ready.data,
        record.subject.as_ref().map(|subject| subject.as_str()),
        record.created_at.as_millis(),
    ])?;
    if changed == 1 { Ok(()) } else { Err("the row to change is not there".into()) }
}

fn event(connection: &Connection, record: &Record, place: i64) -> Result<(), Fault> {
    let none: Option<&str> = None;
    connection.prepare_cached(EVENT)?.execute(params![
        place,
        1,
        place,
        [7_u8; 16],
        record.last_seen.as_millis(),
        "session.refreshed",
        record.subject.as_ref().map(|subject| subject.as_str()),
        record.id.as_bytes(),
        none,
        true,
        none,
        "{}",
        none,
        [7_u8; 16],
        [7_u8; 32],
    ])?;
    Ok(())
}
