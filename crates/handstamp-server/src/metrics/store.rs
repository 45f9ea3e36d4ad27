//! A store under measure: how long its calls take, how many fail, how large its batches are.

use std::sync::Arc;
use std::time::Instant;

use handstamp_core::chain::{ChainEnd, Cut, SealedBatch, Sealer};
use handstamp_core::event::Event;
use handstamp_core::head::Head;
use handstamp_core::store::{
    Batch, BindOutcome, Binding, BoxFuture, Capabilities, Census, Changes, Cursor, EventFilter,
    EventPage, Filter, LoadAnswer, Meta, Outcome, Page, RecordPage, SessionStore, StoreError,
};
use handstamp_core::time::{SystemClock, Timestamp};
use handstamp_core::{SessionId, Subject};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::BUCKETS;

/// Bounds of the size of a batch: the engine folds what waits together.
const SIZES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// A call of the store contract, by its name there.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Call {
    call: &'static str,
}

/// What is counted of a store. Clones count together.
///
/// Without a [`Measured`] store the figures stay empty.
#[derive(Clone, Debug)]
pub struct StoreFigures {
    seconds: Family<Call, Histogram, fn() -> Histogram>,
    errors: Family<Call, Counter>,
    batches: Histogram,
}

impl Default for StoreFigures {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        Self {
            seconds: Family::new_with_constructor(histogram),
            errors: Family::default(),
            batches: Histogram::new(SIZES),
        }
    }
}

impl StoreFigures {
    /// `store`, and what its calls take counted here.
    pub fn measure<S: SessionStore>(&self, store: Arc<S>) -> Measured<S> {
        Measured { store, figures: self.clone() }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "store_call_duration",
            "Time that a call of the store takes",
            Unit::Seconds,
            self.seconds.clone(),
        );
        registry.register(
            "store_call_errors",
            "Calls of the store that failed",
            self.errors.clone(),
        );
        registry.register(
            "commit_batch_size",
            "Changes that were committed together",
            self.batches.clone(),
        );
    }

    async fn count<T>(
        &self,
        call: &'static str,
        answer: BoxFuture<'_, Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let began = Instant::now();
        let answer = answer.await;
        let call = Call { call };
        self.seconds.get_or_create(&call).observe(began.elapsed().as_secs_f64());
        if answer.is_err() {
            self.errors.get_or_create(&call).inc();
        }
        answer
    }
}

/// A store whose calls are counted.
#[derive(Debug)]
pub struct Measured<S> {
    store: Arc<S>,
    figures: StoreFigures,
}

macro_rules! counted {
    ($(fn $name:ident$(<$life:lifetime>)?(&$($me:lifetime)? self $(, $arg:ident: $type:ty)*)
        -> BoxFuture<$out:lifetime, Result<$ok:ty, StoreError>>;)*) => {$(
        fn $name$(<$life>)?(&$($me)? self $(, $arg: $type)*)
            -> BoxFuture<$out, Result<$ok, StoreError>>
        {
            Box::pin(self.figures.count(stringify!($name), self.store.$name($($arg),*)))
        }
    )*};
}

impl<S: SessionStore> SessionStore for Measured<S> {
    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    fn meta(&self) -> &Meta {
        self.store.meta()
    }

    fn wakes(&self) -> Option<tokio::sync::watch::Receiver<u64>> {
        self.store.wakes()
    }

    fn clock(&self) -> Option<SystemClock> {
        self.store.clock()
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<Vec<Outcome>, StoreError>> {
        self.figures.batches.observe(batch.groups.len() as f64);
        Box::pin(self.figures.count("commit", self.store.commit(batch)))
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
        fn time(&self) -> BoxFuture<'_, Result<Option<Timestamp>, StoreError>>;
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
