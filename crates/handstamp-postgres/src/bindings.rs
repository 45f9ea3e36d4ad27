//! Device bindings, beside the records.

use handstamp_core::id::SessionId;
use handstamp_core::store::{BindOutcome, Binding};

use crate::fault::Fault;
use crate::link::{Link, Transaction, With};
use crate::rows::{Columns, signed};

/// The longest body, in bytes.
pub(crate) const MOST_BODY: usize = 4096;

const FIND: &str = "SELECT version, body FROM handstamp.bindings WHERE session = $1";

const LIVE: &str = "SELECT 1 FROM handstamp.sessions WHERE id = $1 AND ended_at IS NULL
    FOR NO KEY UPDATE";

const WRITE: &str = "INSERT INTO handstamp.bindings (session, version, body) VALUES ($1, $2, $3)
    ON CONFLICT (session) DO UPDATE SET version = excluded.version, body = excluded.body";

const REMOVE: &str = "DELETE FROM handstamp.bindings WHERE session = $1";

/// The binding of `id`.
pub(crate) async fn find(link: &Link, id: SessionId) -> Result<Option<Binding>, Fault> {
    let rows = link.rows(|| sqlx::query(FIND).bind(&id.as_bytes()[..])).await?;
    rows.first().map(read).transpose()
}

fn read(row: &sqlx::postgres::PgRow) -> Result<Binding, Fault> {
    let mut columns = Columns::of(row);
    Ok(Binding { version: columns.count("version")?, body: columns.next("body")? })
}

/// Replaces the binding of `id` if it is live and its version is the expected one. Its record is
/// held meanwhile, by which bindings of one session come one after another.
pub(crate) async fn bind(
    link: &Link,
    id: SessionId,
    expected: Option<u64>,
    body: Option<&[u8]>,
) -> Result<BindOutcome, Fault> {
    if body.is_some_and(|body| body.len() > MOST_BODY) {
        return Err(Fault::Unfit("a binding has at most 4,096 bytes"));
    }
    let mut transaction = link.begin(With::Served).await?;
    let outcome = decide(&mut transaction, id, expected, body).await?;
    match outcome {
        BindOutcome::Applied => transaction.keep().await?,
        _ => transaction.give_up().await?,
    }
    Ok(outcome)
}

async fn decide(
    transaction: &mut Transaction,
    id: SessionId,
    expected: Option<u64>,
    body: Option<&[u8]>,
) -> Result<BindOutcome, Fault> {
    let session = &id.as_bytes()[..];
    if transaction.rows(sqlx::query(LIVE).bind(session)).await?.is_empty() {
        return Ok(BindOutcome::Missing);
    }
    let stored = transaction.rows(sqlx::query(FIND).bind(session)).await?;
    let stored = stored.first().map(read).transpose()?;
    if stored.as_ref().map(|binding| binding.version) != expected {
        return Ok(BindOutcome::Conflict(stored));
    }
    match body {
        None => transaction.run(sqlx::query(REMOVE).bind(session)).await?,
        Some(body) => {
            let version = signed(expected.unwrap_or(0).saturating_add(1))?;
            transaction.run(sqlx::query(WRITE).bind(session).bind(version).bind(body)).await?
        }
    };
    Ok(BindOutcome::Applied)
}
