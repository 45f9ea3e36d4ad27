//! C22: any history.

use super::fixture::Fixture;
use super::listing::newest_first;
use super::sample::{self, at, subject};
use super::world::World;
use crate::id::{SessionId, Subject};
use crate::random::{Rng, SeededRng, random};
use crate::record::Record;
use crate::store::{Filter, Found, Group};
use crate::time::Timestamp;

/// **C22** After any history, lists, due times and live counts agree with the records.
pub async fn c22_lists_agree_with_the_records_after_any_history(fixture: &dyn Fixture) {
    for seed in 1..=3 {
        let mut history = History::new(World::open(fixture).await, seed);
        for _ in 0..6 {
            for _ in 0..25 {
                history.step().await;
            }
            history.agrees(seed).await;
        }
    }
}

struct History {
    world: World,
    rng: SeededRng,
    subjects: Vec<Subject>,
    ids: Vec<SessionId>,
    /// Seconds since the beginning.
    now: u64,
}

impl History {
    fn new(world: World, seed: u64) -> Self {
        let subjects = ["a", "b", "c"].map(subject).to_vec();
        Self { world, rng: SeededRng::new(seed), subjects, ids: Vec::new(), now: 0 }
    }

    fn draw(&self, below: usize) -> usize {
        let bytes: [u8; 8] = random(&self.rng as &dyn Rng).expect("seeded bytes");
        usize::try_from(u64::from_be_bytes(bytes) % below as u64).expect("a small number")
    }

    async fn step(&mut self) {
        self.now += self.draw(300) as u64;
        match self.draw(20) {
            0..8 => self.commit().await,
            8..12 => self.touch().await,
            12 => self.change_head().await,
            13 => {
                let before = at(self.now.saturating_sub(2000));
                let limit = 1 + self.draw(4);
                self.world.store.purge(before, limit).await.expect("a purge is answered");
            }
            _ => {
                let record = self.fresh();
                self.world.try_one(sample::insert_within(&record, Some(6))).await;
            }
        }
    }

    fn fresh(&mut self) -> Record {
        let place = self.draw(self.subjects.len() + 1);
        let mut record = match self.subjects.get(place) {
            Some(subject) => self.world.record(subject),
            None => self.world.anonymous(),
        };
        // Ids are random; the order in which they are listed must not depend on the seed alone.
        record.created_at = at(self.now / 500 * 500);
        record.last_seen = at(self.now);
        record.absolute_expiry = at(self.now + 3000);
        record.idle_lifetime = (self.draw(3) > 0).then_some(sample::IDLE);
        self.ids.push(record.id);
        record
    }

    /// A batch of changes, some of them of stale versions, some of them ends.
    async fn commit(&mut self) {
        let mut groups: Vec<Group> = Vec::new();
        let mut used = Vec::new();
        for _ in 0..=self.draw(3) {
            let Some(mut record) = self.known().await else { continue };
            if used.contains(&record.id) {
                continue;
            }
            used.push(record.id);
            record.idle_lifetime = (self.draw(3) > 0).then_some(sample::IDLE);
            record.last_seen = at(self.draw(1 + usize::try_from(self.now).unwrap_or(0)) as u64);
            if self.draw(3) == 0 {
                record.end(sample::end(at(self.now)));
            }
            let stale = u64::from(self.draw(5) == 0);
            groups.push(sample::replace_at(&record, record.version.saturating_sub(stale)));
        }
        self.world.commit(groups).await;
    }

    async fn known(&self) -> Option<Record> {
        let id = *self.ids.get(self.draw(self.ids.len().max(1)))?;
        match self.world.find(id).await {
            Found::Record(loaded) => Some(loaded.record),
            _ => None,
        }
    }

    async fn touch(&self) {
        let Some(record) = self.known().await else { return };
        let spread = self.draw(2000) as u64;
        self.world.touch(record.id, at((self.now + 500).saturating_sub(spread))).await;
    }

    async fn change_head(&self) {
        let subject = &self.subjects[self.draw(self.subjects.len())];
        let change = match self.draw(5) {
            0 => sample::bump_deployment(),
            1 | 2 => sample::bump(subject),
            3 => sample::disable(subject, true),
            _ => sample::disable(subject, false),
        };
        self.world.change(change).await;
    }

    /// Compares every list with what `load` gives for every id that ever was.
    async fn agrees(&self, seed: u64) {
        let answer = self.world.load(&self.ids).await;
        let records: Vec<Record> = answer.found.into_iter().filter_map(record_of).collect();
        let epoch = answer.deployment.epoch;
        for subject in &self.subjects {
            let of: Vec<_> = select(&records, |it| it.subject.as_ref() == Some(subject));
            let live = select(&of, |it| !it.is_tombstone());
            assert_eq!(self.world.listed(subject, true).await, newest_first(&of), "seed {seed}");
            assert_eq!(self.world.listed(subject, false).await, newest_first(&live), "seed {seed}");
            let head = self.world.head(subject).await;
            let current =
                select(&live, |it| (it.epoch, it.deployment_epoch) == (head.epoch, epoch));
            assert_eq!(head.live as usize, current.len(), "live sessions, seed {seed}");
        }
        let live = select(&records, |it| !it.is_tombstone());
        let scanned = self.world.scanned(&Filter::default()).await;
        assert_eq!(ids(&scanned), newest_first(&records), "seed {seed}");
        assert!(scanned.iter().all(|record| records.contains(record)), "whole records, {seed}");
        let scanned =
            self.world.scanned(&Filter { is_live: Some(true), ..Filter::default() }).await;
        assert_eq!(ids(&scanned), newest_first(&live), "seed {seed}");
        self.due_agrees(&live, seed).await;
    }

    async fn due_agrees(&self, live: &[Record], seed: u64) {
        for before in [at(self.now), Timestamp::MAX] {
            let due = self.world.due(before).await;
            let times: Vec<_> = due.iter().map(|id| due_of(live, *id)).collect();
            assert!(times.is_sorted(), "earliest first, seed {seed}");
            let mut expected = ids(&select(live, |record| record.due_at() <= before));
            let mut due = due;
            expected.sort_unstable();
            due.sort_unstable();
            assert_eq!(due, expected, "due, seed {seed}");
        }
    }
}

fn record_of(found: Found) -> Option<Record> {
    match found {
        Found::Record(loaded) => Some(loaded.record),
        Found::Missing => None,
        Found::Corrupt(why) => panic!("nothing is damaged: {why}"),
    }
}

fn select(records: &[Record], wanted: impl Fn(&Record) -> bool) -> Vec<Record> {
    records.iter().filter(|record| wanted(record)).cloned().collect()
}

fn ids(records: &[Record]) -> Vec<SessionId> {
    records.iter().map(|record| record.id).collect()
}

fn due_of(live: &[Record], id: SessionId) -> Option<Timestamp> {
    live.iter().find(|record| record.id == id).map(Record::due_at)
}
