//! Activity and age: touch, due, purge. What can be long is done in steps, so that commits pass
//! between them.

use handstamp_core::id::SessionId;
use handstamp_core::store::Census;
use handstamp_core::time::Timestamp;

use crate::fault::Fault;
use crate::link::{Link, With};
use crate::rows::Columns;
use crate::seat::MOST_TRIES;

/// Touches or purges in one transaction at most.
const STEP: usize = 500;

/// Rows are locked in the order of their ids, as commits do it. `idle_ms` may be as large as can be:
/// the sum is never formed where it would not fit. Of two touches of one session the later counts.
const TOUCH: &str = "
WITH asked AS (
    SELECT id, max(seen) AS seen FROM unnest($1::BYTEA[], $2::BIGINT[]) AS a (id, seen) GROUP BY id
), locked AS MATERIALIZED (
    SELECT s.id, asked.seen FROM handstamp.sessions s JOIN asked ON asked.id = s.id
    WHERE s.ended_at IS NULL AND s.last_seen < asked.seen AND s.due_at > asked.seen
    ORDER BY s.id FOR NO KEY UPDATE OF s
)
UPDATE handstamp.sessions s SET last_seen = locked.seen, due_at = CASE
    WHEN s.idle_ms IS NULL OR s.idle_ms > s.absolute_expiry - locked.seen THEN s.absolute_expiry
    ELSE locked.seen + s.idle_ms END
FROM locked WHERE s.id = locked.id";

const DUE: &str = "SELECT id FROM handstamp.sessions
    WHERE ended_at IS NULL AND due_slot <= $1::BIGINT >> 16 AND due_at <= $1
    ORDER BY due_slot, due_at, id LIMIT $2";

const CENSUS: &str = "SELECT (SELECT count(*) FROM handstamp.sessions WHERE ended_at IS NULL),
    (SELECT count(*) FROM handstamp.sessions WHERE ended_at IS NOT NULL)";

/// Bindings go with their records. What another purger is at is left to it.
const PURGE: &str = "
WITH gone AS MATERIALIZED (
    SELECT id FROM handstamp.sessions WHERE ended_at <= $1
    ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
DELETE FROM handstamp.sessions s USING gone WHERE s.id = gone.id RETURNING s.subject";

/// A head that says nothing is as good as none: guests come and go. One in which somebody begins a
/// session meanwhile says something by then.
const FORGET: &str = "
WITH idle AS MATERIALIZED (
    SELECT h.subject FROM handstamp.heads h
    WHERE h.subject = ANY ($1) AND h.version = 0 AND h.live = 0
    AND NOT EXISTS (SELECT 1 FROM handstamp.sessions s WHERE s.subject = h.subject)
    ORDER BY h.subject FOR UPDATE SKIP LOCKED
)
DELETE FROM handstamp.heads h USING idle
WHERE h.subject = idle.subject AND h.version = 0 AND h.live = 0";

/// Moves `touches`; answers how many moved.
pub(crate) async fn touch(link: &Link, touches: &[(SessionId, Timestamp)]) -> Result<usize, Fault> {
    let mut moved = 0;
    for step in touches.chunks(STEP) {
        match again(|| touch_step(link, step)).await {
            Ok(now) => moved += now,
            Err(fault) => return partly(moved, fault),
        }
    }
    Ok(moved)
}

async fn touch_step(link: &Link, step: &[(SessionId, Timestamp)]) -> Result<usize, Fault> {
    let ids: Vec<&[u8]> = step.iter().map(|(id, _)| &id.as_bytes()[..]).collect();
    let times: Vec<i64> = step.iter().map(|(_, at)| at.as_millis()).collect();
    let mut transaction = link.begin(With::Served).await?;
    let moved = transaction.run(sqlx::query(TOUCH).bind(ids).bind(times)).await?;
    transaction.keep().await?;
    Ok(usize::try_from(moved).unwrap_or(usize::MAX))
}

/// Removes at most `limit` that ended at `before` or earlier; answers how many.
pub(crate) async fn purge(link: &Link, before: Timestamp, limit: usize) -> Result<usize, Fault> {
    let mut removed = 0;
    while removed < limit {
        let most = STEP.min(limit - removed);
        match again(|| purge_step(link, before, most)).await {
            Ok(now) => {
                removed += now;
                if now < most {
                    break;
                }
            }
            Err(fault) => return partly(removed, fault),
        }
    }
    Ok(removed)
}

async fn purge_step(link: &Link, before: Timestamp, most: usize) -> Result<usize, Fault> {
    let mut transaction = link.begin(With::Served).await?;
    let limit = i64::try_from(most).unwrap_or(i64::MAX);
    let purge = sqlx::query(PURGE).bind(before.as_millis()).bind(limit);
    let rows = transaction.rows(purge).await?;
    let subjects = rows.iter().map(|row| Columns::of(row).next::<Option<&str>>("subject"));
    let mut subjects: Vec<&str> =
        subjects.filter_map(|it| it.transpose()).collect::<Result<_, _>>()?;
    subjects.sort_unstable();
    subjects.dedup();
    if !subjects.is_empty() {
        transaction.run(sqlx::query(FORGET).bind(subjects)).await?;
    }
    transaction.keep().await?;
    Ok(rows.len())
}

/// Tries again what others were faster at.
pub(crate) async fn again<T, F>(act: impl Fn() -> F) -> Result<T, Fault>
where
    F: Future<Output = Result<T, Fault>>,
{
    for _ in 1..MOST_TRIES {
        match act().await {
            Err(fault) if fault.is_race() => {}
            other => return other,
        }
    }
    act().await
}

/// What is done in steps and is whole only with the last: after the first, no error says any more that
/// nothing was changed.
#[derive(Default)]
pub(crate) struct Steps {
    is_begun: bool,
}

impl Steps {
    /// The answer of the next step.
    pub(crate) async fn next<T>(
        &mut self,
        step: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let answer = step.await.map_err(|fault| match fault {
            fault if !self.is_begun || matches!(fault, Fault::Lost(_)) => fault,
            fault => Fault::Lost(Box::new(fault)),
        });
        self.is_begun = true;
        answer
    }
}

/// Steps that are done are told; an error would say that nothing was changed.
fn partly(done: usize, fault: Fault) -> Result<usize, Fault> {
    if done > 0 { Ok(done) } else { Err(fault) }
}

/// How many records there are; each count is of a partial index of its own.
pub(crate) async fn census(link: &Link) -> Result<Census, Fault> {
    let rows = link.rows(|| sqlx::query(CENSUS)).await?;
    let mut columns = Columns::of(rows.first().ok_or(Fault::Stored("census"))?);
    Ok(Census { live: columns.count("live")?, ended: columns.count("ended")? })
}

/// Live records that were due at `before`, earliest first.
pub(crate) async fn due(
    link: &Link,
    before: Timestamp,
    limit: usize,
) -> Result<Vec<SessionId>, Fault> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let statement = || sqlx::query(DUE).bind(before.as_millis()).bind(limit);
    let rows = link.rows(statement).await?;
    rows.iter().map(|row| Columns::of(row).id("id")).collect()
}
