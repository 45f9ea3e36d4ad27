//! Activity and age: touch, due, purge. What can be long is done in steps, so that commits pass
//! between them.

use handstamp_core::id::SessionId;
use handstamp_core::store::{Census, StoreError};
use handstamp_core::time::Timestamp;
use rusqlite::{Connection, params};

use crate::fault::Fault;
use crate::state::State;
use crate::writer::{Care, Reply, Work};

/// Touches or purges in one transaction at most: a commit that shares it waits about a millisecond.
const STEP: usize = 64;

/// `idle_ms` may be as large as can be: the sum is never formed where it would not fit.
const TOUCH: &str = "UPDATE sessions SET last_seen = ?2, due_at = CASE \
    WHEN idle_ms IS NULL OR idle_ms > absolute_expiry - ?2 THEN absolute_expiry \
    ELSE ?2 + idle_ms END \
    WHERE id = ?1 AND ended_at IS NULL AND last_seen < ?2 AND due_at > ?2";

const PURGE: &str = "DELETE FROM sessions WHERE rowid IN \
    (SELECT rowid FROM sessions WHERE ended_at <= ?1 ORDER BY ended_at LIMIT ?2) RETURNING id, subject";

/// A head that says nothing is as good as none: guests come and go.
const FORGET: &str = "DELETE FROM heads WHERE subject = ?1 AND version = 0 \
    AND NOT EXISTS (SELECT 1 FROM sessions WHERE subject = ?1)";

/// Touches on their way to the writer.
pub(crate) struct Touch {
    touches: Vec<(SessionId, Timestamp)>,
    done: usize,
    moved: usize,
    moved_now: usize,
    reply: Reply<usize>,
}

impl Touch {
    /// Moves `touches`; how many moved goes to `reply`.
    pub(crate) const fn of(touches: Vec<(SessionId, Timestamp)>, reply: Reply<usize>) -> Self {
        Self { touches, done: 0, moved: 0, moved_now: 0, reply }
    }

    fn next(&self) -> &[(SessionId, Timestamp)] {
        let rest = self.touches.get(self.done..).unwrap_or_default();
        rest.get(..STEP).unwrap_or(rest)
    }
}

impl Work for Touch {
    fn step(&mut self, connection: &Connection, _: &mut State, _: Care) -> Result<(), Fault> {
        let mut statement = connection.prepare_cached(TOUCH)?;
        let mut moved = 0;
        for (id, at) in self.next() {
            moved += statement.execute(params![id.as_bytes(), at.as_millis()])?;
        }
        self.moved_now = moved;
        Ok(())
    }

    fn settle(mut self: Box<Self>) -> Option<Box<dyn Work>> {
        self.moved += self.moved_now;
        self.done += self.next().len();
        if self.done < self.touches.len() {
            return Some(self);
        }
        let _ = self.reply.send(Ok(self.moved));
        None
    }

    fn fail(self: Box<Self>, error: StoreError) {
        let _ = self.reply.send(partly(self.moved, error));
    }
}

/// A purge on its way to the writer.
pub(crate) struct Purge {
    before: Timestamp,
    limit: usize,
    removed: usize,
    removed_now: usize,
    reply: Reply<usize>,
}

impl Purge {
    /// Removes at most `limit` that ended at `before` or earlier; how many goes to `reply`.
    pub(crate) const fn of(before: Timestamp, limit: usize, reply: Reply<usize>) -> Self {
        Self { before, limit, removed: 0, removed_now: 0, reply }
    }

    fn next(&self) -> usize {
        STEP.min(self.limit - self.removed)
    }
}

impl Work for Purge {
    fn step(&mut self, connection: &Connection, _: &mut State, _: Care) -> Result<(), Fault> {
        let most = i64::try_from(self.next()).unwrap_or(i64::MAX);
        let removed = connection
            .prepare_cached(PURGE)?
            .query_map(params![self.before.as_millis(), most], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?
            .collect::<Result<Vec<([u8; SessionId::LEN], Option<String>)>, _>>()?;
        let mut unbind = connection.prepare_cached("DELETE FROM bindings WHERE session = ?1")?;
        let mut forget = connection.prepare_cached(FORGET)?;
        for (id, subject) in &removed {
            unbind.execute([id])?;
            if let Some(subject) = subject {
                forget.execute([subject])?;
            }
        }
        self.removed_now = removed.len();
        Ok(())
    }

    fn settle(mut self: Box<Self>) -> Option<Box<dyn Work>> {
        let is_last = self.removed_now < self.next();
        self.removed += self.removed_now;
        if !is_last && self.removed < self.limit {
            return Some(self);
        }
        let _ = self.reply.send(Ok(self.removed));
        None
    }

    fn fail(self: Box<Self>, error: StoreError) {
        let _ = self.reply.send(partly(self.removed, error));
    }
}

/// Steps that are on disk are told; an error would say that nothing was changed.
fn partly(done: usize, error: StoreError) -> Result<usize, StoreError> {
    if done > 0 { Ok(done) } else { Err(error) }
}

/// How many records there are; each count is of a partial index of its own.
pub(crate) fn census(connection: &Connection) -> Result<Census, Fault> {
    let moment = connection.unchecked_transaction()?;
    let count = |sql| -> Result<u64, Fault> {
        let count: i64 = moment.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    };
    Ok(Census {
        live: count("SELECT count(*) FROM sessions WHERE ended_at IS NULL")?,
        ended: count("SELECT count(*) FROM sessions WHERE ended_at IS NOT NULL")?,
    })
}

/// Live records that were due at `before`, earliest first.
pub(crate) fn due(
    connection: &Connection,
    before: Timestamp,
    limit: usize,
) -> Result<Vec<SessionId>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM sessions WHERE ended_at IS NULL AND due_at <= ?1
         ORDER BY due_at, id LIMIT ?2",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let ids = statement.query_map(params![before.as_millis(), limit], |row| row.get(0))?;
    Ok(ids.map(|id| id.map(SessionId::from_bytes)).collect::<Result<_, _>>()?)
}
