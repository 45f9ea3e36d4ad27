//! Chains of the audit log: where they end and where they were cut.

use handstamp_core::chain::{ChainEnd, Cut, Link as ChainLink, Sealer};
use handstamp_core::time::Timestamp;

use crate::age::{Steps, again};
use crate::fault::Fault;
use crate::link::{Link, Transaction, With};
use crate::rows::{Columns, signed};

/// Batches that go in one transaction.
const STEP: i64 = 64;

const WRITERS: &str = "SELECT writer FROM handstamp.writers WHERE batch > 0 ORDER BY writer";

const CUTS: &str = "SELECT writer, batch, event, link, key_id, signature FROM handstamp.cuts
    ORDER BY writer";

/// When all up to a batch had happened never goes back along a chain, so the last one is found in an
/// index.
const ENDS: &str = "
SELECT w.writer, coalesce(b.number, c.batch), coalesce(b.last_event, c.event),
    coalesce(b.link, c.link)
FROM handstamp.writers w
LEFT JOIN handstamp.cuts c ON c.writer = w.writer
LEFT JOIN LATERAL (
    SELECT number, last_event, link FROM handstamp.batches
    WHERE writer = w.writer AND until_at < $1 ORDER BY until_at DESC, number DESC LIMIT 1
) b ON TRUE
WHERE w.batch > 0 ORDER BY w.writer";

const OLDEST: &str = "SELECT number, first_event, last_event, link FROM handstamp.batches
    WHERE writer = $1 AND number <= $2 ORDER BY number LIMIT $3 FOR UPDATE";

const REMOVE: &str = "
WITH gone AS (DELETE FROM handstamp.batches WHERE writer = $1 AND number <= $2)
DELETE FROM handstamp.events WHERE writer = $1 AND number <= $3";

const CUT: &str = "
INSERT INTO handstamp.cuts AS old (writer, batch, event, link, key_id, signature)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (writer) DO UPDATE SET batch = excluded.batch, event = excluded.event,
    link = excluded.link, key_id = excluded.key_id, signature = excluded.signature
WHERE old.batch < excluded.batch";

/// The writers whose chains are here, or were cut.
pub(crate) async fn writers(link: &Link) -> Result<Vec<u32>, Fault> {
    let rows = link.rows(|| sqlx::query(WRITERS)).await?;
    rows.iter().map(|row| Columns::of(row).writer()).collect()
}

/// Where the chains were cut.
pub(crate) async fn cuts(link: &Link) -> Result<Vec<Cut>, Fault> {
    let rows = link.rows(|| sqlx::query(CUTS)).await?;
    let cuts = rows.iter().map(|row| {
        let mut columns = Columns::of(row);
        let end = read_end(&mut columns)?;
        Ok(Cut { end, key_id: columns.key_id()?, signature: columns.bytes("signature")? })
    });
    cuts.collect()
}

fn read_end(columns: &mut Columns<'_>) -> Result<ChainEnd, Fault> {
    let writer = columns.writer()?;
    let (batch, event) = (columns.count("batch")?, columns.count("event")?);
    Ok(ChainEnd { writer, batch, event, link: ChainLink(columns.bytes("link")?) })
}

/// How far each chain had happened before `before`.
pub(crate) async fn ends(link: &Link, before: Timestamp) -> Result<Vec<ChainEnd>, Fault> {
    let rows = link.rows(|| sqlx::query(ENDS).bind(before.as_millis())).await?;
    let ends = rows.iter().map(|row| {
        let writer = Columns::of(row).writer()?;
        let mut columns = Columns::of(row);
        columns.skip(1);
        // Neither a batch that is old enough nor a cut: it is where the chain begins.
        match columns.next::<Option<i64>>("batch")? {
            None => Ok(ChainEnd::start(writer)),
            Some(_) => read_end(&mut Columns::of(row)),
        }
    });
    ends.collect()
}

/// Removes the oldest batches, up to `through` in each chain; answers how many events went.
pub(crate) async fn cut(
    link: &Link,
    through: &[ChainEnd],
    sealer: &Sealer,
) -> Result<usize, Fault> {
    let (mut removed, mut steps) = (0, Steps::default());
    for end in through {
        while let Some(events) = steps.next(again(|| cut_step(link, end, sealer))).await? {
            removed += events;
        }
    }
    if removed > 0 {
        drop_partitions(link).await;
    }
    Ok(removed)
}

/// Cuts off the next batches of a chain; answers how many events went, `None` when there was
/// nothing left to cut off.
async fn cut_step(
    link: &Link,
    through: &ChainEnd,
    sealer: &Sealer,
) -> Result<Option<usize>, Fault> {
    let mut transaction = link.begin(With::Served).await?;
    let Some((first, end)) = oldest(&mut transaction, through).await? else {
        transaction.give_up().await?;
        return Ok(None);
    };
    let writer = i64::from(end.writer);
    let (batch, event) = (signed(end.batch)?, signed(end.event)?);
    transaction.run(sqlx::query(REMOVE).bind(writer).bind(batch).bind(event)).await?;
    let Cut { end, key_id, signature } = sealer.cut(end);
    let cut = sqlx::query(CUT).bind(writer).bind(batch).bind(event).bind(end.link.0);
    transaction.run(cut.bind(i16::from(key_id)).bind(signature)).await?;
    transaction.keep().await?;
    Ok(Some(usize::try_from(end.event.saturating_sub(first) + 1).unwrap_or(usize::MAX)))
}

/// The first event of the next batches of a chain, and where the last of them ends.
async fn oldest(
    transaction: &mut Transaction,
    through: &ChainEnd,
) -> Result<Option<(u64, ChainEnd)>, Fault> {
    let (writer, batch) = (through.writer, signed(through.batch)?);
    let oldest = sqlx::query(OLDEST).bind(i64::from(writer)).bind(batch).bind(STEP);
    let rows = transaction.rows(oldest).await?;
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(None) };
    let mut columns = Columns::of(first);
    columns.skip(1);
    let first = columns.count("first_event")?;
    let mut columns = Columns::of(last);
    let batch = columns.count("number")?;
    columns.skip(1);
    let event = columns.count("last_event")?;
    let end = ChainEnd { writer, batch, event, link: ChainLink(columns.bytes("link")?) };
    Ok(Some((first, end)))
}

/// Gives back the room of months of which nothing is left; where that cannot be now, another time.
async fn drop_partitions(link: &Link) {
    let dropped = async {
        let mut transaction = link.begin(With::Anybody).await?;
        transaction.say("SET LOCAL lock_timeout = 1000").await?;
        transaction.say("SELECT handstamp.drop_partitions()").await?;
        transaction.commit().await
    };
    if let Err(fault) = dropped.await {
        tracing::debug!(%fault, "partitions without events stay for now");
    }
}
