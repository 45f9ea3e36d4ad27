//! The tables, and how an older database is brought up to them.

use std::path::Path;

use handstamp_core::id::PartitionKey;
use handstamp_core::random::SystemRng;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use crate::error::SqliteError;

/// "HAND": marks a database as ours.
const APPLICATION: i32 = 0x4841_4e44;

/// What brings a database from version n to n + 1. Never change one that was released.
pub(crate) const MIGRATIONS: [&str; 3] =
    [include_str!("schema/v1.sql"), include_str!("schema/v2.sql"), include_str!("schema/v3.sql")];

/// The newest schema.
#[allow(clippy::cast_possible_truncation, reason = "there are few")]
pub(crate) const NEWEST: u32 = MIGRATIONS.len() as u32;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_of_schema_2_gets_what_a_log_needs_that_is_cut_and_erased_from() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut connection = Connection::open(&path).unwrap();
        connection.execute_batch(MIGRATIONS[0]).unwrap();
        connection.execute_batch(MIGRATIONS[1]).unwrap();
        connection.pragma_update(None, "application_id", APPLICATION).unwrap();
        connection.pragma_update(None, "user_version", 2).unwrap();
        migrate(&path, &mut connection).unwrap();
        assert_eq!(check(&path, &connection).unwrap(), NEWEST);
        for table in ["cuts", "erased", "batches WHERE until_at > 0"] {
            let count = format!("SELECT count(*) FROM {table}");
            assert_eq!(connection.query_row(&count, [], |row| row.get::<_, i64>(0)), Ok(0));
        }
    }
}
