//! Entries of the ledger as rows.

use handstamp_core::ledger::{Entry, EntryPage, Put, Written};
use handstamp_core::store::{Page, StoreError};
use handstamp_core::time::Timestamp;
use rusqlite::{Connection, Params, Row, params};

use crate::fault::Fault;
use crate::rows::Columns;
use crate::state::{State, next_ledger_version};
use crate::writer::{Care, Reply, Work};

const GET: &str = "SELECT shelf, key, version, body, due_at FROM ledger
    WHERE shelf = ?1 AND key = ?2";

/// Keys are compared byte by byte, and no byte of a text is greater than 0xf4: what begins with
/// the prefix lies before the prefix with 0xff after it.
const LIST: &str = "SELECT shelf, key, version, body, due_at FROM ledger
    WHERE shelf = ?1 AND key >= ?2 AND key <> ?3 AND key < ?4 || CAST(x'ff' AS TEXT)
    ORDER BY key LIMIT ?5";

const DUE: &str = "SELECT shelf, key, version, body, due_at FROM ledger
    WHERE shelf = ?1 AND due_at <= ?2 ORDER BY due_at, key LIMIT ?3";

const PUT: &str = "INSERT INTO ledger (shelf, key, version, body, due_at)
    VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (shelf, key) DO UPDATE SET version = ?3, body = ?4, due_at = ?5";

const REMOVE: &str = "DELETE FROM ledger WHERE shelf = ?1 AND key = ?2";

/// The entries of `shelf` whose keys begin with `prefix`.
pub(super) fn list(
    connection: &Connection,
    shelf: &str,
    prefix: &str,
    page: &Page,
) -> Result<EntryPage, Fault> {
    // No key is empty, so the first page leaves nothing out.
    let after = page.after.as_deref().unwrap_or_default();
    let (from, limit) = (after.max(prefix), most(page.clamped() + 1));
    let found = all(connection, LIST, params![shelf, from, after, prefix, limit])?;
    Ok(EntryPage::cut(found, page))
}

/// The entries of `shelf` that are due at `before`.
pub(super) fn due(
    connection: &Connection,
    shelf: &str,
    before: Timestamp,
    limit: usize,
) -> Result<Vec<Entry>, Fault> {
    all(connection, DUE, params![shelf, before.as_millis(), most(limit)])
}

/// `limit` as SQLite takes it.
pub(super) fn most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// The entry under `key` of `shelf`.
pub(super) fn find(
    connection: &Connection,
    shelf: &str,
    key: &str,
) -> Result<Option<Entry>, Fault> {
    Ok(all(connection, GET, [shelf, key])?.pop())
}

fn all(connection: &Connection, sql: &str, values: impl Params) -> Result<Vec<Entry>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(read(row)?);
    }
    Ok(entries)
}

fn read(row: &Row<'_>) -> Result<Entry, Fault> {
    let mut columns = Columns::of(row);
    Ok(Entry {
        shelf: columns.next("shelf")?,
        key: columns.next("key")?,
        version: columns.count("version")?,
        body: columns.next("body")?,
        due_at: columns.next::<Option<_>>("due_at")?.map(Timestamp::from_millis),
    })
}

/// A write on its way to the writer.
pub(super) struct Write {
    puts: Vec<Put>,
    written: Written,
    reply: Reply<Written>,
}

impl Write {
    /// Writes `puts`; what came of it goes to `reply`.
    pub(super) const fn of(puts: Vec<Put>, reply: Reply<Written>) -> Self {
        Self { puts, written: Written::Applied(0), reply }
    }
}

impl Work for Write {
    fn step(&mut self, connection: &Connection, state: &mut State, _: Care) -> Result<(), Fault> {
        self.written = write(connection, state, &self.puts)?;
        Ok(())
    }

    fn settle(self: Box<Self>) -> Option<Box<dyn Work>> {
        let _ = self.reply.send(Ok(self.written));
        None
    }

    fn fail(self: Box<Self>, error: StoreError) {
        let _ = self.reply.send(Err(error));
    }
}

fn write(connection: &Connection, state: &mut State, puts: &[Put]) -> Result<Written, Fault> {
    for (place, put) in puts.iter().enumerate() {
        let current = find(connection, &put.shelf, &put.key)?;
        if !put.expect.accepts(current.as_ref().map(|entry| entry.version)) {
            return Ok(Written::Conflict { place, current });
        }
    }
    if puts.is_empty() {
        return Ok(Written::Applied(0));
    }
    let version = next_ledger_version(connection, state)?;
    for put in puts {
        self::put(connection, put, version)?;
    }
    Ok(Written::Applied(version.unsigned_abs()))
}

fn put(connection: &Connection, put: &Put, version: i64) -> Result<(), Fault> {
    let Put { shelf, key, body, due_at, .. } = put;
    let due_at = due_at.map(Timestamp::as_millis);
    match body {
        Some(body) => {
            let mut statement = connection.prepare_cached(PUT)?;
            statement.execute(params![&**shelf, &**key, version, &**body, due_at])?
        }
        None => connection.prepare_cached(REMOVE)?.execute([&**shelf, &**key])?,
    };
    Ok(())
}
