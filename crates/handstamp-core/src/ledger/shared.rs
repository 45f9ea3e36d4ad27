//! A ledger behind an `Arc` is a ledger.

use std::sync::Arc;

use super::{Bucket, Entry, EntryPage, Ledger, Put, Report, Series, Written};
use crate::id::Subject;
use crate::store::{BoxFuture, Page, StoreError};
use crate::time::Timestamp;

impl<L: Ledger + ?Sized> Ledger for Arc<L> {
    fn get<'a>(
        &'a self,
        shelf: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        (**self).get(shelf, key)
    }

    fn list<'a>(
        &'a self,
        shelf: &'a str,
        prefix: &'a str,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<EntryPage, StoreError>> {
        (**self).list(shelf, prefix, page)
    }

    fn due<'a>(
        &'a self,
        shelf: &'a str,
        before: Timestamp,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        (**self).due(shelf, before, limit)
    }

    fn write(&self, puts: Vec<Put>) -> BoxFuture<'_, Result<Written, StoreError>> {
        (**self).write(puts)
    }

    fn roll_up(&self, limit: usize) -> BoxFuture<'_, Result<bool, StoreError>> {
        (**self).roll_up(limit)
    }

    fn report(
        &self,
        report: Report,
        from: Timestamp,
        to: Timestamp,
        bucket: Bucket,
    ) -> BoxFuture<'_, Result<Series, StoreError>> {
        (**self).report(report, from, to, bucket)
    }

    fn forget<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Result<(), StoreError>> {
        (**self).forget(subject)
    }

    fn trim(&self, before: Timestamp) -> BoxFuture<'_, Result<(), StoreError>> {
        (**self).trim(before)
    }
}
