//! The change log is read, and what it tells is taken in.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::Coherence;
use crate::cache::Tells;
use crate::error::SessionError;
use crate::head::Deployment;
use crate::store::{Change, Cursor, StoreError};
use crate::time::Timestamp;

/// How many commits are read at once.
const STEP: usize = 1_000;

/// No read was completed yet.
const NEVER: i64 = i64::MIN;

/// How far the log has been read.
#[derive(Debug)]
pub(super) struct Log {
    /// Held by whoever reads.
    reader: tokio::sync::Mutex<Reader>,
    /// How many reads have begun.
    begun: AtomicU64,
    began: AtomicI64,
    reads: AtomicU64,
    failures: AtomicU64,
    gaps: AtomicU64,
}

#[derive(Debug, Default)]
struct Reader {
    /// Where the next read goes on; `None` while nothing is known of what came before.
    after: Option<Cursor>,
    /// The number of the last read that was completed.
    completed: u64,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            reader: tokio::sync::Mutex::default(),
            begun: AtomicU64::new(0),
            began: AtomicI64::new(NEVER),
            reads: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            gaps: AtomicU64::new(0),
        }
    }
}

impl Log {
    /// When the last complete read began.
    pub(super) fn began(&self) -> Option<Timestamp> {
        let began = self.began.load(Ordering::Relaxed);
        (began != NEVER).then(|| Timestamp::from_millis(began))
    }

    pub(super) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    pub(super) fn gaps(&self) -> u64 {
        self.gaps.load(Ordering::Relaxed)
    }
}

impl Coherence {
    /// Takes in everything that any process had committed when this was called. Many who ask at once
    /// share a read that began after they asked.
    pub(crate) async fn catch_up(&self) -> Result<(), SessionError> {
        if self.cache.is_alone() {
            return Ok(());
        }
        let asked_at = self.log.begun.load(Ordering::SeqCst);
        let mut reader = self.log.reader.lock().await;
        if reader.completed > asked_at {
            return Ok(());
        }
        let number = self.log.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let began = self.clock.now();
        if let Err(error) = self.read(&mut reader).await {
            self.log.failures.fetch_add(1, Ordering::Relaxed);
            return Err(error.into());
        }
        reader.completed = number;
        self.log.began.store(began.as_millis(), Ordering::Relaxed);
        self.log.reads.fetch_add(1, Ordering::Relaxed);
        self.lease.renew(began);
        Ok(())
    }

    /// Reads to the end of the log.
    async fn read(&self, reader: &mut Reader) -> Result<(), StoreError> {
        loop {
            let Some(after) = &reader.after else { return self.start_afresh(reader).await };
            let read = match self.store.changes(after, STEP).await {
                // It is of a log that is gone.
                Err(StoreError::BadCursor) => return self.start_afresh(reader).await,
                read => read?,
            };
            if read.has_gap {
                return self.start_afresh(reader).await;
            }
            // Each commit has a change at least, so that a page is full at the earliest then.
            let is_over = read.changes.len() < STEP;
            let has_changes = !read.changes.is_empty();
            read.changes.iter().for_each(|change| self.take(change));
            reader.after = Some(read.cursor);
            if has_changes {
                self.watchers.committed();
            }
            if is_over {
                return Ok(());
            }
        }
    }

    /// Forgets everything and goes on from the end of the log. After a gap even what the epoch of the
    /// deployment was: the store may have lost the commit that moved it.
    async fn start_afresh(&self, reader: &mut Reader) -> Result<(), StoreError> {
        let before = self.cache.deployment();
        let end = self.store.cursor().await?;
        if reader.after.is_some() {
            let now = self.store.load(&[]).await?.deployment;
            self.cache.start_afresh(before, now);
            tracing::warn!("the change log does not reach back: everything is loaded anew");
            self.log.gaps.fetch_add(1, Ordering::Relaxed);
        } else {
            self.cache.forget_all();
        }
        reader.after = Some(end);
        self.watchers.wake_subject(None);
        self.watchers.committed();
        Ok(())
    }

    /// Takes in one change. Those of one session by several processes may come in either order:
    /// versions tell.
    fn take(&self, change: &Change) {
        match change {
            Change::Session { id, version, generation, min_generation, is_ended } => {
                let (generation, min_generation) = (*generation, *min_generation);
                let tells = Tells { generation, min_generation, is_ended: *is_ended };
                self.cache.heard(id, *version, tells);
                // Ended, or set aside: what is open must close.
                if *is_ended || min_generation > generation {
                    self.watchers.wake(id);
                }
            }
            Change::Subject { subject, version, epoch } => {
                self.cache.heard_head(subject, *version, *epoch);
                self.watchers.wake_subject(Some(subject));
            }
            Change::Deployment { epoch } => {
                self.cache.put_deployment(Deployment { epoch: *epoch });
                self.watchers.wake_subject(None);
            }
        }
    }
}
