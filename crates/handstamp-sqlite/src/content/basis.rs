//! What holds for the whole database.

use handstamp_core::chain::{ChainEnd, Link};
use handstamp_core::transfer::{Basis, Chain};
use rusqlite::{Connection, Row, params};

use crate::chains::writers;
use crate::fault::Fault;
use crate::rows::signed;
use crate::state;

/// What was cut off entirely goes on after the cut.
const TIP: &str = "SELECT number, last_event, link, until_at FROM batches WHERE writer = ?1
    UNION ALL SELECT batch, event, link, until_at FROM cuts WHERE writer = ?1
    ORDER BY 1 DESC LIMIT 1";

const BASIS: &str = "SELECT (SELECT coalesce(max(number), 0) FROM changes),
    (SELECT value FROM meta WHERE name = 'ledger_version'), epoch, live FROM roll_up";

const LAST: &str = "coalesce((SELECT max(place) FROM events), 0)";

/// What holds for it.
pub(super) fn read(connection: &Connection) -> Result<Basis, Fault> {
    let moment = connection.unchecked_transaction()?;
    let partition_key = state::meta(&moment)?.partition_key;
    let deployment = state::deployment(&moment)?;
    let basis = |row: &Row<'_>| {
        let (change, ledger) = (row.get(0)?, row.get(1)?);
        let (rolled_epoch, rolled_live) = (row.get(2)?, row.get(3)?);
        Ok(Basis { partition_key, deployment, change, ledger, rolled_epoch, rolled_live })
    };
    let read = moment.prepare_cached(BASIS)?.query_row([], basis)?;
    Ok(read)
}

/// Where its chains end.
pub(super) fn chains(connection: &Connection) -> Result<Vec<Chain>, Fault> {
    let moment = connection.unchecked_transaction()?;
    ends(&moment)
}

/// The same, within a transaction.
fn ends(connection: &Connection) -> Result<Vec<Chain>, Fault> {
    let mut tip = connection.prepare_cached(TIP)?;
    let mut chains = Vec::new();
    for writer in writers(connection)? {
        chains.push(tip.query_row([writer], |row| {
            let (batch, event): (i64, i64) = (row.get(0)?, row.get(1)?);
            let (batch, event) = (batch.unsigned_abs(), event.unsigned_abs());
            let end = ChainEnd { writer, batch, event, link: Link(row.get(2)?) };
            Ok(Chain { end, until: row.get(3)? })
        })?);
    }
    Ok(chains)
}

/// Whether figures include every event.
pub(super) fn is_rolled_up(connection: &Connection) -> Result<bool, Fault> {
    let sql = format!("SELECT place >= {LAST} FROM roll_up");
    Ok(connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))?)
}

/// Makes an empty database one of the same deployment.
pub(super) fn found(connection: &Connection, basis: &Basis) -> Result<(), Fault> {
    connection
        .prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'partition_key'")?
        .execute([basis.partition_key.as_bytes()])?;
    Ok(())
}

/// Has whoever serves from it go on from `basis` and `chains`.
pub(super) fn go_on(connection: &Connection, basis: &Basis, chains: &[Chain]) -> Result<(), Fault> {
    for chain in chains {
        let sql = "UPDATE cuts SET until_at = ?2 WHERE writer = ?1";
        connection.prepare_cached(sql)?.execute(params![chain.end.writer, chain.until])?;
    }
    if ends(connection)? != chains {
        return Err(Fault::Stored("chains"));
    }
    state::set_deployment(connection, &basis.deployment)?;
    let sql = "UPDATE meta SET value = ?1 WHERE name = 'ledger_version'";
    connection.prepare_cached(sql)?.execute([basis.ledger])?;
    let sql =
        format!("UPDATE roll_up SET place = {LAST}, changes = changes + 1, epoch = ?1, live = ?2");
    let (epoch, live) = (basis.rolled_epoch, basis.rolled_live);
    connection.prepare_cached(&sql)?.execute([epoch, live])?;
    // Whoever followed the log of the source is told of a gap, and starts afresh.
    let next = signed(basis.change.unsigned_abs())?.saturating_add(1);
    let sql = "INSERT INTO changes (number, changes) VALUES (?1, '[]')";
    connection.prepare_cached(sql)?.execute([next])?;
    Ok(())
}
