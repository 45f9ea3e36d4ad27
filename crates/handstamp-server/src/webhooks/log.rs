//! The audit log as webhooks read it: forward, each batch once, whoever needs it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use handstamp_core::chain::SealedBatch;
use handstamp_core::event::Event;
use handstamp_core::store::{SessionStore, StoreError};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::delivery::Place;

/// How many batches are read at a time.
const STEP: usize = 64;

/// How many events are kept at hand: webhooks that keep up find theirs here.
const AT_HAND: u64 = 8192;

type Batches = Cache<(u32, u64), Arc<SealedBatch>, ByEvents>;

/// Reads the log of every writer.
pub(super) struct Log {
    store: Arc<dyn SessionStore>,
    at_hand: Batches,
    /// The last batch of each writer, as far as is known.
    known: Mutex<BTreeMap<u32, u64>>,
}

#[derive(Clone)]
struct ByEvents;

impl Weighter<(u32, u64), Arc<SealedBatch>> for ByEvents {
    fn weight(&self, _: &(u32, u64), batch: &Arc<SealedBatch>) -> u64 {
        batch.events.len().max(1) as u64
    }
}

impl Log {
    pub(super) fn new(store: Arc<dyn SessionStore>) -> Self {
        let at_hand = Cache::with_weighter(AT_HAND as usize / 4, AT_HAND, ByEvents);
        Self { store, at_hand, known: Mutex::default() }
    }

    /// Reads what is new; answers the last batch of each writer.
    pub(super) async fn follow(&self) -> Result<BTreeMap<u32, u64>, StoreError> {
        let known = self.known();
        let mut ends = BTreeMap::new();
        for writer in self.store.writers().await? {
            let end = match known.get(&writer) {
                Some(end) => self.read_on(writer, *end).await?,
                None => self.find_end(writer).await?,
            };
            ends.insert(writer, end);
        }
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&ends);
        Ok(ends)
    }

    fn known(&self) -> BTreeMap<u32, u64> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn read_on(&self, writer: u32, mut end: u64) -> Result<u64, StoreError> {
        loop {
            let batches = self.read(writer, end).await?;
            end = batches.last().map_or(end, |batch| batch.number);
            if batches.len() < STEP {
                return Ok(end);
            }
        }
    }

    /// The last batch of a log of any length, found in as many steps as its number has bits.
    async fn find_end(&self, writer: u32) -> Result<u64, StoreError> {
        let (mut end, mut step) = (0_u64, 1_u64);
        let mut nothing_after = loop {
            let probe = end.saturating_add(step);
            match self.first_after(writer, probe).await? {
                Some(number) => (end, step) = (number, step.saturating_mul(2)),
                None => break probe,
            }
        };
        while end < nothing_after {
            let middle = end + (nothing_after - end) / 2;
            match self.first_after(writer, middle).await? {
                Some(number) => end = number,
                None => nothing_after = middle,
            }
        }
        Ok(end)
    }

    async fn first_after(&self, writer: u32, after: u64) -> Result<Option<u64>, StoreError> {
        let found = self.store.sealed(writer, after, 1).await?;
        Ok(found.first().map(|batch| batch.number))
    }

    /// The first batch of `writer` after batch `after`. Usually the next number; a later one where
    /// old batches are no longer kept.
    pub(super) async fn next(
        &self,
        writer: u32,
        after: u64,
    ) -> Result<Option<Arc<SealedBatch>>, StoreError> {
        if let Some(batch) = self.at_hand.get(&(writer, after + 1)) {
            return Ok(Some(batch));
        }
        Ok(self.read(writer, after).await?.into_iter().next())
    }

    /// The event at `place`, if it is still kept.
    pub(super) async fn event(&self, place: Place) -> Result<Option<Event>, StoreError> {
        let before = place.batch.saturating_sub(1);
        let batch = self.next(place.writer, before).await?;
        let batch = batch.filter(|batch| batch.number == place.batch);
        let is_it = |event: &&Event| event.number == place.number;
        Ok(batch.and_then(|batch| batch.events.iter().find(is_it).cloned()))
    }

    async fn read(&self, writer: u32, after: u64) -> Result<Vec<Arc<SealedBatch>>, StoreError> {
        let batches = self.store.sealed(writer, after, STEP).await?;
        let batches: Vec<_> = batches.into_iter().map(Arc::new).collect();
        for batch in &batches {
            self.at_hand.insert((writer, batch.number), Arc::clone(batch));
        }
        Ok(batches)
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("known", &self.known()).finish_non_exhaustive()
    }
}
