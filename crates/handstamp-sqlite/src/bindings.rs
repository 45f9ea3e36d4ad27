//! Device bindings, beside the records.

use handstamp_core::id::SessionId;
use handstamp_core::store::{BindOutcome, Binding, StoreError};
use rusqlite::{Connection, OptionalExtension, params};

use crate::fault::Fault;
use crate::rows::{Columns, signed};
use crate::state::State;
use crate::writer::{Care, Reply, Work};

/// The longest body, in bytes.
pub(crate) const MOST_BODY: usize = 4096;

const WRITE: &str = "INSERT INTO bindings (session, version, body) VALUES (?1, ?2, ?3)
    ON CONFLICT (session) DO UPDATE SET version = ?2, body = ?3";

/// The binding of `id`.
pub(crate) fn find(connection: &Connection, id: SessionId) -> Result<Option<Binding>, Fault> {
    let mut statement =
        connection.prepare_cached("SELECT version, body FROM bindings WHERE session = ?1")?;
    let mut rows = statement.query([id.as_bytes()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let mut columns = Columns::of(row);
    Ok(Some(Binding { version: columns.count("version")?, body: columns.next("body")? }))
}

/// A change of a binding on its way to the writer.
pub(crate) struct Bind {
    id: SessionId,
    expected: Option<u64>,
    body: Option<Vec<u8>>,
    outcome: BindOutcome,
    reply: Reply<BindOutcome>,
}

impl Bind {
    /// Replaces the binding of `id`; what came of it goes to `reply`.
    pub(crate) const fn of(
        id: SessionId,
        expected: Option<u64>,
        body: Option<Vec<u8>>,
        reply: Reply<BindOutcome>,
    ) -> Self {
        Self { id, expected, body, outcome: BindOutcome::Missing, reply }
    }

    fn bind(&self, connection: &Connection) -> Result<BindOutcome, Fault> {
        if !is_live(connection, self.id)? {
            return Ok(BindOutcome::Missing);
        }
        let stored = find(connection, self.id)?;
        if stored.as_ref().map(|binding| binding.version) != self.expected {
            return Ok(BindOutcome::Conflict(stored));
        }
        match &self.body {
            None => connection
                .prepare_cached("DELETE FROM bindings WHERE session = ?1")?
                .execute([self.id.as_bytes()])?,
            Some(body) => {
                let version = signed(self.expected.unwrap_or(0).saturating_add(1))?;
                let values = params![self.id.as_bytes(), version, body];
                connection.prepare_cached(WRITE)?.execute(values)?
            }
        };
        Ok(BindOutcome::Applied)
    }
}

impl Work for Bind {
    fn step(&mut self, connection: &Connection, _: &mut State, _: Care) -> Result<(), Fault> {
        self.outcome = self.bind(connection)?;
        Ok(())
    }

    fn settle(self: Box<Self>) -> Option<Box<dyn Work>> {
        let _ = self.reply.send(Ok(self.outcome));
        None
    }

    fn fail(self: Box<Self>, error: StoreError) {
        let _ = self.reply.send(Err(error));
    }
}

fn is_live(connection: &Connection, id: SessionId) -> Result<bool, Fault> {
    let mut statement =
        connection.prepare_cached("SELECT ended_at IS NULL FROM sessions WHERE id = ?1")?;
    Ok(statement.query_row([id.as_bytes()], |row| row.get(0)).optional()?.unwrap_or(false))
}
