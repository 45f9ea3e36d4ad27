//! The store that keeps everything in the memory of this process.

mod audit;
mod changes;
mod cursor;
mod state;

use std::sync::{Mutex, MutexGuard, PoisonError};

use self::audit::Audit;
use self::changes::ChangeLog;
use self::cursor::{At, Place};
use self::state::State;
use crate::chain::{ChainEnd, Cut, SealedBatch, Sealer};
use crate::event::Event;
use crate::head::Head;
use crate::id::{PartitionKey, SessionId, Subject};
use crate::random::{RandomError, SystemRng, random};
use crate::record::Record;
use crate::store::{
    Batch, BindOutcome, Binding, BoxFuture, Capabilities, Census, Changes, Cursor, Durability,
    EventFilter, EventPage, Filter, LoadAnswer, Meta, Outcome, Page, RecordPage, SessionStore,
    StoreError,
};
use crate::time::Timestamp;

/// Keeps sessions in the memory of this process: for tests, for programs that may sign everybody
/// out when they restart, and as the measure for other stores.
///
/// It is bounded: by default to 1,000,000 records, tombstones included
/// ([`bounded`](Self::bounded)). When it is full, an insert is
/// [`Outcome::Invalid`] with the text "the memory store is full"; sessions that are there go on.
/// Of events it keeps the newest 1,000,000: older batches are [`cut`](SessionStore::cut) off. Of the change log it keeps the
/// newest 65,536 changes ([`with_change_log`](Self::with_change_log)). Heads are dropped with the
/// last record of their subject unless an operator has changed them.
///
/// Every call is answered at once. Commits take time by the number of their groups, an erasure by
/// the number of events; lists go through records in steps and let commits in between.
///
/// ```
/// use handstamp_core::store::{Durability, MemoryStore, SessionStore};
///
/// let store = MemoryStore::new();
/// assert_eq!(store.capabilities().durability, Durability::Memory);
/// ```
#[derive(Debug)]
pub struct MemoryStore {
    meta: Meta,
    /// Why the store could not be made, said by every call.
    fault: Option<RandomError>,
    state: Mutex<State>,
}

impl MemoryStore {
    /// How many records a store made by [`new`](Self::new) holds.
    pub const MAX_RECORDS: usize = 1_000_000;
    /// How many events a store holds.
    pub const MAX_EVENTS: usize = 1_000_000;
    /// How many changes the change log holds by default.
    pub const MAX_CHANGES: usize = 65_536;
    const WRITER: u32 = 1;
    /// How many records or events a list looks at before it lets others in.
    const STEP: usize = 4096;

    /// An empty store for at most [`MAX_RECORDS`](Self::MAX_RECORDS) records.
    ///
    /// Draws its partition key from the operating system; where that fails, every call answers
    /// [`StoreError::Unavailable`].
    pub fn new() -> Self {
        Self::bounded(Self::MAX_RECORDS)
    }

    /// An empty store for at most `max_records` records, tombstones included.
    pub fn bounded(max_records: usize) -> Self {
        Self::made(max_records, Self::MAX_CHANGES)
    }

    /// The same store, still empty, with a change log of at most `max_changes` changes: whoever
    /// falls behind further has to start afresh. Default 65,536.
    #[must_use]
    pub fn with_change_log(self, max_changes: usize) -> Self {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        Self::made(state.max_records(), max_changes)
    }

    fn made(max_records: usize, max_changes: usize) -> Self {
        let drawn = PartitionKey::generate(&SystemRng)
            .and_then(|key| Ok((key, u64::from_be_bytes(random(&SystemRng)?))));
        let fault = drawn.as_ref().err().copied();
        let (partition_key, life) = drawn.unwrap_or((PartitionKey::from_bytes([0; 32]), 0));
        let log = ChangeLog::new(life, max_changes);
        let audit = Audit::new(Self::WRITER, Self::MAX_EVENTS);
        Self {
            meta: Meta { partition_key, writer: Self::WRITER },
            fault,
            state: Mutex::new(State::new(max_records, log, audit)),
        }
    }

    fn state(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        match self.fault {
            // Nothing in the state can be half done: what could fail is decided before it.
            None => Ok(self.state.lock().unwrap_or_else(PoisonError::into_inner)),
            Some(fault) => Err(StoreError::unavailable(fault)),
        }
    }

    /// Answers with what `act` makes of the state.
    fn with<'a, T: Send + 'a>(
        &'a self,
        act: impl FnOnce(&mut State) -> T + Send + 'a,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        Box::pin(async move { Ok(act(&mut *self.state()?)) })
    }

    /// Collects a page in steps. A step is told where to go on, how much to look at and how much is
    /// enough, and answers where the next step begins.
    async fn collect<K, T>(
        &self,
        page: &Page,
        step: impl Fn(&State, Option<K>, (usize, usize), &mut Vec<(K, T)>) -> Option<K>,
    ) -> Result<(Vec<T>, Option<String>), StoreError>
    where
        K: Place,
    {
        let mut from = K::read(page.after.as_deref())?;
        let mut found = Vec::new();
        // One more than asked for tells whether there is a next page.
        let bounds = (Self::STEP, page.clamped() + 1);
        loop {
            from = step(&*self.state()?, from, bounds, &mut found);
            if from.is_none() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let has_more = found.len() > page.clamped();
        found.truncate(page.clamped());
        let next = found.last().filter(|_| has_more).map(|(place, _)| place.print());
        Ok((found.into_iter().map(|(_, item)| item).collect(), next))
    }

    async fn list(
        &self,
        subject: Option<&Subject>,
        wanted: impl Fn(&Record) -> bool,
        page: &Page,
    ) -> Result<RecordPage, StoreError> {
        let (records, next) = self
            .collect::<At, _>(page, |state, from, bounds, found| {
                state.walk(subject, &wanted, from, bounds, found)
            })
            .await?;
        Ok(RecordPage { records, next })
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl SessionStore for MemoryStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            durability: Durability::Memory,
            is_shared: false,
            has_filters: true,
            is_transactional: true,
        }
    }

    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn load<'a>(&'a self, ids: &'a [SessionId]) -> BoxFuture<'a, Result<LoadAnswer, StoreError>> {
        self.with(|state| LoadAnswer {
            found: ids.iter().map(|id| state.find(*id)).collect(),
            deployment: state.deployment(),
        })
    }

    fn heads<'a>(
        &'a self,
        subjects: &'a [Subject],
    ) -> BoxFuture<'a, Result<Vec<Head>, StoreError>> {
        self.with(|state| {
            let head = |subject: &Subject| {
                state.head(subject).unwrap_or_else(|| Head::new(subject.clone()))
            };
            subjects.iter().map(head).collect()
        })
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<Vec<Outcome>, StoreError>> {
        self.with(|state| state.commit(batch))
    }

    fn by_subject<'a>(
        &'a self,
        subject: &'a Subject,
        include_ended: bool,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<RecordPage, StoreError>> {
        let wanted = move |record: &Record| include_ended || !record.is_tombstone();
        Box::pin(self.list(Some(subject), wanted, page))
    }

    fn scan<'a>(
        &'a self,
        filter: &'a Filter,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<RecordPage, StoreError>> {
        Box::pin(self.list(filter.subject.as_ref(), |record| filter.accepts(record), page))
    }

    fn census(&self) -> BoxFuture<'_, Result<Census, StoreError>> {
        self.with(|state| state.census())
    }

    fn touch<'a>(
        &'a self,
        touches: &'a [(SessionId, Timestamp)],
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        self.with(|state| touches.iter().filter(|(id, at)| state.touch(*id, *at)).count())
    }

    fn due(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<SessionId>, StoreError>> {
        self.with(move |state| state.due(before, limit))
    }

    fn purge(&self, before: Timestamp, limit: usize) -> BoxFuture<'_, Result<usize, StoreError>> {
        self.with(move |state| state.purge(before, limit))
    }

    fn events<'a>(
        &'a self,
        filter: &'a EventFilter,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<EventPage, StoreError>> {
        Box::pin(async move {
            let (events, next) = self
                .collect::<u64, _>(page, |state, from, bounds, found| {
                    state.audit.walk(filter, from, bounds, found)
                })
                .await?;
            Ok(EventPage { events, next })
        })
    }

    fn append<'a>(
        &'a self,
        events: Vec<Event>,
        sealer: &'a Sealer,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.with(|state| state.audit.seal(events, sealer))
    }

    fn sealed(
        &self,
        writer: u32,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<SealedBatch>, StoreError>> {
        self.with(move |state| state.audit.sealed(writer, after, limit))
    }

    fn writers(&self) -> BoxFuture<'_, Result<Vec<u32>, StoreError>> {
        self.with(|state| state.audit.writers())
    }

    fn cursor(&self) -> BoxFuture<'_, Result<Cursor, StoreError>> {
        self.with(|state| state.log.end())
    }

    fn ends(&self, before: Timestamp) -> BoxFuture<'_, Result<Vec<ChainEnd>, StoreError>> {
        self.with(move |state| state.audit.ends(before))
    }

    fn cuts(&self) -> BoxFuture<'_, Result<Vec<Cut>, StoreError>> {
        self.with(|state| state.audit.cuts())
    }

    fn erase<'a>(
        &'a self,
        subject: Option<&'a Subject>,
        through: &'a [ChainEnd],
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        self.with(move |state| {
            subject.into_iter().for_each(|subject| state.blank(subject));
            state.audit.erase(subject, through)
        })
    }

    fn cut<'a>(
        &'a self,
        through: &'a [ChainEnd],
        sealer: &'a Sealer,
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        self.with(move |state| state.audit.cut(through, sealer))
    }

    fn changes<'a>(
        &'a self,
        after: &'a Cursor,
        limit: usize,
    ) -> BoxFuture<'a, Result<Changes, StoreError>> {
        Box::pin(async move { self.state()?.log.after(after, limit) })
    }

    fn binding(&self, id: SessionId) -> BoxFuture<'_, Result<Option<Binding>, StoreError>> {
        self.with(move |state| state.binding(id))
    }

    fn bind(
        &self,
        id: SessionId,
        expected: Option<u64>,
        body: Option<Vec<u8>>,
    ) -> BoxFuture<'_, Result<BindOutcome, StoreError>> {
        self.with(move |state| state.bind(id, expected, body))
    }
}
