//! Addresses leave the figures: those of a subject, or old ones. In steps, so that commits pass
//! between them.

use handstamp_core::id::Subject;
use handstamp_core::ledger::Bucket;
use handstamp_core::ledger::tally::{Figure, Visit};
use handstamp_core::store::StoreError;
use handstamp_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::entries::most;
use super::roll_up::count;
use crate::fault::Fault;
use crate::state::State;
use crate::writer::{Care, Reply, Work};

/// Buckets that are looked through, or rows that are removed, in one transaction.
const STEP: usize = 256;

const NEXT: &str = "SELECT at FROM visits WHERE bucket = ?1 AND at > ?2 ORDER BY at LIMIT 1";

const THEIRS: &str = "DELETE FROM visits WHERE bucket = ?1 AND at = ?2 AND subject = ?3
    RETURNING ip, count, failed";

const EMPTY: &str = "DELETE FROM figures WHERE report = 'ips' AND bucket = ?1 AND at = ?2
    AND name = ?3 AND count <= 0";

/// Sums of events that were read before are worthless from now on.
fn spoil(connection: &Connection) -> Result<(), Fault> {
    connection.prepare_cached("UPDATE roll_up SET changes = changes + 1")?.execute([])?;
    Ok(())
}

/// Where a walk through the visits is: after which bucket of which length.
#[derive(Clone, Copy)]
struct Walk {
    length: usize,
    after: i64,
}

impl Walk {
    const START: Self = Self { length: 0, after: i64::MIN };

    /// The next bucket that has visits.
    fn next(&mut self, connection: &Connection) -> Result<Option<(Bucket, i64)>, Fault> {
        while let Some(bucket) = Bucket::ALL.get(self.length) {
            let found = connection
                .prepare_cached(NEXT)?
                .query_row(params![bucket.as_str(), self.after], |row| row.get(0))
                .optional()?;
            if let Some(at) = found {
                self.after = at;
                return Ok(Some((*bucket, at)));
            }
            *self = Self { length: self.length + 1, after: i64::MIN };
        }
        Ok(None)
    }
}

/// A subject that is to be forgotten, on its way to the writer.
pub(super) struct Forget {
    subject: Subject,
    walk: Walk,
    next: Option<Walk>,
    reply: Reply<()>,
}

impl Forget {
    /// Takes the visits of `subject` out; that it is done goes to `reply`.
    pub(super) const fn of(subject: Subject, reply: Reply<()>) -> Self {
        Self { subject, walk: Walk::START, next: None, reply }
    }
}

impl Work for Forget {
    fn step(&mut self, connection: &Connection, _: &mut State, _: Care) -> Result<(), Fault> {
        spoil(connection)?;
        let mut walk = self.walk;
        for _ in 0..STEP {
            let Some((bucket, at)) = walk.next(connection)? else {
                self.next = None;
                return Ok(());
            };
            forget(connection, &self.subject, bucket, at)?;
        }
        self.next = Some(walk);
        Ok(())
    }

    fn is_erased(&self) -> bool {
        self.next.is_none()
    }

    fn settle(mut self: Box<Self>) -> Option<Box<dyn Work>> {
        if let Some(walk) = self.next.take() {
            self.walk = walk;
            return Some(self);
        }
        let _ = self.reply.send(Ok(()));
        None
    }

    fn fail(self: Box<Self>, error: StoreError) {
        let _ = self.reply.send(Err(error));
    }
}

fn forget(
    connection: &Connection,
    subject: &Subject,
    bucket: Bucket,
    at: i64,
) -> Result<(), Fault> {
    let theirs: Vec<(String, Figure)> = connection
        .prepare_cached(THEIRS)?
        .query_map(params![bucket.as_str(), at, subject.as_str()], |row| {
            Ok((row.get(0)?, Figure::of(row.get(1)?, row.get(2)?)))
        })?
        .collect::<Result<_, _>>()?;
    for (ip, figure) in theirs {
        let (at, subject) = (Timestamp::from_millis(at), subject.as_str().into());
        let place = Visit { bucket, at, subject, ip: ip.into() }.place();
        if count(connection, &place, figure.forgotten())?.count <= 0 {
            let values = params![bucket.as_str(), at.as_millis(), &*place.name];
            connection.prepare_cached(EMPTY)?.execute(values)?;
        }
    }
    Ok(())
}

const TRIM: [&str; 2] = [
    "DELETE FROM visits WHERE (bucket, at, subject, ip) IN (SELECT bucket, at, subject, ip
     FROM visits WHERE bucket = ?1 AND at < ?2 LIMIT ?3)",
    "DELETE FROM figures WHERE (report, bucket, at, name) IN (SELECT report, bucket, at, name
     FROM figures WHERE report = 'ips' AND bucket = ?1 AND at < ?2 LIMIT ?3)",
];

/// What is told of addresses and is old, on its way to the writer.
pub(super) struct Trim {
    before: Timestamp,
    removed: usize,
    reply: Reply<()>,
}

impl Trim {
    /// Removes what began before `before`; that it is done goes to `reply`.
    pub(super) const fn of(before: Timestamp, reply: Reply<()>) -> Self {
        Self { before, removed: 0, reply }
    }
}

impl Work for Trim {
    fn step(&mut self, connection: &Connection, _: &mut State, _: Care) -> Result<(), Fault> {
        spoil(connection)?;
        self.removed = 0;
        for bucket in Bucket::ALL {
            for sql in TRIM {
                let values =
                    params![bucket.as_str(), self.before.as_millis(), most(STEP - self.removed)];
                self.removed += connection.prepare_cached(sql)?.execute(values)?;
            }
        }
        Ok(())
    }

    fn is_erased(&self) -> bool {
        self.removed < STEP
    }

    fn settle(self: Box<Self>) -> Option<Box<dyn Work>> {
        if self.removed == STEP {
            return Some(self);
        }
        let _ = self.reply.send(Ok(()));
        None
    }

    fn fail(self: Box<Self>, error: StoreError) {
        let _ = self.reply.send(Err(error));
    }
}
