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

use crate::age::{Steps, again};
use crate::store::{PostgresStore, told};

/// Events that are added up in one transaction.
const STEP: usize = 500;

impl Ledger for PostgresStore {
    fn get<'a>(
        &'a self,
        shelf: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        Box::pin(told(entries::find(self.link(), shelf, key)))
    }

    fn list<'a>(
        &'a self,
        shelf: &'a str,
        prefix: &'a str,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<EntryPage, StoreError>> {
        Box::pin(told(entries::list(self.link(), shelf, prefix, page)))
    }

    fn due<'a>(
        &'a self,
        shelf: &'a str,
        before: Timestamp,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        Box::pin(told(entries::due(self.link(), shelf, before, limit)))
    }

    fn write(&self, puts: Vec<Put>) -> BoxFuture<'_, Result<Written, StoreError>> {
        Box::pin(told(async move {
            match Put::check_all(&puts) {
                Err(invalid) => Ok(invalid),
                Ok(()) => again(|| entries::write(self.link(), &puts)).await,
            }
        }))
    }

    fn roll_up(&self, limit: usize) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(told(async move {
            let (mut left, mut steps) = (limit, Steps::default());
            while left > 0 {
                let most = left.min(STEP);
                match steps.next(again(|| roll_up::step(self.link(), most))).await? {
                    0 => return Ok(false),
                    taken => left = left.saturating_sub(taken),
                }
            }
            Ok(true)
        }))
    }

    fn report(
        &self,
        report: Report,
        from: Timestamp,
        to: Timestamp,
        bucket: Bucket,
    ) -> BoxFuture<'_, Result<Series, StoreError>> {
        let span = Span::of(from, to, bucket);
        Box::pin(told(reports::report(self.link(), report, span)))
    }

    fn forget<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(told(again(|| forget::forget(self.link(), subject))))
    }

    fn trim(&self, before: Timestamp) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(told(async move {
            let mut steps = Steps::default();
            while steps.next(again(|| forget::trim(self.link(), before))).await? {}
            Ok(())
        }))
    }
}
