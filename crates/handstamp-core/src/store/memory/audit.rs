//! The audit log: one chain of sealed batches.

use std::collections::VecDeque;

use crate::chain::{Link, SealedBatch, Sealer};
use crate::event::Event;
use crate::store::EventFilter;

/// The batches that are still held, and the end of the chain.
pub(super) struct Audit {
    writer: u32,
    batches: VecDeque<SealedBatch>,
    /// Link and number of the last batch, and the number of the last event.
    link: Link,
    batch: u64,
    event: u64,
    held: usize,
    max: usize,
}

impl Audit {
    pub(super) const fn new(writer: u32, max: usize) -> Self {
        let batches = VecDeque::new();
        Self { writer, batches, link: Link::START, batch: 0, event: 0, held: 0, max }
    }

    /// Numbers and seals `events` as one batch.
    pub(super) fn seal(&mut self, mut events: Vec<Event>, sealer: &Sealer) {
        if events.is_empty() {
            return;
        }
        for event in &mut events {
            self.event += 1;
            (event.writer, event.number) = (self.writer, self.event);
        }
        let (key_id, link) = sealer.seal(&self.link, &events);
        self.batch += 1;
        self.link = link;
        self.held += events.len();
        let (writer, number) = (self.writer, self.batch);
        self.batches.push_back(SealedBatch { writer, number, key_id, link, events });
        self.forget();
    }

    fn forget(&mut self) {
        while self.held > self.max && self.batches.len() > 1 {
            let oldest = self.batches.pop_front();
            self.held -= oldest.map_or(0, |batch| batch.events.len());
        }
    }

    pub(super) fn writers(&self) -> Vec<u32> {
        if self.batches.is_empty() { Vec::new() } else { vec![self.writer] }
    }

    pub(super) fn sealed(&self, writer: u32, after: u64, limit: usize) -> Vec<SealedBatch> {
        if writer != self.writer {
            return Vec::new();
        }
        let start = self.batches.partition_point(|batch| batch.number <= after);
        self.batches.iter().skip(start).take(limit).cloned().collect()
    }

    /// Looks through the next `look` events before number `from`, newest first, and adds those that
    /// `filter` accepts until `found` holds `enough`. Answers where to go on, if there is more.
    pub(super) fn walk(
        &self,
        filter: &EventFilter,
        from: Option<u64>,
        (look, enough): (usize, usize),
        found: &mut Vec<(u64, Event)>,
    ) -> Option<u64> {
        let from = from.unwrap_or(u64::MAX);
        let end = self.batches.partition_point(|batch| starts_before(batch, from));
        let events =
            self.batches.iter().take(end).rev().flat_map(|batch| batch.events.iter().rev());
        let mut last = None;
        for event in events.filter(|event| event.number < from).take(look) {
            if filter.accepts(event) {
                found.push((event.number, event.clone()));
            }
            if found.len() >= enough {
                return None;
            }
            last = Some(event.number);
        }
        last
    }
}

fn starts_before(batch: &SealedBatch, number: u64) -> bool {
    batch.events.first().is_some_and(|event| event.number < number)
}
