//! The driver alone: what PostgreSQL and the way to it cost at the least.

use std::time::{Duration, Instant};

use sqlx::Connection;
use sqlx::postgres::{PgConnection, PgPool};

use super::child::Sample;
use super::options::Measured;
use crate::Fault;

/// Changes in a batch.
const BATCH: i64 = 32;

/// Rows that change in turn.
const ROWS: i64 = 1024;

/// A session's row by its key alone, with about as much text in it as one of ours, and a log.
const TABLES: &str = "CREATE TABLE rows (id bytea PRIMARY KEY, version bigint NOT NULL, \
    body text NOT NULL); CREATE TABLE log (place bigserial PRIMARY KEY, at bigint NOT NULL, \
    row bytea NOT NULL, said text NOT NULL)";
const FILL: &str = "INSERT INTO rows SELECT decode(lpad(to_hex(n), 36, '0'), 'hex'), 1, \
    repeat('0123456789abcdef', 40) FROM generate_series(0, $1 - 1) AS n";
const READ: &str = "SELECT version, body FROM rows WHERE id = $1";
const REPLACE: &str = "UPDATE rows SET version = rows.version + 1, body = new.body \
    FROM unnest($1::bytea[], $2::bigint[], $3::text[]) AS new (id, version, body) \
    WHERE rows.id = new.id AND rows.version = new.version";
const LOG: &str = "INSERT INTO log (at, row, said) SELECT $1, id, said \
    FROM unnest($2::bytea[], $3::text[]) AS new (id, said)";

async fn connected(url: &str, rows: i64) -> Result<PgConnection, Fault> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(TABLES).execute(&mut connection).await?;
    sqlx::query(FILL).bind(rows).execute(&mut connection).await?;
    sqlx::raw_sql("ANALYZE").execute(&mut connection).await?;
    Ok(connection)
}

fn key(number: i64) -> Vec<u8> {
    let mut key = vec![0; 10];
    key.extend(number.to_be_bytes());
    key
}

/// One row read by its key, over and over, by a connection taken from a pool each time, as every
/// program with more than one request at a time takes it.
pub(crate) async fn round_trip(measured: &Measured, rows: u64) -> Result<Sample, Fault> {
    let rows = i64::try_from(rows)?;
    connected(&measured.url, rows).await?.close().await?;
    let pool = PgPool::connect(&measured.url).await?;
    let (start, mut count) = (Instant::now(), 0_i64);
    while start.elapsed() < Duration::from_millis(measured.millis) {
        let id = key(count * 7919 % rows);
        let (version, body): (i64, String) = sqlx::query_as(READ).bind(id).fetch_one(&pool).await?;
        std::hint::black_box((version, body));
        count += 1;
    }
    let nanos = start.elapsed().as_nanos() as f64 / count as f64;
    Ok(Sample { nanos, ..Sample::default() })
}

/// Transactions of 32 replaces by version, each with a line in the log.
pub(crate) async fn batches(measured: &Measured) -> Result<Sample, Fault> {
    let mut connection = connected(&measured.url, ROWS).await?;
    let mut versions = vec![1_i64; usize::try_from(ROWS)?];
    let (start, mut changes) = (Instant::now(), 0_i64);
    while start.elapsed() < Duration::from_millis(measured.millis) {
        let first = changes % ROWS;
        let ids: Vec<_> = (first..first + BATCH).map(key).collect();
        let place = usize::try_from(first)?;
        let held = &mut versions[place..place + ids.len()];
        batch(&mut connection, &ids, held, changes).await?;
        held.iter_mut().for_each(|version| *version += 1);
        changes += BATCH;
    }
    Ok(Sample { changes: changes as f64 / start.elapsed().as_secs_f64(), ..Sample::default() })
}

async fn batch(
    connection: &mut PgConnection,
    ids: &[Vec<u8>],
    versions: &[i64],
    at: i64,
) -> Result<(), Fault> {
    let body = "0123456789abcdef".repeat(40);
    let bodies = vec![body; ids.len()];
    let said = vec!["session.refreshed"; ids.len()];
    let mut transaction = connection.begin().await?;
    let replace = sqlx::query(REPLACE).bind(ids).bind(versions).bind(&bodies);
    if replace.execute(&mut *transaction).await?.rows_affected() != ids.len() as u64 {
        return Err("a row was not as expected".into());
    }
    sqlx::query(LOG).bind(at).bind(ids).bind(&said).execute(&mut *transaction).await?;
    Ok(transaction.commit().await?)
}
