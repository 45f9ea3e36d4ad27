//! The audit log: one chain of sealed batches.

use std::collections::VecDeque;

use crate::chain::{ChainEnd, Cut, SealedBatch, Sealer};
use crate::event::Event;
use crate::id::Subject;
use crate::store::EventFilter;
use crate::time::Timestamp;

/// The batches that are still held, and the end of the chain.
pub(super) struct Audit {
    batches: VecDeque<Held>,
    end: ChainEnd,
    /// When all up to the end had happened.
    until: Timestamp,
    cut: Option<Cut>,
    held: usize,
    max: usize,
}

struct Held {
    batch: SealedBatch,
    /// When all up to here had happened.
    until: Timestamp,
}

impl Held {
    fn end(&self) -> ChainEnd {
        let SealedBatch { writer, number, link, events, .. } = &self.batch;
        let event = events.last().map_or(0, |event| event.number);
        ChainEnd { writer: *writer, batch: *number, event, link: *link }
    }
}

impl Audit {
    pub(super) const fn new(writer: u32, max: usize) -> Self {
        Self {
            batches: VecDeque::new(),
            end: ChainEnd::start(writer),
            until: Timestamp::from_millis(i64::MIN),
            cut: None,
            held: 0,
            max,
        }
    }

    /// Numbers and seals `events` as one batch.
    pub(super) fn seal(&mut self, mut events: Vec<Event>, sealer: &Sealer) {
        if events.is_empty() {
            return;
        }
        let end = &mut self.end;
        for event in &mut events {
            end.event += 1;
            (event.writer, event.number) = (end.writer, end.event);
            self.until = self.until.max(event.at);
        }
        let (key_id, link) = sealer.seal(&end.link, &events);
        (end.batch, end.link) = (end.batch + 1, link);
        self.held += events.len();
        let batch = SealedBatch { writer: end.writer, number: end.batch, key_id, link, events };
        self.batches.push_back(Held { batch, until: self.until });
        while self.held > self.max && self.batches.len() > 1 {
            self.drop_oldest(sealer);
        }
    }

    fn drop_oldest(&mut self, sealer: &Sealer) {
        let Some(oldest) = self.batches.pop_front() else { return };
        self.held -= oldest.batch.events.len();
        self.cut = Some(sealer.cut(oldest.end()));
    }

    pub(super) fn writers(&self) -> Vec<u32> {
        if self.end.batch == 0 { Vec::new() } else { vec![self.end.writer] }
    }

    pub(super) fn ends(&self, before: Timestamp) -> Vec<ChainEnd> {
        if self.end.batch == 0 {
            return Vec::new();
        }
        let after = self.batches.partition_point(|held| held.until < before);
        let start = self.cut.map_or(ChainEnd::start(self.end.writer), |cut| cut.end);
        let last = after.checked_sub(1).and_then(|last| self.batches.get(last));
        vec![last.map_or(start, Held::end)]
    }

    pub(super) fn cuts(&self) -> Vec<Cut> {
        self.cut.into_iter().collect()
    }

    pub(super) fn erase(&mut self, subject: Option<&Subject>, through: &[ChainEnd]) -> usize {
        let through = self.of(through).map_or(0, |end| end.event);
        let events = self.batches.iter_mut().flat_map(|held| &mut held.batch.events);
        let concerned = events.filter(|event| {
            let is_whose = subject.is_none_or(|subject| event.subject.as_ref() == Some(subject));
            is_whose && event.number <= through && event.personal.is_some()
        });
        concerned.map(Event::blank).count()
    }

    pub(super) fn cut(&mut self, through: &[ChainEnd], sealer: &Sealer) -> usize {
        let through = self.of(through).map_or(0, |end| end.batch);
        let before = self.held;
        while self.batches.front().is_some_and(|held| held.batch.number <= through) {
            self.drop_oldest(sealer);
        }
        before - self.held
    }

    fn of<'a>(&self, ends: &'a [ChainEnd]) -> Option<&'a ChainEnd> {
        ends.iter().find(|end| end.writer == self.end.writer)
    }

    pub(super) fn sealed(&self, writer: u32, after: u64, limit: usize) -> Vec<SealedBatch> {
        if writer != self.end.writer {
            return Vec::new();
        }
        let start = self.batches.partition_point(|held| held.batch.number <= after);
        self.batches.iter().skip(start).take(limit).map(|held| held.batch.clone()).collect()
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
        let end = self.batches.partition_point(|held| starts_before(&held.batch, from));
        let held = self.batches.iter().take(end).rev();
        let events = held.flat_map(|held| held.batch.events.iter().rev());
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
