//! Entries of the ledger as rows.

use handstamp_core::ledger::{Entry, EntryPage, Put, Written};
use handstamp_core::store::Page;
use handstamp_core::time::Timestamp;
use sha2::{Digest, Sha256};
use sqlx::postgres::PgRow;

use crate::fault::Fault;
use crate::link::{Link, Transaction, With};
use crate::rows::{Columns, fit};

const GET: &str = "SELECT shelf, key, version, body, due_at FROM handstamp.ledger
    WHERE shelf = $1 AND key = $2";

const LIST: &str = "SELECT shelf, key, version, body, due_at FROM handstamp.ledger
    WHERE shelf = $1 AND key >= $2 AND key <> $3 AND key <= $4 ORDER BY key LIMIT $5";

const DUE: &str = "SELECT shelf, key, version, body, due_at FROM handstamp.ledger
    WHERE shelf = $1 AND due_at <= $2 ORDER BY due_at, key LIMIT $3";

/// A key is held by its hash, whether anything stands under it or not.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hash) FROM unnest($1::BIGINT[]) AS hash";

const CURRENT: &str = "SELECT l.shelf, l.key, l.version, l.body, l.due_at FROM handstamp.ledger l
    JOIN unnest($1::TEXT[], $2::TEXT[]) AS asked (shelf, key)
        ON asked.shelf = l.shelf AND asked.key = l.key";

/// The version is drawn while the keys are held, so under a key it never goes back.
const WRITE: &str = "
WITH next AS MATERIALIZED (
    SELECT nextval('handstamp.ledger_versions') AS version
), gone AS (
    DELETE FROM handstamp.ledger l USING unnest($1::TEXT[], $2::TEXT[]) AS asked (shelf, key)
    WHERE l.shelf = asked.shelf AND l.key = asked.key
), put AS (
    INSERT INTO handstamp.ledger (shelf, key, version, body, due_at)
    SELECT put.shelf, put.key, next.version, put.body, put.due_at
    FROM unnest($3::TEXT[], $4::TEXT[], $5::TEXT[], $6::BIGINT[]) AS put (shelf, key, body, due_at)
    CROSS JOIN next
    ON CONFLICT (shelf, key) DO UPDATE SET version = excluded.version, body = excluded.body,
        due_at = excluded.due_at
)
SELECT version FROM next";

/// The entries of `shelf` whose keys begin with `prefix`.
pub(super) async fn list(
    link: &Link,
    shelf: &str,
    prefix: &str,
    page: &Page,
) -> Result<EntryPage, Fault> {
    if fit(shelf).is_err() || fit(prefix).is_err() {
        return Ok(EntryPage::cut(Vec::new(), page));
    }
    // No key is empty, so the first page leaves nothing out; and none holds a NUL, so what lies
    // after one lies after the text before it.
    let after = page.after.as_deref().unwrap_or_default().split('\0').next().unwrap_or_default();
    let (from, limit) = (after.max(prefix), most(page.clamped() + 1));
    // Keys are compared byte by byte: none that begins with the prefix lies after this.
    let to = format!("{prefix}{}", "\u{10ffff}".repeat(Put::MAX_KEY / 4));
    let statement =
        || sqlx::query(LIST).bind(shelf).bind(from).bind(after).bind(to.as_str()).bind(limit);
    let mut found = all(&link.rows(statement).await?)?;
    found.retain(|entry| entry.key.starts_with(prefix));
    Ok(EntryPage::cut(found, page))
}

/// The entries of `shelf` that are due at `before`.
pub(super) async fn due(
    link: &Link,
    shelf: &str,
    before: Timestamp,
    limit: usize,
) -> Result<Vec<Entry>, Fault> {
    let shelf = fit(shelf).unwrap_or_default();
    let statement = || sqlx::query(DUE).bind(shelf).bind(before.as_millis()).bind(most(limit));
    all(&link.rows(statement).await?)
}

/// `limit` as PostgreSQL takes it.
pub(super) fn most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// The entry under `key` of `shelf`.
pub(super) async fn find(link: &Link, shelf: &str, key: &str) -> Result<Option<Entry>, Fault> {
    if fit(shelf).is_err() || fit(key).is_err() {
        return Ok(None);
    }
    Ok(all(&link.rows(|| sqlx::query(GET).bind(shelf).bind(key)).await?)?.pop())
}

fn all(rows: &[PgRow]) -> Result<Vec<Entry>, Fault> {
    rows.iter().map(read).collect()
}

fn read(row: &PgRow) -> Result<Entry, Fault> {
    let mut columns = Columns::of(row);
    Ok(Entry {
        shelf: columns.next::<&str>("shelf")?.into(),
        key: columns.next::<&str>("key")?.into(),
        version: columns.count("version")?,
        body: columns.next::<&str>("body")?.into(),
        due_at: columns.next::<Option<i64>>("due_at")?.map(Timestamp::from_millis),
    })
}

/// Applies all of `puts`, which can be kept, or nothing.
pub(super) async fn write(link: &Link, puts: &[Put]) -> Result<Written, Fault> {
    if puts.is_empty() {
        return Ok(Written::Applied(0));
    }
    let mut transaction = link.begin(With::Served).await?;
    transaction.run(sqlx::query(LOCK).bind(hashes(puts))).await?;
    if let Some((place, current)) = conflict(&mut transaction, puts).await? {
        transaction.give_up().await?;
        return Ok(Written::Conflict { place, current });
    }
    let version = put(&mut transaction, puts).await?;
    transaction.keep().await?;
    Ok(Written::Applied(version))
}

/// In one order, as everybody takes them.
fn hashes(puts: &[Put]) -> Vec<i64> {
    let hash = |put: &Put| {
        let hash =
            Sha256::new().chain_update(&*put.shelf).chain_update([0]).chain_update(&*put.key);
        let mut first = [0; 8];
        first.copy_from_slice(&hash.finalize()[..8]);
        i64::from_be_bytes(first)
    };
    let mut hashes: Vec<i64> = puts.iter().map(hash).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// The first of `puts` that does not fit, and what stands there.
async fn conflict(
    transaction: &mut Transaction,
    puts: &[Put],
) -> Result<Option<(usize, Option<Entry>)>, Fault> {
    let shelves: Vec<&str> = puts.iter().map(|put| &*put.shelf).collect();
    let keys: Vec<&str> = puts.iter().map(|put| &*put.key).collect();
    let current = all(&transaction.rows(sqlx::query(CURRENT).bind(shelves).bind(keys)).await?)?;
    for (place, put) in puts.iter().enumerate() {
        let here = current.iter().find(|entry| entry.shelf == put.shelf && entry.key == put.key);
        if !put.expect.accepts(here.map(|entry| entry.version)) {
            return Ok(Some((place, here.cloned())));
        }
    }
    Ok(None)
}

async fn put(transaction: &mut Transaction, puts: &[Put]) -> Result<u64, Fault> {
    let gone = || puts.iter().filter(|put| put.body.is_none());
    let kept = || puts.iter().filter(|put| put.body.is_some());
    let write = sqlx::query(WRITE)
        .bind(gone().map(|put| &*put.shelf).collect::<Vec<_>>())
        .bind(gone().map(|put| &*put.key).collect::<Vec<_>>())
        .bind(kept().map(|put| &*put.shelf).collect::<Vec<_>>())
        .bind(kept().map(|put| &*put.key).collect::<Vec<_>>())
        .bind(kept().map(|put| put.body.as_deref()).collect::<Vec<_>>())
        .bind(kept().map(|put| put.due_at.map(Timestamp::as_millis)).collect::<Vec<_>>());
    let rows = transaction.rows(write).await?;
    Columns::of(rows.first().ok_or(Fault::Stored("version"))?).count("version")
}
