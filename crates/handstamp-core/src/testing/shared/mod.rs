//! A memory store that several processes share, with a change log for each: what the tests of several
//! nodes need that have no server at hand.

mod logs;

use std::sync::Arc;

use tokio::sync::{Mutex, watch};

use self::logs::Logs;
use crate::chain::{ChainEnd, Cut, SealedBatch, Sealer};
use crate::event::Event;
use crate::head::Head;
use crate::id::{SessionId, Subject};
use crate::store::{
    Batch, BindOutcome, Binding, BoxFuture, Capabilities, Census, Changes, Cursor, EventFilter,
    EventPage, Filter, LoadAnswer, MemoryStore, Meta, Outcome, Page, RecordPage, SessionStore,
    StoreError,
};
use crate::time::{Machine, SystemClock, TimeSource, Timestamp};

/// The data that several nodes share.
///
/// A test decides when each node's commits become visible in the change log, and can make the log
/// forget what it has.
#[derive(Clone, Debug)]
pub struct SharedMemory(Arc<Data>);

/// One node's way to the data.
#[derive(Clone, Debug)]
pub struct MemoryNode {
    data: Arc<Data>,
    meta: Meta,
}

#[derive(Debug)]
struct Data {
    store: MemoryStore,
    logs: Mutex<Logs>,
    stirred: watch::Sender<u64>,
    /// By how many milliseconds its clock is ahead of the machine's, if it has one.
    ahead: Option<i64>,
}

impl SharedMemory {
    /// No data.
    pub fn new() -> Self {
        Self::with_clock(None)
    }

    /// No data, and a clock of its own that is so many milliseconds ahead of the machine's.
    pub fn ahead_by(millis: i64) -> Self {
        Self::with_clock(Some(millis))
    }

    fn with_clock(ahead: Option<i64>) -> Self {
        let store = MemoryStore::new();
        let key = store.meta().partition_key.as_bytes();
        let life = u64::from_be_bytes([key[0], key[1], key[2], key[3], key[4], key[5], 0, 0]);
        let logs = Mutex::new(Logs::new(life));
        Self(Arc::new(Data { store, logs, stirred: watch::Sender::new(0), ahead }))
    }

    /// One more node.
    pub async fn node(&self) -> MemoryNode {
        let writer = self.0.logs.lock().await.join();
        let meta = Meta { writer, ..self.0.store.meta().clone() };
        MemoryNode { data: Arc::clone(&self.0), meta }
    }

    /// Forgets the change log: whoever has not read to its end has a gap.
    pub async fn forget_changes(&self) {
        self.0.logs.lock().await.forget();
    }
}

impl Default for SharedMemory {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryNode {
    /// The data that this node shares.
    pub fn shared(&self) -> SharedMemory {
        SharedMemory(Arc::clone(&self.data))
    }

    fn now(&self) -> Option<Timestamp> {
        let ahead = self.data.ahead?;
        Some(Timestamp::from_millis(Machine.wall().as_millis() + ahead))
    }

    /// Keeps what this node commits from now on out of the change log, as if another transaction
    /// became visible first, or lets it appear.
    pub async fn hold_changes(&self, is_held: bool) {
        self.data.logs.lock().await.of(self.meta.writer).hold(is_held);
        self.data.stirred.send_modify(|count| *count += 1);
    }
}

impl SessionStore for MemoryNode {
    fn capabilities(&self) -> Capabilities {
        Capabilities { is_shared: true, ..self.data.store.capabilities() }
    }

    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<Vec<Outcome>, StoreError>> {
        Box::pin(async move {
            let mut logs = self.data.logs.lock().await;
            let outcomes = self.data.store.commit(batch).await?;
            let read = self.data.store.changes(&logs.read, usize::MAX).await?;
            logs.read = read.cursor;
            logs.of(self.meta.writer).push(read.changes);
            drop(logs);
            self.data.stirred.send_modify(|count| *count += 1);
            Ok(outcomes)
        })
    }

    fn changes<'a>(
        &'a self,
        after: &'a Cursor,
        limit: usize,
    ) -> BoxFuture<'a, Result<Changes, StoreError>> {
        Box::pin(async move { self.data.logs.lock().await.after(after, limit) })
    }

    fn cursor(&self) -> BoxFuture<'_, Result<Cursor, StoreError>> {
        Box::pin(async move { Ok(self.data.logs.lock().await.end()) })
    }

    fn wakes(&self) -> Option<watch::Receiver<u64>> {
        Some(self.data.stirred.subscribe())
    }

    fn time(&self) -> BoxFuture<'_, Result<Option<Timestamp>, StoreError>> {
        Box::pin(async { Ok(self.now()) })
    }

    fn clock(&self) -> Option<SystemClock> {
        Some(SystemClock::showing(self.now()?))
    }

    fn load<'a>(&'a self, ids: &'a [SessionId]) -> BoxFuture<'a, Result<LoadAnswer, StoreError>> {
        self.data.store.load(ids)
    }

    fn heads<'a>(
        &'a self,
        subjects: &'a [Subject],
    ) -> BoxFuture<'a, Result<Vec<Head>, StoreError>> {
        self.data.store.heads(subjects)
    }

    fn by_subject<'a>(
        &'a self,
        subject: &'a Subject,
        include_ended: bool,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<RecordPage, StoreError>> {
        self.data.store.by_subject(subject, include_ended, page)
    }

    fn scan<'a>(
        &'a self,
        filter: &'a Filter,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<RecordPage, StoreError>> {
        self.data.store.scan(filter, page)
    }

    fn census(&self) -> BoxFuture<'_, Result<Census, StoreError>> {
        self.data.store.census()
    }

    fn touch<'a>(
        &'a self,
        touches: &'a [(SessionId, Timestamp)],
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        self.data.store.touch(touches)
    }

    fn due(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<SessionId>, StoreError>> {
        self.data.store.due(before, limit)
    }

    fn purge(&self, before: Timestamp, limit: usize) -> BoxFuture<'_, Result<usize, StoreError>> {
        self.data.store.purge(before, limit)
    }

    fn events<'a>(
        &'a self,
        filter: &'a EventFilter,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<EventPage, StoreError>> {
        self.data.store.events(filter, page)
    }

    fn append<'a>(
        &'a self,
        events: Vec<Event>,
        sealer: &'a Sealer,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.data.store.append(events, sealer)
    }

    fn sealed(
        &self,
        writer: u32,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<SealedBatch>, StoreError>> {
        self.data.store.sealed(writer, after, limit)
    }

    fn writers(&self) -> BoxFuture<'_, Result<Vec<u32>, StoreError>> {
        self.data.store.writers()
    }

    fn ends(&self, before: Timestamp) -> BoxFuture<'_, Result<Vec<ChainEnd>, StoreError>> {
        self.data.store.ends(before)
    }

    fn cuts(&self) -> BoxFuture<'_, Result<Vec<Cut>, StoreError>> {
        self.data.store.cuts()
    }

    fn erase<'a>(
        &'a self,
        subject: Option<&'a Subject>,
        through: &'a [ChainEnd],
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        self.data.store.erase(subject, through)
    }

    fn cut<'a>(
        &'a self,
        through: &'a [ChainEnd],
        sealer: &'a Sealer,
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        self.data.store.cut(through, sealer)
    }

    fn binding(&self, id: SessionId) -> BoxFuture<'_, Result<Option<Binding>, StoreError>> {
        self.data.store.binding(id)
    }

    fn bind(
        &self,
        id: SessionId,
        expected: Option<u64>,
        body: Option<Vec<u8>>,
    ) -> BoxFuture<'_, Result<BindOutcome, StoreError>> {
        self.data.store.bind(id, expected, body)
    }
}
