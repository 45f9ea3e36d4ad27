//! A ledger that keeps all that was ever written to it, and breaks off after so many writes.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use handstamp_core::Subject;
use handstamp_core::ledger::{
    Bucket, Entry, EntryPage, Ledger, MemoryLedger, Put, Report, Series, Written,
};
use handstamp_core::store::{BoxFuture, Page, StoreError};
use handstamp_core::time::Timestamp;

/// What becomes of the first write that breaks off; later ones are never made.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Break {
    /// It is not made.
    Before,
    /// It is made, and nobody hears of it.
    After,
}

#[derive(Clone)]
pub(super) struct Journal {
    ledger: MemoryLedger,
    bodies: Arc<Mutex<Vec<String>>>,
    left: Arc<AtomicUsize>,
    kind: Break,
}

impl Journal {
    pub(super) fn new() -> Self {
        Self::over(MemoryLedger::new(), usize::MAX, Break::Before)
    }

    /// A way to `ledger` that breaks off after `writes`.
    pub(super) fn over(ledger: MemoryLedger, writes: usize, kind: Break) -> Self {
        Self { ledger, bodies: Arc::default(), left: Arc::new(writes.into()), kind }
    }

    /// Everything that was written, one line each.
    pub(super) fn text(&self) -> String {
        self.bodies.lock().unwrap().join("\n")
    }

    /// Whether it broke off.
    pub(super) fn is_broken(&self) -> bool {
        self.left.load(SeqCst) == 0
    }

    /// Whether one more write gets through, and whether its answer does.
    fn passes(&self) -> (bool, bool) {
        let left = self.left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
        match left {
            Err(_) => (false, false),
            Ok(1) => (self.kind == Break::After, false),
            Ok(_) => (true, true),
        }
    }
}

impl Ledger for Journal {
    fn get<'a>(
        &'a self,
        shelf: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        self.ledger.get(shelf, key)
    }

    fn list<'a>(
        &'a self,
        shelf: &'a str,
        prefix: &'a str,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<EntryPage, StoreError>> {
        self.ledger.list(shelf, prefix, page)
    }

    fn due<'a>(
        &'a self,
        shelf: &'a str,
        before: Timestamp,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        self.ledger.due(shelf, before, limit)
    }

    fn write(&self, puts: Vec<Put>) -> BoxFuture<'_, Result<Written, StoreError>> {
        Box::pin(async move {
            if puts.is_empty() {
                return self.ledger.write(puts).await;
            }
            let bodies = puts.iter().map(|put| format!("{} {:?}", put.key, put.body));
            self.bodies.lock().unwrap().extend(bodies);
            let (is_made, is_heard) = self.passes();
            let written = if is_made { Some(self.ledger.write(puts).await?) } else { None };
            match written.filter(|_| is_heard) {
                Some(written) => Ok(written),
                None if is_made => Err(StoreError::unknown("cut off")),
                None => Err(StoreError::unavailable("cut off")),
            }
        })
    }

    fn roll_up(&self, limit: usize) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.ledger.roll_up(limit)
    }

    fn report(
        &self,
        report: Report,
        from: Timestamp,
        to: Timestamp,
        bucket: Bucket,
    ) -> BoxFuture<'_, Result<Series, StoreError>> {
        self.ledger.report(report, from, to, bucket)
    }

    fn forget<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Result<(), StoreError>> {
        self.ledger.forget(subject)
    }

    fn trim(&self, before: Timestamp) -> BoxFuture<'_, Result<(), StoreError>> {
        self.ledger.trim(before)
    }
}
