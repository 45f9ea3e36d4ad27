//! A store that counts calls, can be out of reach, and can hold commits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use handstamp_core::chain::{ChainEnd, Cut, SealedBatch, Sealer};
use handstamp_core::event::Event;
use handstamp_core::head::Head;
use handstamp_core::id::{SessionId, Subject};
use handstamp_core::store::{
    Batch, BindOutcome, Binding, BoxFuture, Capabilities, Census, Changes, Cursor, EventFilter,
    EventPage, Filter, LoadAnswer, MemoryStore, Meta, Outcome, Page, RecordPage, SessionStore,
    StoreError,
};
use handstamp_core::time::Timestamp;
use tokio::sync::Notify;

/// What a test sees and decides of a store.
#[derive(Default)]
pub(crate) struct Watch {
    pub(crate) calls: AtomicUsize,
    pub(crate) commits: AtomicUsize,
    pub(crate) is_down: AtomicBool,
    pub(crate) holds_commits: AtomicBool,
    pub(crate) reached: Notify,
    pub(crate) released: Notify,
}

/// A memory store under watch.
#[derive(Clone)]
pub(crate) struct Watched {
    pub(crate) inner: Arc<MemoryStore>,
    pub(crate) watch: Arc<Watch>,
}

impl Watched {
    pub(crate) fn new() -> Self {
        Self { inner: Arc::new(MemoryStore::new()), watch: Arc::default() }
    }

    fn count(&self) -> Result<(), StoreError> {
        self.watch.calls.fetch_add(1, SeqCst);
        match self.watch.is_down.load(SeqCst) {
            true => Err(StoreError::unavailable("the test has taken the store away")),
            false => Ok(()),
        }
    }

    async fn pass(&self) {
        if self.watch.holds_commits.load(SeqCst) {
            self.watch.reached.notify_one();
            self.watch.released.notified().await;
        }
    }
}

macro_rules! counted {
    ($(fn $name:ident$(<$life:lifetime>)?(&$($me:lifetime)? self $(, $arg:ident: $type:ty)*)
        -> BoxFuture<$out:lifetime, Result<$ok:ty, StoreError>>;)*) => {$(
        fn $name$(<$life>)?(&$($me)? self $(, $arg: $type)*)
            -> BoxFuture<$out, Result<$ok, StoreError>>
        {
            Box::pin(async move {
                self.count()?;
                self.inner.$name($($arg),*).await
            })
        }
    )*};
}

impl SessionStore for Watched {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn meta(&self) -> &Meta {
        self.inner.meta()
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<Vec<Outcome>, StoreError>> {
        self.watch.commits.fetch_add(1, SeqCst);
        Box::pin(async move {
            self.count()?;
            self.pass().await;
            self.inner.commit(batch).await
        })
    }

    counted! {
        fn load<'a>(&'a self, ids: &'a [SessionId])
            -> BoxFuture<'a, Result<LoadAnswer, StoreError>>;
        fn heads<'a>(&'a self, subjects: &'a [Subject])
            -> BoxFuture<'a, Result<Vec<Head>, StoreError>>;
        fn by_subject<'a>(
            &'a self, subject: &'a Subject, include_ended: bool, page: &'a Page
        ) -> BoxFuture<'a, Result<RecordPage, StoreError>>;
        fn scan<'a>(&'a self, filter: &'a Filter, page: &'a Page)
            -> BoxFuture<'a, Result<RecordPage, StoreError>>;
        fn census(&self) -> BoxFuture<'_, Result<Census, StoreError>>;
        fn touch<'a>(&'a self, touches: &'a [(SessionId, Timestamp)])
            -> BoxFuture<'a, Result<usize, StoreError>>;
        fn due(&self, before: Timestamp, limit: usize)
            -> BoxFuture<'_, Result<Vec<SessionId>, StoreError>>;
        fn purge(&self, before: Timestamp, limit: usize)
            -> BoxFuture<'_, Result<usize, StoreError>>;
        fn events<'a>(&'a self, filter: &'a EventFilter, page: &'a Page)
            -> BoxFuture<'a, Result<EventPage, StoreError>>;
        fn append<'a>(&'a self, events: Vec<Event>, sealer: &'a Sealer)
            -> BoxFuture<'a, Result<(), StoreError>>;
        fn sealed(&self, writer: u32, after: u64, limit: usize)
            -> BoxFuture<'_, Result<Vec<SealedBatch>, StoreError>>;
        fn writers(&self) -> BoxFuture<'_, Result<Vec<u32>, StoreError>>;
        fn ends(&self, before: Timestamp) -> BoxFuture<'_, Result<Vec<ChainEnd>, StoreError>>;
        fn cuts(&self) -> BoxFuture<'_, Result<Vec<Cut>, StoreError>>;
        fn erase<'a>(&'a self, subject: Option<&'a Subject>, through: &'a [ChainEnd])
            -> BoxFuture<'a, Result<usize, StoreError>>;
        fn cut<'a>(&'a self, through: &'a [ChainEnd], sealer: &'a Sealer)
            -> BoxFuture<'a, Result<usize, StoreError>>;
        fn changes<'a>(&'a self, after: &'a Cursor, limit: usize)
            -> BoxFuture<'a, Result<Changes, StoreError>>;
        fn cursor(&self) -> BoxFuture<'_, Result<Cursor, StoreError>>;
        fn binding(&self, id: SessionId) -> BoxFuture<'_, Result<Option<Binding>, StoreError>>;
        fn bind(&self, id: SessionId, expected: Option<u64>, body: Option<Vec<u8>>)
            -> BoxFuture<'_, Result<BindOutcome, StoreError>>;
    }
}
