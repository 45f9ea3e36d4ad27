//! The schema `handstamp` and how it came about: numbered steps, each in a transaction of its own,
//! one node at a time.

use std::time::{Duration, Instant};

use handstamp_core::id::PartitionKey;
use handstamp_core::random::SystemRng;

use crate::error::PostgresError;
use crate::fault::Fault;
use crate::link::{Link, Transaction, With};
use crate::rows::Columns;

/// What each step does; the version of a schema is how many were done.
pub(crate) const MIGRATIONS: [&str; 3] =
    [include_str!("schema/v1.sql"), include_str!("schema/v2.sql"), include_str!("schema/v3.sql")];

#[allow(clippy::cast_possible_truncation, reason = "there are few")]
pub(crate) const NEWEST: u32 = MIGRATIONS.len() as u32;

/// Whoever migrates waits for the others here.
const ONE_AT_A_TIME: &str = "SELECT pg_advisory_xact_lock(5208208757389214033)";

const IS_THERE: &str = "SELECT to_regclass('handstamp.versions') IS NOT NULL";

const VERSIONS: &str = "
CREATE SCHEMA IF NOT EXISTS handstamp;
CREATE TABLE handstamp.versions (
    version BIGINT PRIMARY KEY,
    done_at TIMESTAMPTZ NOT NULL DEFAULT now()
)";

const VERSION: &str = "SELECT coalesce(max(version), 0) FROM handstamp.versions";

/// Months whose partitions are made ahead.
const AHEAD: i32 = 3;

/// How long a step may take, and so how long a node waits for another that is at it: the second
/// writes all sessions anew.
const PATIENCE: Duration = Duration::from_secs(600);

/// How long a change of tables waits for those who use them: so long do all others wait behind it, who
/// would have used them meanwhile.
const BRIEFLY: &str = "SET LOCAL lock_timeout = 1000";

/// How long those others are let through before the next try.
const PAUSE: Duration = Duration::from_secs(3);

/// Brings the database up to the newest schema, if it is not. Nothing is locked where it is.
pub(crate) async fn migrate(link: &Link) -> Result<(), PostgresError> {
    let (link, until) = (link.patient(PATIENCE), Instant::now() + PATIENCE);
    while found(&link).await? < NEWEST {
        match step(&link).await {
            Err(fault) if fault.is_of_locks() && Instant::now() < until => {
                tracing::info!("tables are in use; the schema is brought up in a moment");
                tokio::time::sleep(PAUSE).await;
            }
            done => done?,
        }
    }
    Ok(())
}

/// The version of the schema; 0 where there is none. One that is newer is refused.
pub(crate) async fn found(link: &Link) -> Result<u32, PostgresError> {
    let rows = link.rows(|| sqlx::query(IS_THERE)).await?;
    if !is_there(&rows)? {
        return Ok(0);
    }
    let found = version(&link.rows(|| sqlx::query(VERSION)).await?)?;
    if found > NEWEST {
        Err(PostgresError::NewerSchema { found, known: NEWEST })
    } else {
        Ok(found)
    }
}

fn is_there(rows: &[sqlx::postgres::PgRow]) -> Result<bool, Fault> {
    rows.first().map_or(Ok(false), |row| Columns::of(row).next("versions"))
}

fn version(rows: &[sqlx::postgres::PgRow]) -> Result<u32, Fault> {
    let version = rows.first().map_or(Ok(0), |row| Columns::of(row).next::<i64>("version"))?;
    Ok(u32::try_from(version).unwrap_or(u32::MAX))
}

/// Does the next step, unless another has done it meanwhile.
async fn step(link: &Link) -> Result<(), Fault> {
    let mut transaction = link.begin(With::Anybody).await?;
    transaction.say(ONE_AT_A_TIME).await?;
    transaction.say(BRIEFLY).await?;
    if !is_there(&transaction.rows(sqlx::query(IS_THERE)).await?)? {
        transaction.say(VERSIONS).await?;
    }
    let done = version(&transaction.rows(sqlx::query(VERSION)).await?)?;
    if let Some(sql) = MIGRATIONS.get(done as usize) {
        transaction.say(sql).await?;
        if done == 0 {
            found_deployment(&mut transaction).await?;
        }
        let sql = "INSERT INTO handstamp.versions (version) VALUES ($1)";
        transaction.run(sqlx::query(sql).bind(i64::from(done) + 1)).await?;
    }
    transaction.commit().await
}

/// What is drawn once, when the database is made.
async fn found_deployment(transaction: &mut Transaction) -> Result<(), Fault> {
    let key = PartitionKey::generate(&SystemRng)
        .map_err(|error| Fault::Sql(sqlx::Error::Io(std::io::Error::other(error))))?;
    let sql = "INSERT INTO handstamp.deployment (epoch, partition_key) VALUES (0, $1)";
    transaction.run(sqlx::query(sql).bind(&key.as_bytes()[..])).await?;
    Ok(())
}

/// Makes the partitions of this month and the next ones, where they are missing. Where somebody has
/// read the log and is not done, that fails soon, so that nobody waits behind it.
pub(crate) async fn make_partitions(link: &Link) -> Result<(), Fault> {
    let mut transaction = link.begin(With::Anybody).await?;
    transaction.say(ONE_AT_A_TIME).await?;
    transaction.say("SET LOCAL lock_timeout = 200").await?;
    transaction.run(sqlx::query("SELECT handstamp.make_partitions($1)").bind(AHEAD)).await?;
    transaction.commit().await
}
