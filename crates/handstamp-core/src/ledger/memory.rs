//! The ledger that keeps everything in the memory of this process.

mod figures;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::figures::Figures;
use super::report::{Bucket, Report, Series, Span};
use super::tally::Sums;
use super::{Entry, EntryPage, Ledger, Put, Written};
use crate::event::Event;
use crate::id::Subject;
use crate::store::{BoxFuture, Page, SessionStore, StoreError};
use crate::time::Timestamp;

/// Keeps entries in the memory of this process: for tests, for programs that may forget when they
/// restart, and as the measure for other ledgers. Clones share everything.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use handstamp_core::ledger::{Ledger, LedgerExt, MemoryLedger, Put};
///
/// let ledger = MemoryLedger::new();
/// let hook = Put::new("webhooks", "h1", "https://example.org")?.if_absent();
/// assert!(ledger.write(vec![hook.clone()]).await?.is_applied());
/// assert!(!ledger.write(vec![hook]).await?.is_applied());
/// let (url, _version) = ledger.find::<String>("webhooks", "h1").await?.unwrap();
/// assert_eq!(url, "https://example.org");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Default)]
pub struct MemoryLedger {
    shelves: Arc<Mutex<Shelves>>,
    rolled: Arc<Mutex<Rolled>>,
    /// Whose events are rolled up.
    store: Option<Arc<dyn SessionStore>>,
}

impl std::fmt::Debug for MemoryLedger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let entries = self.shelves().entries.len();
        f.debug_struct("MemoryLedger").field("entries", &entries).finish_non_exhaustive()
    }
}

/// What is rolled up, and how far.
#[derive(Debug, Default)]
struct Rolled {
    figures: Figures,
    /// The last event of each writer that is in the figures, with the batch before the one that it
    /// stands in.
    cursors: BTreeMap<u32, (u64, u64)>,
    /// Counts what makes sums of events read before it worthless.
    changes: u64,
}

type Place = (Arc<str>, Arc<str>);

/// All entries, and those that have a time by it.
#[derive(Debug, Default)]
struct Shelves {
    entries: BTreeMap<Place, Entry>,
    due: BTreeSet<(Arc<str>, Timestamp, Arc<str>)>,
    version: u64,
}

impl MemoryLedger {
    /// An empty ledger, without reports.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty ledger that reports on the events of `store`.
    pub fn over(store: Arc<dyn SessionStore>) -> Self {
        Self { store: Some(store), ..Self::default() }
    }

    fn rolled(&self) -> MutexGuard<'_, Rolled> {
        // Sums are complete before they are added, and adding cannot fail.
        self.rolled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds up what the log of `writer` has after the cursor, at most `limit` events. Answers how
    /// many; `None` when another was faster.
    async fn roll_up_writer(
        &self,
        store: &Arc<dyn SessionStore>,
        writer: u32,
        limit: usize,
    ) -> Result<Option<usize>, StoreError> {
        let ((batch, event), changes) = {
            let rolled = self.rolled();
            (rolled.cursors.get(&writer).copied().unwrap_or_default(), rolled.changes)
        };
        let batches = store.sealed(writer, batch, limit.max(1)).await?;
        let new = batches.iter().flat_map(|batch| {
            let new = batch.events.iter().filter(|it| it.number > event);
            new.map(|event| (batch.number, event.clone()))
        });
        let (numbers, events): (Vec<u64>, Vec<Event>) = new.take(limit).unzip();
        let mut rolled = self.rolled();
        if rolled.changes != changes {
            return Ok(None);
        }
        let figures = &rolled.figures;
        let find = |id| Ok::<_, StoreError>(figures.find(id));
        let sums = Sums::of(&events, figures.standing(), find)?;
        let taken = sums.taken;
        if let Some(last) = taken.checked_sub(1) {
            rolled.cursors.insert(writer, (numbers[last] - 1, events[last].number));
            rolled.figures.add(sums);
            rolled.changes += 1;
        }
        Ok(Some(taken))
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        // Nothing in there can be half done: what could fail is decided before it.
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelves {
    fn list(&self, shelf: &str, prefix: &str, page: &Page) -> EntryPage {
        let shelf: Arc<str> = shelf.into();
        let from = match page.after.as_deref() {
            Some(after) if after >= prefix => Bound::Excluded((shelf.clone(), after.into())),
            _ => Bound::Included((shelf.clone(), prefix.into())),
        };
        let entries = self.entries.range((from, Bound::Unbounded)).map(|(_, entry)| entry);
        let fits = |entry: &&Entry| entry.shelf == shelf && entry.key.starts_with(prefix);
        let found = entries.take_while(fits).take(page.clamped() + 1).cloned();
        EntryPage::cut(found.collect(), page)
    }

    fn due(&self, shelf: &str, before: Timestamp, limit: usize) -> Vec<Entry> {
        let shelf: Arc<str> = shelf.into();
        let from = (shelf.clone(), Timestamp::from_millis(i64::MIN), Arc::from(""));
        let due = self.due.range(from..);
        let due = due.take_while(|(of, at, _)| *of == shelf && *at <= before).take(limit);
        due.filter_map(|(_, _, key)| self.entries.get(&(shelf.clone(), key.clone())))
            .cloned()
            .collect()
    }

    fn write(&mut self, puts: Vec<Put>) -> Written {
        if let Err(invalid) = Put::check_all(&puts) {
            return invalid;
        }
        for (place, put) in puts.iter().enumerate() {
            let current = self.entries.get(&(put.shelf.clone(), put.key.clone()));
            if !put.expect.accepts(current.map(|entry| entry.version)) {
                return Written::Conflict { place, current: current.cloned() };
            }
        }
        if puts.is_empty() {
            return Written::Applied(0);
        }
        self.version += 1;
        puts.into_iter().for_each(|put| self.put(put));
        Written::Applied(self.version)
    }

    fn put(&mut self, put: Put) {
        let Put { shelf, key, body, due_at, .. } = put;
        let place = (shelf.clone(), key.clone());
        if let Some(old) = self.entries.remove(&place).and_then(|old| old.due_at) {
            self.due.remove(&(shelf.clone(), old, key.clone()));
        }
        let Some(body) = body else { return };
        self.due.extend(due_at.map(|at| (shelf.clone(), at, key.clone())));
        self.entries.insert(place, Entry { shelf, key, version: self.version, body, due_at });
    }
}

impl Ledger for MemoryLedger {
    fn get<'a>(
        &'a self,
        shelf: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        Box::pin(
            async move { Ok(self.shelves().entries.get(&(shelf.into(), key.into())).cloned()) },
        )
    }

    fn list<'a>(
        &'a self,
        shelf: &'a str,
        prefix: &'a str,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<EntryPage, StoreError>> {
        Box::pin(async move { Ok(self.shelves().list(shelf, prefix, page)) })
    }

    fn due<'a>(
        &'a self,
        shelf: &'a str,
        before: Timestamp,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        Box::pin(async move { Ok(self.shelves().due(shelf, before, limit)) })
    }

    fn write(&self, puts: Vec<Put>) -> BoxFuture<'_, Result<Written, StoreError>> {
        Box::pin(async move { Ok(self.shelves().write(puts)) })
    }

    fn roll_up(&self, limit: usize) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(async move {
            let Some(store) = &self.store else { return Ok(false) };
            let mut left = limit;
            for writer in store.writers().await? {
                while left > 0 {
                    match self.roll_up_writer(store, writer, left).await? {
                        Some(0) => break,
                        Some(taken) => left -= taken,
                        None => {}
                    }
                }
            }
            Ok(left == 0)
        })
    }

    fn report(
        &self,
        report: Report,
        from: Timestamp,
        to: Timestamp,
        bucket: Bucket,
    ) -> BoxFuture<'_, Result<Series, StoreError>> {
        Box::pin(
            async move { Ok(self.rolled().figures.report(report, Span::of(from, to, bucket))) },
        )
    }

    fn forget<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let mut rolled = self.rolled();
            rolled.changes += 1;
            rolled.figures.forget(subject.as_str());
            Ok(())
        })
    }

    fn trim(&self, before: Timestamp) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let mut rolled = self.rolled();
            rolled.changes += 1;
            rolled.figures.trim(before);
            Ok(())
        })
    }
}
