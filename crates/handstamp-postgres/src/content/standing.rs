//! What a database is there for: a mark among the documents of the ledger.

use handstamp_core::transfer::{MARK, Standing};
use sqlx::postgres::PgRow;

use crate::fault::Fault;
use crate::link::{Link, Transaction};
use crate::rows::Columns;

const FIND: &str = "SELECT body FROM handstamp.ledger WHERE shelf = $1 AND key = $2";

/// Whoever sets it waits for whoever acts on it.
const HOLD: &str = "SELECT body FROM handstamp.ledger WHERE shelf = $1 AND key = $2 FOR SHARE";

const SET: &str = "INSERT INTO handstamp.ledger (shelf, key, version, body)
    VALUES ($1, $2, nextval('handstamp.ledger_versions'), $3)
    ON CONFLICT (shelf, key) DO UPDATE SET version = excluded.version, body = excluded.body";

const UNSET: &str = "DELETE FROM handstamp.ledger WHERE shelf = $1 AND key = $2";

const HAS_ANY: &str = "SELECT EXISTS (SELECT 1 FROM handstamp.sessions)
    OR EXISTS (SELECT 1 FROM handstamp.heads) OR EXISTS (SELECT 1 FROM handstamp.ledger)
    OR EXISTS (SELECT 1 FROM handstamp.batches) OR EXISTS (SELECT 1 FROM handstamp.cuts)
    OR EXISTS (SELECT 1 FROM handstamp.writers WHERE holder IS NOT NULL OR commits > 0)";

fn marked(rows: &[PgRow]) -> Result<Option<Standing>, Fault> {
    let Some(row) = rows.first() else { return Ok(None) };
    let text: &str = Columns::of(row).next("body")?;
    Standing::from_text(text).map(Some).ok_or(Fault::Stored("standing of the store"))
}

fn unmarked(rows: &[PgRow]) -> Result<Standing, Fault> {
    let has_any = rows.first().map_or(Ok(true), |row| Columns::of(row).next("has_any"))?;
    Ok(if has_any { Standing::Open } else { Standing::Empty })
}

/// What the database is there for.
pub(super) async fn read(link: &Link) -> Result<Standing, Fault> {
    let find = || sqlx::query(FIND).bind(MARK.0).bind(MARK.1);
    match marked(&link.rows(find).await?)? {
        Some(standing) => Ok(standing),
        None => unmarked(&link.rows(|| sqlx::query(HAS_ANY)).await?),
    }
}

/// The same; where it is marked, it stays so until the transaction ends.
pub(super) async fn hold(transaction: &mut Transaction) -> Result<Standing, Fault> {
    let find = sqlx::query(HOLD).bind(MARK.0).bind(MARK.1);
    match marked(&transaction.rows(find).await?)? {
        Some(standing) => Ok(standing),
        None => unmarked(&transaction.rows(sqlx::query(HAS_ANY)).await?),
    }
}

/// Notes what the database is there for.
pub(super) async fn mark(transaction: &mut Transaction, standing: Standing) -> Result<(), Fault> {
    let statement = match standing.to_text() {
        Some(text) => sqlx::query(SET).bind(MARK.0).bind(MARK.1).bind(text),
        None => sqlx::query(UNSET).bind(MARK.0).bind(MARK.1),
    };
    transaction.run(statement).await?;
    Ok(())
}

/// Refuses a database that nobody is to be served from.
pub(crate) async fn served(transaction: &mut Transaction) -> Result<(), Fault> {
    let find = sqlx::query(FIND).bind(MARK.0).bind(MARK.1);
    match marked(&transaction.rows(find).await?)? {
        Some(standing) => Err(Fault::NotServed(standing)),
        None => Ok(()),
    }
}
