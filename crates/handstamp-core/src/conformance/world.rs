//! One store under test, with short words for what the clauses do to it.

use std::sync::Arc;

use super::fixture::Fixture;
use super::sample;
use crate::chain::Sealer;
use crate::event::Event;
use crate::head::Head;
use crate::id::{SessionId, Subject};
use crate::key::KeyRing;
use crate::record::Record;
use crate::store::{
    Applied, Batch, Change, Cursor, EventFilter, Filter, Found, Group, HeadChange, LoadAnswer,
    Loaded, Outcome, Page, SessionStore,
};
use crate::time::Timestamp;

/// One store under test. Its methods panic where the store does not do as is expected.
#[derive(Clone)]
pub struct World {
    /// The store.
    pub store: Arc<dyn SessionStore>,
    /// What its events are sealed with.
    pub sealer: Sealer,
}

impl World {
    /// A fresh store.
    pub async fn open(fixture: &dyn Fixture) -> Self {
        Self::of(fixture.open().await)
    }

    /// This store.
    pub fn of(store: Arc<dyn SessionStore>) -> Self {
        Self { store, sealer: Sealer::new(KeyRing::generate().expect("random bytes")) }
    }

    /// The same data, opened again; `None` where the fixture cannot.
    pub async fn reopen(self, fixture: &dyn Fixture) -> Option<Self> {
        let Self { store, sealer } = self;
        Some(Self { store: fixture.reopen(store).await?, sealer })
    }

    /// A record of `subject` that is not stored yet.
    pub fn record(&self, subject: &Subject) -> Record {
        sample::record(self.store.meta(), Some(subject))
    }

    /// An anonymous record that is not stored yet.
    pub fn anonymous(&self) -> Record {
        sample::record(self.store.meta(), None)
    }

    /// Commits `groups`.
    pub async fn commit(&self, groups: Vec<Group>) -> Vec<Outcome> {
        let count = groups.len();
        let batch = Batch::new(groups, self.sealer.clone());
        let outcomes = self.store.commit(batch).await.expect("a commit is answered");
        assert_eq!(outcomes.len(), count, "one outcome per group");
        outcomes
    }

    /// Commits one group.
    pub async fn try_one(&self, group: Group) -> Outcome {
        self.commit(vec![group]).await.remove(0)
    }

    /// Commits one group that is to be applied.
    pub async fn one(&self, group: Group) -> Applied {
        applied(self.try_one(group).await)
    }

    /// Inserts `record` and reads it back.
    pub async fn insert(&self, record: &Record) -> Record {
        self.one(sample::insert(record)).await;
        self.get(record.id).await
    }

    /// A session of `subject` begins.
    pub async fn begin(&self, subject: &Subject) -> Record {
        self.insert(&self.record(subject)).await
    }

    /// A session of `subject` begins at `at`.
    pub async fn begin_at(&self, subject: &Subject, at: Timestamp) -> Record {
        self.insert(&Record { created_at: at, ..self.record(subject) }).await
    }

    /// Ends `record`, as it is stored now, at `at`, and reads the tombstone.
    pub async fn end_at(&self, record: &Record, at: Timestamp) -> Record {
        let mut record = self.get(record.id).await;
        record.end(sample::end(at));
        self.one(sample::replace(&record)).await;
        self.get(record.id).await
    }

    /// Changes a head.
    pub async fn change(&self, change: HeadChange) -> Applied {
        self.one(sample::head(change)).await
    }

    /// Loads `ids`.
    pub async fn load(&self, ids: &[SessionId]) -> LoadAnswer {
        self.store.load(ids).await.expect("a load is answered")
    }

    /// What stands under `id`.
    pub async fn find(&self, id: SessionId) -> Found {
        self.load(&[id]).await.found.remove(0)
    }

    /// The record under `id`, with its head.
    pub async fn loaded(&self, id: SessionId) -> Loaded {
        match self.find(id).await {
            Found::Record(loaded) => *loaded,
            other => panic!("a record is there: {other:?}"),
        }
    }

    /// The record under `id`.
    pub async fn get(&self, id: SessionId) -> Record {
        self.loaded(id).await.record
    }

    /// The head of `subject`.
    pub async fn head(&self, subject: &Subject) -> Head {
        let subjects = [subject.clone()];
        self.store.heads(&subjects).await.expect("heads are answered").remove(0)
    }

    /// All ids of `subject`, newest first, in pages of two.
    pub async fn listed(&self, subject: &Subject, include_ended: bool) -> Vec<SessionId> {
        let (mut ids, mut page) = (Vec::new(), Page::first(2));
        loop {
            let answer = self.store.by_subject(subject, include_ended, &page).await;
            let answer = answer.expect("a list is answered");
            assert!(answer.records.len() <= 2, "a page is no longer than asked for");
            ids.extend(answer.records.iter().map(|record| record.id));
            let Some(next) = answer.next else { return ids };
            page.after = Some(next);
        }
    }

    /// All records that `filter` lets through, newest first, in pages of two.
    pub async fn scanned(&self, filter: &Filter) -> Vec<Record> {
        let (mut records, mut page) = (Vec::new(), Page::first(2));
        loop {
            let answer = self.store.scan(filter, &page).await.expect("a scan is answered");
            assert!(answer.records.len() <= 2, "a page is no longer than asked for");
            records.extend(answer.records);
            let Some(next) = answer.next else { return records };
            page.after = Some(next);
        }
    }

    /// All events that `filter` lets through, newest first, in pages of two.
    pub async fn events(&self, filter: &EventFilter) -> Vec<Event> {
        let (mut events, mut page) = (Vec::new(), Page::first(2));
        loop {
            let answer = self.store.events(filter, &page).await.expect("events are answered");
            assert!(answer.events.len() <= 2, "a page is no longer than asked for");
            events.extend(answer.events);
            let Some(next) = answer.next else { return events };
            page.after = Some(next);
        }
    }

    /// All changes after `cursor`, one commit at a time, and where they end.
    pub async fn changes(&self, cursor: &Cursor) -> (Vec<Change>, Cursor) {
        let (mut changes, mut cursor) = (Vec::new(), cursor.clone());
        loop {
            let answer = self.store.changes(&cursor, 1).await.expect("changes are answered");
            assert!(!answer.has_gap, "nothing was forgotten yet");
            cursor = answer.cursor;
            if answer.changes.is_empty() {
                return (changes, cursor);
            }
            changes.extend(answer.changes);
        }
    }

    /// What is due at `before`.
    pub async fn due(&self, before: Timestamp) -> Vec<SessionId> {
        self.store.due(before, 10_000).await.expect("what is due is answered")
    }

    /// Touches `record` at `at`; tells whether it moved.
    pub async fn touch(&self, id: SessionId, at: Timestamp) -> bool {
        self.store.touch(&[(id, at)]).await.expect("a touch is answered") == 1
    }
}

/// What was stamped on an applied group.
pub(super) fn applied(outcome: Outcome) -> Applied {
    match outcome {
        Outcome::Applied(applied) => applied,
        other => panic!("the group is applied: {other:?}"),
    }
}

/// Whether a group was applied.
pub(super) const fn is_applied(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Applied(_))
}
