//! The ledger: small documents by shelf and key, and figures over time.

mod entries;
mod forget;
mod reports;
mod roll_up;

use handstamp_core::id::Subject;
use handstamp_core::ledger::report::Span;
use handstamp_core::ledger::{Bucket, Entry, EntryPage, Ledger, Put, Report, Series, Written};
use handstamp_core::store::{BoxFuture, Page, StoreError};
use handstamp_core::time::Timestamp;

use self::entries::Write;
use self::forget::{Forget, Trim};
use self::roll_up::Add;
use crate::store::SqliteStore;

/// Events that are added up in one transaction: a commit that shares it waits a few milliseconds.
const STEP: usize = 64;

impl Ledger for SqliteStore {
    fn get<'a>(
        &'a self,
        shelf: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        let (shelf, key) = (shelf.to_owned(), key.to_owned());
        self.read(move |connection| entries::find(connection, &shelf, &key))
    }

    fn list<'a>(
        &'a self,
        shelf: &'a str,
        prefix: &'a str,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<EntryPage, StoreError>> {
        let (shelf, prefix, page) = (shelf.to_owned(), prefix.to_owned(), page.clone());
        self.read(move |connection| entries::list(connection, &shelf, &prefix, &page))
    }

    fn due<'a>(
        &'a self,
        shelf: &'a str,
        before: Timestamp,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        let shelf = shelf.to_owned();
        self.read(move |connection| entries::due(connection, &shelf, before, limit))
    }

    fn write(&self, puts: Vec<Put>) -> BoxFuture<'_, Result<Written, StoreError>> {
        Box::pin(async move {
            if let Err(invalid) = Put::check_all(&puts) {
                return Ok(invalid);
            }
            self.writer().run(|reply| Write::of(puts, reply)).await
        })
    }

    fn roll_up(&self, limit: usize) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(async move {
            let mut left = limit;
            while left > 0 {
                let step = left.min(STEP);
                let read = self.read(move |connection| roll_up::read(connection, step)).await?;
                let Some(read) = read else { return Ok(false) };
                let taken = read.taken();
                // Where another was faster, its figures stand and these were never added.
                if self.writer().run(|reply| Add::of(read, reply)).await? {
                    left = left.saturating_sub(taken);
                }
            }
            Ok(true)
        })
    }

    fn report(
        &self,
        report: Report,
        from: Timestamp,
        to: Timestamp,
        bucket: Bucket,
    ) -> BoxFuture<'_, Result<Series, StoreError>> {
        let span = Span::of(from, to, bucket);
        self.read(move |connection| reports::report(connection, report, span))
    }

    fn forget<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.writer().run(|reply| Forget::of(subject.clone(), reply)))
    }

    fn trim(&self, before: Timestamp) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.writer().run(move |reply| Trim::of(before, reply)))
    }
}
