//! What a database is there for: a mark among the documents of the ledger.

use std::path::Path;

use handstamp_core::transfer::{MARK, Standing};
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::SqliteError;
use crate::fault::Fault;

const FIND: &str = "SELECT body FROM ledger WHERE shelf = ?1 AND key = ?2";

const SET: &str = "INSERT INTO ledger (shelf, key, version, body) VALUES (?1, ?2, 1, ?3)
    ON CONFLICT (shelf, key) DO UPDATE SET body = ?3";

const UNSET: &str = "DELETE FROM ledger WHERE shelf = ?1 AND key = ?2";

const HAS_ANY: &str = "SELECT EXISTS (SELECT 1 FROM sessions) OR EXISTS (SELECT 1 FROM heads)
    OR EXISTS (SELECT 1 FROM ledger) OR EXISTS (SELECT 1 FROM batches)
    OR EXISTS (SELECT 1 FROM cuts) OR EXISTS (SELECT 1 FROM changes)";

fn find(connection: &Connection) -> Result<Option<Standing>, Fault> {
    let mut statement = connection.prepare_cached(FIND)?;
    let text: Option<String> =
        statement.query_row(params![MARK.0, MARK.1], |row| row.get(0)).optional()?;
    let unread = || Fault::Stored("standing of the store");
    text.map(|text| Standing::from_text(&text).ok_or_else(unread)).transpose()
}

/// What the database is there for.
pub(super) fn read(connection: &Connection) -> Result<Standing, Fault> {
    if let Some(standing) = find(connection)? {
        return Ok(standing);
    }
    let has_any = connection.prepare_cached(HAS_ANY)?.query_row([], |row| row.get(0))?;
    Ok(if has_any { Standing::Open } else { Standing::Empty })
}

/// Notes what the database is there for.
pub(super) fn mark(connection: &Connection, standing: Standing) -> Result<(), Fault> {
    match standing.to_text() {
        Some(text) => connection.prepare_cached(SET)?.execute(params![MARK.0, MARK.1, text])?,
        None => connection.prepare_cached(UNSET)?.execute(params![MARK.0, MARK.1])?,
    };
    Ok(())
}

/// Refuses a database that nobody is to be served from.
pub(crate) fn served(path: &Path, connection: &Connection) -> Result<(), SqliteError> {
    let path = path.to_owned();
    match find(connection).map_err(|fault| SqliteError::of_fault(&path, fault))? {
        Some(Standing::Filling(_)) => Err(SqliteError::Unfinished { path }),
        Some(Standing::Left(_)) => Err(SqliteError::Left { path }),
        _ => Ok(()),
    }
}
