//! How connections are set up.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Result};

use crate::open::Synchronous;

/// No other process writes, so only somebody with a database tool can hold a lock.
const BUSY: Duration = Duration::from_secs(1);
/// More than there are statements, list filters included.
const STATEMENTS: usize = 64;
/// Negative: KiB.
const WRITER_CACHE: i64 = -64 * 1024;
const READER_CACHE: i64 = -16 * 1024;
/// Pages of the log, 4 KiB each, after which the writer writes back what is left of it: 64 MiB.
/// Most of it was written back in the background by then.
const CHECKPOINT: i64 = 16 * 1024;
/// What the log file is cut back to, in bytes, once it has been written back.
const LOG_LIMIT: i64 = 64 * 1024 * 1024;

/// A connection to the file at `path`, in which nothing is changed yet.
pub(crate) fn connect(path: &Path) -> Result<Connection> {
    // Each connection stays in one thread: no mutex. The file is there already: no create.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Or a statement whose value might fit an index of some rows is prepared again for each value.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // A database that somebody tampered with calls no functions by its schema.
    connection.pragma_update(None, "trusted_schema", false)?;
    // Nothing refers to anything: purge and bind keep bindings in step themselves.
    connection.pragma_update(None, "foreign_keys", false)?;
    Ok(connection)
}

/// Makes `connection` the one that writes.
pub(crate) fn make_writer(connection: &Connection, synchronous: Synchronous) -> Result<()> {
    let is_full = synchronous == Synchronous::Full;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", if is_full { "full" } else { "normal" })?;
    // Where the system's sync does not reach the disk (macOS), ask for the one that does.
    connection.pragma_update(None, "fullfsync", is_full)?;
    connection.pragma_update(None, "checkpoint_fullfsync", is_full)?;
    // What is erased is overwritten: a part of a row, a row, a page that is free then.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT)?;
    connection.pragma_update(None, "journal_size_limit", LOG_LIMIT)?;
    connection.pragma_update(None, "cache_size", WRITER_CACHE)
}

/// A connection that cannot write.
pub(crate) fn reader(path: &Path) -> Result<Connection> {
    let connection = connect(path)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", READER_CACHE)?;
    Ok(connection)
}

/// Writes the log back and empties it, so that nothing that was overwritten is left in it. Answers
/// whether it did: somebody may be reading from the log, or writing it back.
pub(crate) fn empty_log(connection: &Connection) -> Result<bool> {
    let busy: i64 =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    Ok(busy == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::StatementStatus;

    #[test]
    fn a_statement_stays_prepared_whatever_is_bound_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::File::create(&path).unwrap();
        let connection = connect(&path).unwrap();
        let schema = "CREATE TABLE lines (word); CREATE INDEX a ON lines (word) WHERE word = 'a';";
        connection.execute_batch(schema).unwrap();
        let mut asked = connection.prepare("SELECT 1 FROM lines WHERE word = ?1").unwrap();
        for word in ["b", "c", "a"] {
            assert!(!asked.exists([word]).unwrap());
        }
        assert_eq!(asked.get_status(StatementStatus::RePrepare), 0);
    }
}
