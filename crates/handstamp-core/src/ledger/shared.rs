//! A ledger behind an `Arc` is a ledger.

use std::sync::Arc;

use super::{Entry, EntryPage, Ledger, Put, Written};
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
}
