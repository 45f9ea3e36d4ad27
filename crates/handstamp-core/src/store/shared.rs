//! A store behind an `Arc` is a store: handles of one store in several places.

use std::sync::Arc;

use crate::chain::{ChainEnd, Cut, SealedBatch, Sealer};
use crate::event::Event;
use crate::head::Head;
use crate::id::{SessionId, Subject};
use crate::store::{
    Batch, BindOutcome, Binding, BoxFuture, Capabilities, Census, Changes, Cursor, EventFilter,
    EventPage, Filter, LoadAnswer, Meta, Outcome, Page, RecordPage, SessionStore, StoreError,
};
use crate::time::Timestamp;

impl<S: SessionStore + ?Sized> SessionStore for Arc<S> {
    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }

    fn meta(&self) -> &Meta {
        (**self).meta()
    }

    fn load<'a>(&'a self, ids: &'a [SessionId]) -> BoxFuture<'a, Result<LoadAnswer, StoreError>> {
        (**self).load(ids)
    }

    fn heads<'a>(
        &'a self,
        subjects: &'a [Subject],
    ) -> BoxFuture<'a, Result<Vec<Head>, StoreError>> {
        (**self).heads(subjects)
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<Vec<Outcome>, StoreError>> {
        (**self).commit(batch)
    }

    fn by_subject<'a>(
        &'a self,
        subject: &'a Subject,
        include_ended: bool,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<RecordPage, StoreError>> {
        (**self).by_subject(subject, include_ended, page)
    }

    fn scan<'a>(
        &'a self,
        filter: &'a Filter,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<RecordPage, StoreError>> {
        (**self).scan(filter, page)
    }

    fn census(&self) -> BoxFuture<'_, Result<Census, StoreError>> {
        (**self).census()
    }

    fn touch<'a>(
        &'a self,
        touches: &'a [(SessionId, Timestamp)],
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        (**self).touch(touches)
    }

    fn due(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<SessionId>, StoreError>> {
        (**self).due(before, limit)
    }

    fn purge(&self, before: Timestamp, limit: usize) -> BoxFuture<'_, Result<usize, StoreError>> {
        (**self).purge(before, limit)
    }

    fn events<'a>(
        &'a self,
        filter: &'a EventFilter,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<EventPage, StoreError>> {
        (**self).events(filter, page)
    }

    fn append<'a>(
        &'a self,
        events: Vec<Event>,
        sealer: &'a Sealer,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        (**self).append(events, sealer)
    }

    fn sealed(
        &self,
        writer: u32,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<SealedBatch>, StoreError>> {
        (**self).sealed(writer, after, limit)
    }

    fn writers(&self) -> BoxFuture<'_, Result<Vec<u32>, StoreError>> {
        (**self).writers()
    }

    fn cursor(&self) -> BoxFuture<'_, Result<Cursor, StoreError>> {
        (**self).cursor()
    }

    fn wakes(&self) -> Option<tokio::sync::watch::Receiver<u64>> {
        (**self).wakes()
    }

    fn time(&self) -> BoxFuture<'_, Result<Option<Timestamp>, StoreError>> {
        (**self).time()
    }

    fn clock(&self) -> Option<crate::time::SystemClock> {
        (**self).clock()
    }

    fn ends(&self, before: Timestamp) -> BoxFuture<'_, Result<Vec<ChainEnd>, StoreError>> {
        (**self).ends(before)
    }

    fn cuts(&self) -> BoxFuture<'_, Result<Vec<Cut>, StoreError>> {
        (**self).cuts()
    }

    fn erase<'a>(
        &'a self,
        subject: Option<&'a Subject>,
        through: &'a [ChainEnd],
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        (**self).erase(subject, through)
    }

    fn cut<'a>(
        &'a self,
        through: &'a [ChainEnd],
        sealer: &'a Sealer,
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        (**self).cut(through, sealer)
    }

    fn changes<'a>(
        &'a self,
        after: &'a Cursor,
        limit: usize,
    ) -> BoxFuture<'a, Result<Changes, StoreError>> {
        (**self).changes(after, limit)
    }

    fn binding(&self, id: SessionId) -> BoxFuture<'_, Result<Option<Binding>, StoreError>> {
        (**self).binding(id)
    }

    fn bind(
        &self,
        id: SessionId,
        expected: Option<u64>,
        body: Option<Vec<u8>>,
    ) -> BoxFuture<'_, Result<BindOutcome, StoreError>> {
        (**self).bind(id, expected, body)
    }
}
