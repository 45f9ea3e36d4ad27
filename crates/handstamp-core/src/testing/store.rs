//! Every call of the contract, taken through the gate.

use tokio::sync::watch;

use super::call::Call;
use super::gate::GateStore;
use crate::chain::{ChainEnd, Cut, SealedBatch, Sealer};
use crate::event::Event;
use crate::head::Head;
use crate::id::{SessionId, Subject};
use crate::store::{
    Batch, BindOutcome, Binding, BoxFuture, Capabilities, Census, Changes, Cursor, EventFilter,
    EventPage, Filter, LoadAnswer, Meta, Outcome, Page, RecordPage, SessionStore, StoreError,
};
use crate::time::Timestamp;

impl<S: SessionStore> SessionStore for GateStore<S> {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn meta(&self) -> &Meta {
        self.inner.meta()
    }

    fn load<'a>(&'a self, ids: &'a [SessionId]) -> BoxFuture<'a, Result<LoadAnswer, StoreError>> {
        Box::pin(async move { self.pass(Call::Load, None).await.to(self.inner.load(ids)).await })
    }

    fn heads<'a>(
        &'a self,
        subjects: &'a [Subject],
    ) -> BoxFuture<'a, Result<Vec<Head>, StoreError>> {
        Box::pin(
            async move { self.pass(Call::Heads, None).await.to(self.inner.heads(subjects)).await },
        )
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<Vec<Outcome>, StoreError>> {
        Box::pin(async move {
            let passage = self.pass(Call::Commit, Some(&batch)).await;
            if passage.is_late() {
                self.keep(batch.clone());
            }
            passage.to(self.inner.commit(batch)).await
        })
    }

    fn by_subject<'a>(
        &'a self,
        subject: &'a Subject,
        include_ended: bool,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<RecordPage, StoreError>> {
        Box::pin(async move {
            self.pass(Call::BySubject, None)
                .await
                .to(self.inner.by_subject(subject, include_ended, page))
                .await
        })
    }

    fn scan<'a>(
        &'a self,
        filter: &'a Filter,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<RecordPage, StoreError>> {
        Box::pin(async move {
            self.pass(Call::Scan, None).await.to(self.inner.scan(filter, page)).await
        })
    }

    fn census(&self) -> BoxFuture<'_, Result<Census, StoreError>> {
        Box::pin(async move { self.pass(Call::Census, None).await.to(self.inner.census()).await })
    }

    fn touch<'a>(
        &'a self,
        touches: &'a [(SessionId, Timestamp)],
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        Box::pin(
            async move { self.pass(Call::Touch, None).await.to(self.inner.touch(touches)).await },
        )
    }

    fn due(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<SessionId>, StoreError>> {
        Box::pin(
            async move { self.pass(Call::Due, None).await.to(self.inner.due(before, limit)).await },
        )
    }

    fn purge(&self, before: Timestamp, limit: usize) -> BoxFuture<'_, Result<usize, StoreError>> {
        Box::pin(async move {
            self.pass(Call::Purge, None).await.to(self.inner.purge(before, limit)).await
        })
    }

    fn events<'a>(
        &'a self,
        filter: &'a EventFilter,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<EventPage, StoreError>> {
        Box::pin(async move {
            self.pass(Call::Events, None).await.to(self.inner.events(filter, page)).await
        })
    }

    fn append<'a>(
        &'a self,
        events: Vec<Event>,
        sealer: &'a Sealer,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.pass(Call::Append, None).await.to(self.inner.append(events, sealer)).await
        })
    }

    fn sealed(
        &self,
        writer: u32,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<SealedBatch>, StoreError>> {
        Box::pin(async move {
            self.pass(Call::Sealed, None).await.to(self.inner.sealed(writer, after, limit)).await
        })
    }

    fn writers(&self) -> BoxFuture<'_, Result<Vec<u32>, StoreError>> {
        Box::pin(async move { self.pass(Call::Writers, None).await.to(self.inner.writers()).await })
    }

    fn cursor(&self) -> BoxFuture<'_, Result<Cursor, StoreError>> {
        Box::pin(async move { self.pass(Call::Cursor, None).await.to(self.inner.cursor()).await })
    }

    fn ends(&self, before: Timestamp) -> BoxFuture<'_, Result<Vec<ChainEnd>, StoreError>> {
        Box::pin(async move { self.pass(Call::Ends, None).await.to(self.inner.ends(before)).await })
    }

    fn cuts(&self) -> BoxFuture<'_, Result<Vec<Cut>, StoreError>> {
        Box::pin(async move { self.pass(Call::Cuts, None).await.to(self.inner.cuts()).await })
    }

    fn erase<'a>(
        &'a self,
        subject: Option<&'a Subject>,
        through: &'a [ChainEnd],
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        Box::pin(async move {
            self.pass(Call::Erase, None).await.to(self.inner.erase(subject, through)).await
        })
    }

    fn cut<'a>(
        &'a self,
        through: &'a [ChainEnd],
        sealer: &'a Sealer,
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        Box::pin(async move {
            self.pass(Call::Cut, None).await.to(self.inner.cut(through, sealer)).await
        })
    }

    fn changes<'a>(
        &'a self,
        after: &'a Cursor,
        limit: usize,
    ) -> BoxFuture<'a, Result<Changes, StoreError>> {
        Box::pin(async move {
            self.pass(Call::Changes, None).await.to(self.inner.changes(after, limit)).await
        })
    }

    fn wakes(&self) -> Option<watch::Receiver<u64>> {
        self.inner.wakes()
    }

    fn time(&self) -> BoxFuture<'_, Result<Option<Timestamp>, StoreError>> {
        self.inner.time()
    }

    fn clock(&self) -> Option<crate::time::SystemClock> {
        self.inner.clock()
    }

    fn binding(&self, id: SessionId) -> BoxFuture<'_, Result<Option<Binding>, StoreError>> {
        Box::pin(
            async move { self.pass(Call::Binding, None).await.to(self.inner.binding(id)).await },
        )
    }

    fn bind(
        &self,
        id: SessionId,
        expected: Option<u64>,
        body: Option<Vec<u8>>,
    ) -> BoxFuture<'_, Result<BindOutcome, StoreError>> {
        Box::pin(async move {
            self.pass(Call::Bind, None).await.to(self.inner.bind(id, expected, body)).await
        })
    }
}
