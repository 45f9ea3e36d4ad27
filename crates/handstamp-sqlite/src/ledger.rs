//! The ledger: small documents by shelf and key.

use handstamp_core::ledger::{Entry, EntryPage, Ledger, Put, Written};
use handstamp_core::store::{BoxFuture, Page, StoreError};
use handstamp_core::time::Timestamp;
use rusqlite::{Connection, Params, Row, params};

use crate::fault::Fault;
use crate::rows::Columns;
use crate::state::{State, next_ledger_version};
use crate::store::SqliteStore;
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

impl Ledger for SqliteStore {
    fn get<'a>(
        &'a self,
        shelf: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        let (shelf, key) = (shelf.to_owned(), key.to_owned());
        self.read(move |connection| find(connection, &shelf, &key))
    }

    fn list<'a>(
        &'a self,
        shelf: &'a str,
        prefix: &'a str,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<EntryPage, StoreError>> {
        let (shelf, prefix, page) = (shelf.to_owned(), prefix.to_owned(), page.clone());
        self.read(move |connection| {
            // No key is empty, so the first page leaves nothing out.
            let after = page.after.as_deref().unwrap_or_default();
            let (from, limit) = (after.max(&prefix), most(page.clamped() + 1));
            let found = all(connection, LIST, params![shelf, from, after, prefix, limit])?;
            Ok(EntryPage::cut(found, &page))
        })
    }

    fn due<'a>(
        &'a self,
        shelf: &'a str,
        before: Timestamp,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        let shelf = shelf.to_owned();
        let (before, limit) = (before.as_millis(), most(limit));
        self.read(move |connection| all(connection, DUE, params![shelf, before, limit]))
    }

    fn write(&self, puts: Vec<Put>) -> BoxFuture<'_, Result<Written, StoreError>> {
        Box::pin(async move {
            if let Err(invalid) = Put::check_all(&puts) {
                return Ok(invalid);
            }
            self.writer().run(|reply| Write { puts, written: Written::Applied(0), reply }).await
        })
    }
}

fn most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn find(connection: &Connection, shelf: &str, key: &str) -> Result<Option<Entry>, Fault> {
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
struct Write {
    puts: Vec<Put>,
    written: Written,
    reply: Reply<Written>,
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
