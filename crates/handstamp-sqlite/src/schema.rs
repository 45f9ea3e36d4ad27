//! The tables, and how an older database is brought up to them.

use std::path::Path;

use handstamp_core::id::PartitionKey;
use handstamp_core::random::SystemRng;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use crate::error::SqliteError;

/// "HAND": marks a database as ours.
const APPLICATION: i32 = 0x4841_4e44;

/// What brings a database from version n to n + 1. Never change one that was released.
const MIGRATIONS: [&str; 1] = [V1];

/// The newest schema.
#[allow(clippy::cast_possible_truncation, reason = "there are few")]
const NEWEST: u32 = MIGRATIONS.len() as u32;

/// Records are found by id through a narrow index, and lie together by age: who is active began
/// lately, so busy rows share pages. Columns are what a condition, an order or a report needs; the
/// rest is `body`. Replaces set neither subject nor `created_at`, so most indexes stay untouched.
const V1: &str = "
CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    id BLOB NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    change_id BLOB NOT NULL,
    subject TEXT,
    epoch INTEGER NOT NULL,
    deployment_epoch INTEGER NOT NULL,
    kind TEXT NOT NULL,
    transport TEXT NOT NULL,
    roles TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    authenticated_at INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    absolute_expiry INTEGER NOT NULL,
    idle_ms INTEGER,
    due_at INTEGER NOT NULL,
    ip TEXT,
    user_agent TEXT,
    device TEXT,
    country TEXT,
    location TEXT,
    label TEXT,
    is_remembered INTEGER NOT NULL,
    ended_at INTEGER,
    ended_reason TEXT,
    body TEXT NOT NULL,
    data TEXT
) STRICT;
CREATE INDEX sessions_by_subject ON sessions (subject, created_at, id) WHERE subject IS NOT NULL;
CREATE INDEX sessions_by_age ON sessions (created_at, id);
CREATE INDEX sessions_due ON sessions (due_at, id) WHERE ended_at IS NULL;
CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE heads (
    subject TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    is_disabled INTEGER NOT NULL,
    roles TEXT,
    live INTEGER NOT NULL,
    -- The epoch of the deployment that `live` counts in; 0 are live in any other.
    live_in INTEGER NOT NULL,
    moved TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    place INTEGER PRIMARY KEY,
    writer INTEGER NOT NULL,
    number INTEGER NOT NULL,
    id BLOB NOT NULL,
    at INTEGER NOT NULL,
    action TEXT NOT NULL,
    subject TEXT,
    session BLOB,
    actor TEXT,
    is_success INTEGER NOT NULL,
    error TEXT,
    details TEXT NOT NULL,
    personal TEXT,
    salt BLOB NOT NULL,
    personal_hash BLOB NOT NULL
) STRICT;
CREATE INDEX events_by_subject ON events (subject) WHERE subject IS NOT NULL;
CREATE INDEX events_by_session ON events (session) WHERE session IS NOT NULL;

-- The events of a batch lie at `first_place` and after it without gaps.
CREATE TABLE batches (
    writer INTEGER NOT NULL,
    number INTEGER NOT NULL,
    key_id INTEGER NOT NULL,
    link BLOB NOT NULL,
    first_place INTEGER NOT NULL,
    events INTEGER NOT NULL,
    last_event INTEGER NOT NULL,
    PRIMARY KEY (writer, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE changes (
    number INTEGER PRIMARY KEY,
    changes TEXT NOT NULL
) STRICT;

CREATE TABLE bindings (
    session BLOB NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Brings the database at `path` up to the newest schema.
pub(crate) fn migrate(path: &Path, connection: &mut Connection) -> Result<(), SqliteError> {
    let of_sqlite = |error| SqliteError::of_sqlite(path, error);
    let found = check(path, connection)?;
    for (step, sql) in (0_u32..).zip(MIGRATIONS).skip(found as usize) {
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(of_sqlite)?;
        transaction.execute_batch(sql).map_err(of_sqlite)?;
        if step == 0 {
            found_deployment(path, &transaction)?;
        }
        transaction.pragma_update(None, "user_version", step + 1).map_err(of_sqlite)?;
        transaction.commit().map_err(of_sqlite)?;
    }
    Ok(())
}

/// The schema of the database; 0 for an empty file. One that is newer, or not ours, is refused.
/// Changes nothing.
pub(crate) fn check(path: &Path, connection: &Connection) -> Result<u32, SqliteError> {
    let found = version(path, connection)?;
    if found > NEWEST {
        return Err(SqliteError::NewerSchema { found, known: NEWEST });
    }
    Ok(found)
}

fn version(path: &Path, connection: &Connection) -> Result<u32, SqliteError> {
    let of_sqlite = |error| SqliteError::of_sqlite(path, error);
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let application = number("application_id").map_err(of_sqlite)?;
    let version = number("user_version").map_err(of_sqlite)?;
    if application == APPLICATION {
        return Ok(u32::try_from(version).unwrap_or(u32::MAX));
    }
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(of_sqlite)?;
    if application == 0 && version == 0 && tables == 0 {
        return Ok(0);
    }
    Err(SqliteError::NotOurs { path: path.to_owned() })
}

/// What is drawn once, when the database is made.
fn found_deployment(path: &Path, transaction: &Transaction<'_>) -> Result<(), SqliteError> {
    let key =
        PartitionKey::generate(&SystemRng).map_err(|error| SqliteError::other(path, error))?;
    transaction
        .execute(
            "INSERT INTO meta (name, value) VALUES
             ('partition_key', ?1), ('writer', 1), ('deployment', '{\"epoch\":0}')",
            params![key.as_bytes()],
        )
        .and_then(|_| transaction.pragma_update(None, "application_id", APPLICATION))
        .map_err(|error| SqliteError::of_sqlite(path, error))
}
