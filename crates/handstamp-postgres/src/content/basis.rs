//! What holds for the whole database.

use handstamp_core::chain::{ChainEnd, Link as ChainLink};
use handstamp_core::head::Deployment;
use handstamp_core::id::PartitionKey;
use handstamp_core::transfer::{Basis, Chain};

use crate::fault::Fault;
use crate::link::{Link, Transaction, With};
use crate::rows::{Columns, signed};
use crate::seat::LEASE;

const BASIS: &str = "SELECT d.partition_key, d.epoch,
    (SELECT coalesce(max(change), 0) FROM handstamp.writers),
    coalesce(pg_catalog.pg_sequence_last_value('handstamp.ledger_versions'), 1), r.epoch, r.live
    FROM handstamp.deployment d CROSS JOIN handstamp.roll_up r";

const CHAINS: &str = "SELECT writer, batch, event, link, until_at FROM handstamp.writers
    WHERE batch > 0 ORDER BY writer";

const HELD: &str = "SELECT count(*) FROM handstamp.writers
    WHERE holder IS NOT NULL AND seen_at >= clock_timestamp() - make_interval(secs => $1)";

const ROLLED_UP: &str = "SELECT NOT EXISTS (SELECT 1 FROM handstamp.writers w
    LEFT JOIN handstamp.rolled_up r ON r.writer = w.writer WHERE w.event > coalesce(r.event, 0))";

/// Writers go on where their chains end, and each counts its changes on from beyond those of the
/// source: whoever followed that log is told of a gap, and starts afresh.
const WRITERS: &str = "
INSERT INTO handstamp.writers (writer, batch, event, link, until_at, change)
SELECT line.*, $6 FROM unnest($1::BIGINT[], $2::BIGINT[], $3::BIGINT[], $4::BYTEA[], $5::BIGINT[])
    AS line
ON CONFLICT (writer) DO UPDATE SET batch = excluded.batch, event = excluded.event,
    link = excluded.link, until_at = excluded.until_at, change = excluded.change";

const ROLLED: &str = "
WITH stand AS (UPDATE handstamp.roll_up SET epoch = $1, live = $2)
INSERT INTO handstamp.rolled_up (writer, event) SELECT writer, event FROM handstamp.writers
ON CONFLICT (writer) DO UPDATE SET event = excluded.event";

const TABLES: &str = "ANALYZE handstamp.sessions, handstamp.heads, handstamp.events,
    handstamp.batches, handstamp.ledger, handstamp.figures, handstamp.visits";

/// What holds for it.
pub(super) async fn read(link: &Link) -> Result<Basis, Fault> {
    let rows = link.rows(|| sqlx::query(BASIS)).await?;
    let mut columns = Columns::of(rows.first().ok_or(Fault::Stored("deployment"))?);
    Ok(Basis {
        partition_key: PartitionKey::from_bytes(columns.bytes("partition_key")?),
        deployment: Deployment { epoch: columns.count("epoch")? },
        change: columns.next("change")?,
        ledger: columns.next("last_value")?,
        rolled_epoch: columns.next("epoch")?,
        rolled_live: columns.next("live")?,
    })
}

/// Where its chains end.
pub(super) async fn chains(link: &Link) -> Result<Vec<Chain>, Fault> {
    let rows = link.rows(|| sqlx::query(CHAINS)).await?;
    let chains = rows.iter().map(|row| {
        let mut columns = Columns::of(row);
        let writer = columns.writer()?;
        let (batch, event) = (columns.count("batch")?, columns.count("event")?);
        let link = ChainLink(columns.bytes("link")?);
        Ok(Chain { end: ChainEnd { writer, batch, event, link }, until: columns.next("until_at")? })
    });
    chains.collect()
}

/// Makes an empty database one of the same deployment.
pub(super) async fn found(transaction: &mut Transaction, basis: &Basis) -> Result<(), Fault> {
    transaction.run(sqlx::query("DELETE FROM handstamp.writers")).await?;
    let set = sqlx::query("UPDATE handstamp.deployment SET partition_key = $1");
    transaction.run(set.bind(&basis.partition_key.as_bytes()[..])).await?;
    Ok(())
}

/// Has whoever serves from it go on from `basis` and `chains`.
pub(super) async fn go_on(
    transaction: &mut Transaction,
    basis: &Basis,
    chains: &[Chain],
) -> Result<(), Fault> {
    let epoch = signed(basis.deployment.epoch)?;
    transaction.run(sqlx::query("UPDATE handstamp.deployment SET epoch = $1").bind(epoch)).await?;
    let set = sqlx::query("SELECT setval('handstamp.ledger_versions', greatest($1, 1))");
    transaction.rows(set.bind(basis.ledger)).await?;
    // One at least, to carry on the numbers of the change log.
    let first = [Chain { end: ChainEnd::start(1), until: i64::MIN }];
    let chains = if chains.is_empty() { &first } else { chains };
    let of = |value: fn(&Chain) -> i64| chains.iter().map(value).collect::<Vec<_>>();
    let writers = sqlx::query(WRITERS)
        .bind(of(|chain| chain.end.writer.into()))
        .bind(of(|chain| chain.end.batch.cast_signed()))
        .bind(of(|chain| chain.end.event.cast_signed()))
        .bind(chains.iter().map(|chain| &chain.end.link.0[..]).collect::<Vec<_>>())
        .bind(of(|chain| chain.until))
        .bind(basis.change.saturating_add(1));
    transaction.run(writers).await?;
    let rolled = sqlx::query(ROLLED).bind(basis.rolled_epoch).bind(basis.rolled_live);
    transaction.run(rolled).await?;
    Ok(())
}

/// Has the planner know what is there.
pub(super) async fn count(link: &Link) -> Result<(), Fault> {
    let mut transaction = link.begin(With::Anybody).await?;
    transaction.say(TABLES).await?;
    transaction.commit().await
}

/// How many processes serve from it. Of those that do not, none can write any more.
pub(super) async fn vacate(transaction: &mut Transaction) -> Result<i64, Fault> {
    let lease = f64::from(u32::try_from(LEASE).unwrap_or(u32::MAX));
    let rows = transaction.rows(sqlx::query(HELD).bind(lease)).await?;
    let held = rows.first().map_or(Ok(0), |row| Columns::of(row).next("count"))?;
    transaction.run(sqlx::query("UPDATE handstamp.writers SET holder = NULL")).await?;
    Ok(held)
}

/// Whether figures include every event.
pub(super) async fn is_rolled_up(transaction: &mut Transaction) -> Result<bool, Fault> {
    let rows = transaction.rows(sqlx::query(ROLLED_UP)).await?;
    rows.first().map_or(Ok(false), |row| Columns::of(row).next("is_rolled_up"))
}
