//! The ledger that keeps everything in the memory of this process.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Entry, EntryPage, Ledger, Put, Written};
use crate::store::{BoxFuture, Page, StoreError};
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
#[derive(Clone, Debug, Default)]
pub struct MemoryLedger {
    shelves: Arc<Mutex<Shelves>>,
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
    /// An empty ledger.
    pub fn new() -> Self {
        Self::default()
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
}
