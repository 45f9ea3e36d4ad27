//! What the writer knows by heart of the database that it alone writes.

use handstamp_core::chain::Link;
use handstamp_core::head::Deployment;
use handstamp_core::id::PartitionKey;
use handstamp_core::store::Meta;
use rusqlite::types::FromSql;
use rusqlite::{Connection, OptionalExtension, params};

use crate::fault::Fault;

/// The row of `meta` that holds [`State::ledger`].
const LEDGER: &str = "ledger_version";

/// Where things stand after the last commit.
#[derive(Clone, Debug)]
pub(crate) struct State {
    /// The deployment's head.
    pub(crate) deployment: Deployment,
    /// The end of this writer's chain.
    pub(crate) tip: Tip,
    /// The last line of the change log.
    pub(crate) change: i64,
    /// How many lines the change log keeps.
    pub(crate) keep_changes: i64,
    /// The version that the ledger gave last.
    pub(crate) ledger: i64,
}

/// The end of a chain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tip {
    /// Whose.
    pub(crate) writer: u32,
    /// Its last batch.
    pub(crate) batch: i64,
    /// The link of that batch.
    pub(crate) link: Link,
    /// Its last event.
    pub(crate) event: i64,
    /// Where the last event of all lies.
    pub(crate) place: i64,
    /// When all events of the chain had happened.
    pub(crate) until: i64,
}

impl State {
    /// Reads where things stand.
    pub(crate) fn read(
        connection: &Connection,
        writer: u32,
        keep_changes: i64,
    ) -> Result<Self, Fault> {
        let change =
            connection
                .query_row("SELECT coalesce(max(number), 0) FROM changes", [], |row| row.get(0))?;
        let deployment = deployment(connection)?;
        let (tip, ledger) = (tip(connection, writer)?, value(connection, LEDGER)?);
        Ok(Self { deployment, tip, change, keep_changes, ledger })
    }

    /// Reads it again, after a commit of which nobody knows what came.
    pub(crate) fn read_again(&self, connection: &Connection) -> Result<Self, Fault> {
        Self::read(connection, self.tip.writer, self.keep_changes)
    }
}

/// What the store remembers about itself.
pub(crate) fn meta(connection: &Connection) -> Result<Meta, Fault> {
    let key: [u8; 32] = value(connection, "partition_key")?;
    let writer: u32 = value(connection, "writer")?;
    Ok(Meta { partition_key: PartitionKey::from_bytes(key), writer })
}

/// The deployment's head.
pub(crate) fn deployment(connection: &Connection) -> Result<Deployment, Fault> {
    let json: String = value(connection, "deployment")?;
    serde_json::from_str(&json).map_err(|_| Fault::Stored("head of the deployment"))
}

/// Takes the next version of the ledger.
pub(crate) fn next_ledger_version(
    connection: &Connection,
    state: &mut State,
) -> Result<i64, Fault> {
    state.ledger += 1;
    connection
        .prepare_cached("UPDATE meta SET value = ?1 WHERE name = ?2")?
        .execute(params![state.ledger, LEDGER])?;
    Ok(state.ledger)
}

/// Stores the deployment's head.
pub(crate) fn set_deployment(
    connection: &Connection,
    deployment: &Deployment,
) -> Result<(), Fault> {
    let json =
        serde_json::to_string(deployment).map_err(|_| Fault::Stored("head of the deployment"))?;
    connection
        .prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'deployment'")?
        .execute([json])?;
    Ok(())
}

fn value<T: FromSql>(connection: &Connection, name: &str) -> Result<T, Fault> {
    let sql = "SELECT value FROM meta WHERE name = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([name], |row| row.get(0))?)
}

fn tip(connection: &Connection, writer: u32) -> Result<Tip, Fault> {
    let sql = "SELECT max((SELECT coalesce(max(place), 0) FROM events),
                          (SELECT coalesce(max(place), 0) FROM cuts))";
    let place = connection.query_row(sql, [], |row| row.get(0))?;
    // What was cut off entirely goes on after the cut.
    let sql = "SELECT number, link, last_event, until_at FROM batches WHERE writer = ?1
               UNION ALL SELECT batch, link, event, until_at FROM cuts WHERE writer = ?1
               ORDER BY 1 DESC LIMIT 1";
    let last = connection.query_row(sql, [writer], |row| {
        let (batch, link, event) = (row.get(0)?, Link(row.get(1)?), row.get(2)?);
        Ok(Tip { writer, batch, link, event, place, until: row.get(3)? })
    });
    let start = Tip { writer, batch: 0, link: Link::START, event: 0, place, until: i64::MIN };
    Ok(last.optional()?.unwrap_or(start))
}
