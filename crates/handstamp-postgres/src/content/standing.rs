//! What a database is there for: a mark among the documents of the ledger, and once more in the row of
//! the deployment, where whoever loads a session sees it.

use handstamp_core::transfer::{MARK, Standing};
use sqlx::postgres::PgRow;

use crate::fault::Fault;
use crate::link::{Link, Transaction};
use crate::rows::Columns;

const FIND: &str = "SELECT body FROM handstamp.ledger WHERE shelf = $1 AND key = $2";

/// Whoever sets it waits for whoever acts on it.
const HOLD: &str =
    "SELECT body, version FROM handstamp.ledger WHERE shelf = $1 AND key = $2 FOR SHARE";

const SET: &str = "INSERT INTO handstamp.ledger (shelf, key, version, body)
    VALUES ($1, $2, nextval('handstamp.ledger_versions'), $3)
    ON CONFLICT (shelf, key) DO UPDATE SET version = excluded.version, body = excluded.body
    RETURNING version";

const UNSET: &str = "DELETE FROM handstamp.ledger WHERE shelf = $1 AND key = $2";

const TELL: &str = "UPDATE handstamp.deployment SET standing = $1";

/// What [`served`] reads.
pub(crate) const ASK: &str = "SELECT standing FROM handstamp.deployment";

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

/// The same, and by which writing of the mark; it stays so until the transaction ends. Without a mark
/// the number is 0.
pub(super) async fn hold(transaction: &mut Transaction) -> Result<(Standing, i64), Fault> {
    let find = sqlx::query(HOLD).bind(MARK.0).bind(MARK.1);
    let rows = transaction.rows(find).await?;
    match (marked(&rows)?, rows.first()) {
        (Some(standing), Some(row)) => {
            let mut columns = Columns::of(row);
            columns.skip(1);
            Ok((standing, columns.next("version")?))
        }
        _ => Ok((unmarked(&transaction.rows(sqlx::query(HAS_ANY)).await?)?, 0)),
    }
}

/// Notes what the database is there for; answers the number of this writing, 0 where no mark is left.
pub(super) async fn mark(transaction: &mut Transaction, standing: Standing) -> Result<i64, Fault> {
    let text = standing.to_text();
    transaction.run(sqlx::query(TELL).bind(text.as_deref())).await?;
    let Some(text) = text else {
        transaction.run(sqlx::query(UNSET).bind(MARK.0).bind(MARK.1)).await?;
        return Ok(0);
    };
    let set = sqlx::query(SET).bind(MARK.0).bind(MARK.1).bind(text);
    let rows = transaction.rows(set).await?;
    rows.first().map_or(Err(Fault::Stored("standing")), |row| Columns::of(row).next("version"))
}

/// Refuses a database that nobody is to be served from: the next of `columns` says so.
pub(crate) fn served(columns: &mut Columns<'_>) -> Result<(), Fault> {
    let Some(text) = columns.next::<Option<&str>>("standing")? else { return Ok(()) };
    let standing = Standing::from_text(text).ok_or(Fault::Stored("standing of the store"))?;
    Err(Fault::NotServed(standing))
}
