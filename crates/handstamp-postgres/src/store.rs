//! The store.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use handstamp_core::chain::{ChainEnd, Cut, SealedBatch, Sealer};
use handstamp_core::event::Event;
use handstamp_core::head::Head;
use handstamp_core::id::{SessionId, Subject};
use handstamp_core::store::{
    Batch, BindOutcome, Binding, BoxFuture, Capabilities, Census, Changes, Cursor, EventFilter,
    EventPage, Filter, LoadAnswer, Meta, Outcome, Page, RecordPage, SessionStore, StoreError,
};
use handstamp_core::time::{SystemClock, Timestamp};
use sqlx::PgPool;
use tokio::sync::watch;

use crate::age::again;
use crate::changes::{self, Logs};
use crate::cursor::Cursors;
use crate::desk::Desk;
use crate::error::PostgresError;
use crate::events::Line;
use crate::fault::Fault;
use crate::link::Link;
use crate::open::{Builder, SIGN_OF_LIFE};
use crate::tasks::Tasks;
use crate::wake;
use crate::{age, bindings, chains, clock, erase, events, list, load, schema};

const RECORDS: &str = "records";
const EVENTS: &str = "events";
const CHANGES: &str = "changes";

/// Signs of life between two looks at whether a month begins that has no partition.
const A_DAY: u32 = 6000;

/// Keeps sessions in a database of PostgreSQL that any number of processes use at once.
///
/// Dropping it stops what it does in the background and, where a runtime is there, gives its place
/// among the writers back; [`close`](Self::close) waits for that. Of a process that is killed the
/// place is free a minute later.
///
/// # Security
/// Nothing in the database can be turned into a token without the key ring, which therefore belongs
/// elsewhere. Who may write to the database is outside of what is promised.
#[derive(Debug)]
pub struct PostgresStore {
    link: Link,
    desk: Arc<Desk>,
    meta: Meta,
    capabilities: Capabilities,
    heard: watch::Sender<u64>,
    clock: SystemClock,
    listener: OnceLock<()>,
    tasks: Mutex<Tasks>,
}

impl PostgresStore {
    /// Opens the store in the database at `url` (`postgres://user:password@host:5432/database`) as
    /// [`Builder`] does by default.
    ///
    /// # Errors
    /// [`PostgresError`], whose variants say what to do.
    pub async fn open(url: &str) -> Result<Self, PostgresError> {
        Self::builder(url).open().await
    }

    /// Opens the store through a pool that the application has. It needs two connections at times,
    /// and one for ever for whoever asks for [`wakes`](SessionStore::wakes). From 4 on, one more
    /// is made by the pool and taken out of it, for commits. Switch the pool's `test_before_acquire` off: with it,
    /// every other call takes one more round trip.
    ///
    /// # Errors
    /// [`PostgresError`], whose variants say what to do.
    pub async fn on(pool: PgPool) -> Result<Self, PostgresError> {
        Builder::of_pool(pool).open().await
    }

    /// To open the database at `url` otherwise than by default.
    pub fn builder(url: &str) -> Builder {
        Builder::of_url(url)
    }

    /// To open the store through a pool otherwise than by default.
    pub const fn builder_on(pool: PgPool) -> Builder {
        Builder::of_pool(pool)
    }

    /// Gives its place among the writers to the next process. Nothing is to be written afterwards.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: then the place is free a minute later.
    pub async fn close(&self) -> Result<(), StoreError> {
        *self.tasks.lock().unwrap_or_else(PoisonError::into_inner) = Tasks::default();
        let seat = self.desk.seat().await;
        Ok(seat.leave(&self.link).await?)
    }

    pub(crate) fn new(
        link: Link,
        desk: Desk,
        meta: Meta,
        capabilities: Capabilities,
        heard: watch::Sender<u64>,
        clock: SystemClock,
    ) -> Self {
        let (listener, tasks) = (OnceLock::new(), Mutex::default());
        Self { link, desk: Arc::new(desk), meta, capabilities, heard, clock, listener, tasks }
    }

    /// Takes `tasks` over, and begins to say that this process lives.
    pub(crate) fn start(&self, mut tasks: Tasks) {
        tasks.add(live(Arc::clone(&self.desk), self.link.clone()));
        *self.tasks.lock().unwrap_or_else(PoisonError::into_inner) = tasks;
    }

    const fn cursors(&self, list: &'static str) -> Cursors<'_> {
        Cursors::new(&self.meta.partition_key, list)
    }

    fn logs(&self) -> Logs<'_> {
        Logs { cursors: self.cursors(CHANGES), losses: self.desk.losses() }
    }

    /// The way to the server.
    pub(crate) const fn link(&self) -> &Link {
        &self.link
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (desk, link) = (Arc::clone(&self.desk), self.link.clone());
            runtime.spawn(async move { desk.seat().await.leave(&link).await });
        }
    }
}

/// Says that this process lives, for ever, and looks after the months ahead, soon again where that
/// could not be.
async fn live(desk: Arc<Desk>, link: Link) {
    let mut next = 1;
    for turn in 1_u32.. {
        tokio::time::sleep(SIGN_OF_LIFE).await;
        let seat = desk.seat().await;
        if let Err(fault) = seat.live(&link).await {
            tracing::debug!(%fault, "PostgreSQL was not told that this process lives");
        }
        if turn == next {
            let made = schema::make_partitions(&link).await;
            if let Err(fault) = &made {
                tracing::debug!(%fault, "a month ahead has no partition yet");
            }
            let is_soon = made.is_err_and(|fault| fault.is_of_locks());
            next = turn.saturating_add(if is_soon { 1 } else { A_DAY });
        }
    }
}

/// As the contract answers.
pub(crate) async fn told<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, StoreError> {
    Ok(work.await?)
}

impl SessionStore for PostgresStore {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn load<'a>(&'a self, ids: &'a [SessionId]) -> BoxFuture<'a, Result<LoadAnswer, StoreError>> {
        Box::pin(told(load::load(&self.link, ids)))
    }

    fn heads<'a>(
        &'a self,
        subjects: &'a [Subject],
    ) -> BoxFuture<'a, Result<Vec<Head>, StoreError>> {
        Box::pin(told(load::heads(&self.link, subjects)))
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<Vec<Outcome>, StoreError>> {
        Box::pin(self.desk.commit(batch))
    }

    fn by_subject<'a>(
        &'a self,
        subject: &'a Subject,
        include_ended: bool,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<RecordPage, StoreError>> {
        let cursors = self.cursors(RECORDS);
        Box::pin(told(list::by_subject(&self.link, cursors, subject, include_ended, page)))
    }

    fn scan<'a>(
        &'a self,
        filter: &'a Filter,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<RecordPage, StoreError>> {
        Box::pin(told(list::scan(&self.link, self.cursors(RECORDS), filter, page)))
    }

    fn census(&self) -> BoxFuture<'_, Result<Census, StoreError>> {
        Box::pin(told(age::census(&self.link)))
    }

    fn touch<'a>(
        &'a self,
        touches: &'a [(SessionId, Timestamp)],
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        Box::pin(told(age::touch(&self.link, touches)))
    }

    fn due(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<SessionId>, StoreError>> {
        Box::pin(told(age::due(&self.link, before, limit)))
    }

    fn purge(&self, before: Timestamp, limit: usize) -> BoxFuture<'_, Result<usize, StoreError>> {
        Box::pin(told(age::purge(&self.link, before, limit)))
    }

    fn events<'a>(
        &'a self,
        filter: &'a EventFilter,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<EventPage, StoreError>> {
        Box::pin(told(events::list(&self.link, self.cursors(EVENTS), filter, page)))
    }

    fn append<'a>(
        &'a self,
        events: Vec<Event>,
        sealer: &'a Sealer,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.desk.append(Line::all(events)?, sealer).await })
    }

    fn sealed(
        &self,
        writer: u32,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<SealedBatch>, StoreError>> {
        Box::pin(told(events::sealed(&self.link, writer, after, limit)))
    }

    fn writers(&self) -> BoxFuture<'_, Result<Vec<u32>, StoreError>> {
        Box::pin(told(chains::writers(&self.link)))
    }

    fn ends(&self, before: Timestamp) -> BoxFuture<'_, Result<Vec<ChainEnd>, StoreError>> {
        Box::pin(told(chains::ends(&self.link, before)))
    }

    fn cuts(&self) -> BoxFuture<'_, Result<Vec<Cut>, StoreError>> {
        Box::pin(told(chains::cuts(&self.link)))
    }

    fn erase<'a>(
        &'a self,
        subject: Option<&'a Subject>,
        through: &'a [ChainEnd],
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        Box::pin(told(async move {
            match subject {
                Some(subject) => erase::subject(&self.link, subject, through).await,
                None => erase::everybody(&self.link, through).await,
            }
        }))
    }

    fn cut<'a>(
        &'a self,
        through: &'a [ChainEnd],
        sealer: &'a Sealer,
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        Box::pin(told(chains::cut(&self.link, through, sealer)))
    }

    fn changes<'a>(
        &'a self,
        after: &'a Cursor,
        limit: usize,
    ) -> BoxFuture<'a, Result<Changes, StoreError>> {
        Box::pin(told(changes::list(&self.link, self.logs(), after, limit)))
    }

    fn cursor(&self) -> BoxFuture<'_, Result<Cursor, StoreError>> {
        Box::pin(told(changes::end(&self.link, self.logs())))
    }

    fn wakes(&self) -> Option<watch::Receiver<u64>> {
        self.listener.get_or_init(|| {
            let listen = wake::listen(self.link.pool().clone(), self.heard.clone());
            self.tasks.lock().unwrap_or_else(PoisonError::into_inner).add(listen);
        });
        Some(self.heard.subscribe())
    }

    fn time(&self) -> BoxFuture<'_, Result<Option<Timestamp>, StoreError>> {
        Box::pin(told(async { Ok(Some(clock::ask(&self.link).await?)) }))
    }

    fn clock(&self) -> Option<SystemClock> {
        Some(self.clock.clone())
    }

    fn binding(&self, id: SessionId) -> BoxFuture<'_, Result<Option<Binding>, StoreError>> {
        Box::pin(told(bindings::find(&self.link, id)))
    }

    fn bind(
        &self,
        id: SessionId,
        expected: Option<u64>,
        body: Option<Vec<u8>>,
    ) -> BoxFuture<'_, Result<BindOutcome, StoreError>> {
        Box::pin(told(async move {
            let body = body.as_deref();
            again(|| bindings::bind(&self.link, id, expected, body)).await
        }))
    }
}
