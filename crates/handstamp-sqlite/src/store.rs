//! The store.

use std::path::PathBuf;

use handstamp_core::chain::{ChainEnd, Cut, SealedBatch, Sealer};
use handstamp_core::event::Event;
use handstamp_core::head::Head;
use handstamp_core::id::{SessionId, Subject};
use handstamp_core::store::{
    Batch, BindOutcome, Binding, BoxFuture, Capabilities, Census, Changes, Cursor, Durability,
    EventFilter, EventPage, Filter, LoadAnswer, Meta, Outcome, Page, RecordPage, SessionStore,
    StoreError,
};
use handstamp_core::time::Timestamp;
use rusqlite::Connection;

use crate::age::{self, Purge, Touch};
use crate::bindings::{self, Bind};
use crate::chains::{self, CutOff};
use crate::changes;
use crate::commit::Commit;
use crate::cursor::Cursors;
use crate::erase::Erase;
use crate::error::SqliteError;
use crate::events::{self, Append, Line};
use crate::fault::Fault;
use crate::list;
use crate::load;
use crate::lock::Lock;
use crate::open::{Builder, Synchronous};
use crate::readers::Readers;
use crate::writer::Writer;

const RECORDS: &str = "records";
const EVENTS: &str = "events";
const CHANGES: &str = "changes";

/// Keeps sessions in one SQLite file that belongs to this process.
///
/// Dropping it finishes what was sent, closes the database and unlocks it; that waits for the disk.
///
/// # Security
/// Database, log and lock file are readable by their owner only (mode 0600), directories that are
/// made likewise (0700). Nothing in the file can be turned into a token without the key ring,
/// which therefore belongs elsewhere.
#[derive(Debug)]
pub struct SqliteStore {
    // Dropped in this order: the writer closes last and tidies up, then others may open.
    readers: Readers,
    writer: Writer,
    meta: Meta,
    synchronous: Synchronous,
    _lock: Lock,
}

impl SqliteStore {
    /// Opens the database at `path` as [`Builder`] does by default.
    ///
    /// # Errors
    /// [`SqliteError`], whose variants say what to do.
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self, SqliteError> {
        Self::builder(path).open().await
    }

    /// To open the database at `path` otherwise than by default.
    pub fn builder(path: impl Into<PathBuf>) -> Builder {
        Builder::new(path.into())
    }

    pub(crate) const fn new(
        readers: Readers,
        writer: Writer,
        meta: Meta,
        synchronous: Synchronous,
        lock: Lock,
    ) -> Self {
        Self { readers, writer, meta, synchronous, _lock: lock }
    }

    const fn cursors<'a>(meta: &'a Meta, list: &'static str) -> Cursors<'a> {
        Cursors::new(&meta.partition_key, list)
    }

    /// The way to the thread that writes.
    pub(crate) const fn writer(&self) -> &Writer {
        &self.writer
    }

    /// Has a thread that reads do `read`.
    pub(crate) fn read<'a, T: Send + 'static>(
        &'a self,
        read: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        Box::pin(self.readers.run(read))
    }
}

impl SessionStore for SqliteStore {
    fn capabilities(&self) -> Capabilities {
        let durability = match self.synchronous {
            Synchronous::Full => Durability::Synced,
            Synchronous::Normal => Durability::Process,
        };
        Capabilities { durability, is_shared: false, has_filters: true, is_transactional: true }
    }

    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn load<'a>(&'a self, ids: &'a [SessionId]) -> BoxFuture<'a, Result<LoadAnswer, StoreError>> {
        let ids = ids.to_vec();
        self.read(move |connection| load::load(connection, &ids))
    }

    fn heads<'a>(
        &'a self,
        subjects: &'a [Subject],
    ) -> BoxFuture<'a, Result<Vec<Head>, StoreError>> {
        let subjects = subjects.to_vec();
        self.read(move |connection| load::heads(connection, &subjects))
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<Vec<Outcome>, StoreError>> {
        Box::pin(self.writer.run(|reply| Commit::of(batch, reply)))
    }

    fn by_subject<'a>(
        &'a self,
        subject: &'a Subject,
        include_ended: bool,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<RecordPage, StoreError>> {
        let (meta, subject, page) = (self.meta.clone(), subject.clone(), page.clone());
        self.read(move |connection| {
            let cursors = Self::cursors(&meta, RECORDS);
            list::by_subject(connection, cursors, subject, include_ended, &page)
        })
    }

    fn scan<'a>(
        &'a self,
        filter: &'a Filter,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<RecordPage, StoreError>> {
        let (meta, filter, page) = (self.meta.clone(), filter.clone(), page.clone());
        self.read(move |connection| {
            list::scan(connection, Self::cursors(&meta, RECORDS), &filter, &page)
        })
    }

    fn census(&self) -> BoxFuture<'_, Result<Census, StoreError>> {
        self.read(age::census)
    }

    fn touch<'a>(
        &'a self,
        touches: &'a [(SessionId, Timestamp)],
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        Box::pin(self.writer.run(|reply| Touch::of(touches.to_vec(), reply)))
    }

    fn due(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<SessionId>, StoreError>> {
        self.read(move |connection| age::due(connection, before, limit))
    }

    fn purge(&self, before: Timestamp, limit: usize) -> BoxFuture<'_, Result<usize, StoreError>> {
        Box::pin(self.writer.run(move |reply| Purge::of(before, limit, reply)))
    }

    fn events<'a>(
        &'a self,
        filter: &'a EventFilter,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<EventPage, StoreError>> {
        let (meta, filter, page) = (self.meta.clone(), filter.clone(), page.clone());
        self.read(move |connection| {
            events::list(connection, Self::cursors(&meta, EVENTS), &filter, &page)
        })
    }

    fn append<'a>(
        &'a self,
        events: Vec<Event>,
        sealer: &'a Sealer,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let lines = Line::all(events)?;
            self.writer.run(|reply| Append::of(lines, sealer.clone(), reply)).await
        })
    }

    fn sealed(
        &self,
        writer: u32,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<SealedBatch>, StoreError>> {
        self.read(move |connection| events::sealed(connection, writer, after, limit))
    }

    fn writers(&self) -> BoxFuture<'_, Result<Vec<u32>, StoreError>> {
        self.read(chains::writers)
    }

    fn cursor(&self) -> BoxFuture<'_, Result<Cursor, StoreError>> {
        let meta = self.meta.clone();
        self.read(move |connection| changes::end(connection, Self::cursors(&meta, CHANGES)))
    }

    fn ends(&self, before: Timestamp) -> BoxFuture<'_, Result<Vec<ChainEnd>, StoreError>> {
        self.read(move |connection| chains::ends(connection, before))
    }

    fn cuts(&self) -> BoxFuture<'_, Result<Vec<Cut>, StoreError>> {
        self.read(chains::cuts)
    }

    fn erase<'a>(
        &'a self,
        subject: Option<&'a Subject>,
        through: &'a [ChainEnd],
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        let (subject, through) = (subject.cloned(), through.to_vec());
        Box::pin(self.writer.run(|reply| Erase::of(subject, through, reply)))
    }

    fn cut<'a>(
        &'a self,
        through: &'a [ChainEnd],
        sealer: &'a Sealer,
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        let (through, sealer) = (through.to_vec(), sealer.clone());
        Box::pin(self.writer.run(|reply| CutOff::of(through, sealer, reply)))
    }

    fn changes<'a>(
        &'a self,
        after: &'a Cursor,
        limit: usize,
    ) -> BoxFuture<'a, Result<Changes, StoreError>> {
        let (meta, after) = (self.meta.clone(), after.clone());
        self.read(move |connection| {
            changes::list(connection, Self::cursors(&meta, CHANGES), &after, limit)
        })
    }

    fn binding(&self, id: SessionId) -> BoxFuture<'_, Result<Option<Binding>, StoreError>> {
        self.read(move |connection| bindings::find(connection, id))
    }

    fn bind(
        &self,
        id: SessionId,
        expected: Option<u64>,
        body: Option<Vec<u8>>,
    ) -> BoxFuture<'_, Result<BindOutcome, StoreError>> {
        Box::pin(async move {
            if body.as_ref().is_some_and(|body| body.len() > bindings::MOST_BODY) {
                return Err(Fault::Unfit("a binding has at most 4,096 bytes").into());
            }
            self.writer.run(|reply| Bind::of(id, expected, body, reply)).await
        })
    }
}

/// For tests: lets them hinder the writer from inside.
#[cfg(feature = "testing")]
impl SqliteStore {
    /// Runs `job` on the writer's connection, inside a transaction.
    ///
    /// # Errors
    /// As any write.
    pub async fn on_writer(
        &self,
        job: impl FnMut(&Connection) -> rusqlite::Result<()> + Send + 'static,
    ) -> Result<(), StoreError> {
        self.writer.run(|reply| crate::testing::Errand { job, reply }).await
    }
}
