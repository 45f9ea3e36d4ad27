//! Everything the store holds, behind its mutex.

use std::collections::{BTreeSet, HashMap};

use super::audit::Audit;
use super::changes::ChangeLog;
use super::cursor::{At, end_of};
use crate::event::Event;
use crate::head::{Deployment, Head};
use crate::id::{IdBuildHasher, SessionId, Subject};
use crate::record::Record;
use crate::store::rules::{self, After, Before, Screen};
use crate::store::{
    Batch, BindOutcome, Binding, Census, Change, Found, Group, Loaded, Outcome, Remake,
};
use crate::time::Timestamp;

/// Records and heads, with the orders they are listed in.
pub(super) struct State {
    records: HashMap<SessionId, Box<Record>, IdBuildHasher>,
    subjects: HashMap<Subject, OfSubject>,
    deployment: Deployment,
    bindings: HashMap<SessionId, Binding, IdBuildHasher>,
    /// All records by when they began.
    begun: BTreeSet<At>,
    /// Live records by when they are due.
    due: BTreeSet<At>,
    /// Tombstones by when they ended.
    ended: BTreeSet<At>,
    max_records: usize,
    pub(super) log: ChangeLog,
    pub(super) audit: Audit,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Records are personal and many.
        f.debug_struct("State").field("records", &self.records.len()).finish_non_exhaustive()
    }
}

struct OfSubject {
    head: Head,
    /// The deployment epoch in which the head counted: its count is nil in any later one.
    counted_in: u64,
    /// The subject's records by when they began.
    begun: BTreeSet<At>,
}

/// What the groups of a batch have brought about together.
#[derive(Default)]
struct Brought {
    changes: Vec<Change>,
    events: Vec<Event>,
}

impl State {
    pub(super) fn new(max_records: usize, log: ChangeLog, audit: Audit) -> Self {
        Self {
            records: HashMap::default(),
            subjects: HashMap::new(),
            deployment: Deployment::default(),
            bindings: HashMap::default(),
            begun: BTreeSet::new(),
            due: BTreeSet::new(),
            ended: BTreeSet::new(),
            max_records,
            log,
            audit,
        }
    }

    pub(super) const fn max_records(&self) -> usize {
        self.max_records
    }

    pub(super) const fn deployment(&self) -> Deployment {
        self.deployment
    }

    pub(super) fn find(&self, id: SessionId) -> Found {
        let Some(record) = self.records.get(&id) else { return Found::Missing };
        let head = record.subject.as_ref().and_then(|subject| self.head(subject));
        Found::Record(Box::new(Loaded { record: Record::clone(record), head }))
    }

    /// The stored head of `subject`, its count as of the deployment's present epoch.
    pub(super) fn head(&self, subject: &Subject) -> Option<Head> {
        let of = self.subjects.get(subject)?;
        let live = if of.counted_in == self.deployment.epoch { of.head.live } else { 0 };
        Some(Head { live, ..of.head.clone() })
    }

    pub(super) fn commit(&mut self, batch: Batch) -> Vec<Outcome> {
        let mut screen = Screen::new();
        let mut outcomes = Vec::with_capacity(batch.groups.len());
        let mut brought = Brought::default();
        for (place, group) in batch.groups.into_iter().enumerate() {
            let group = self.latest(batch.remake.as_deref(), place, group);
            let admitted = screen.admit(&group, &outcomes);
            let outcome = match admitted.and_then(|()| self.decide(group)) {
                Ok(after) => self.apply(after, &mut brought),
                Err(outcome) => outcome,
            };
            outcomes.push(outcome);
        }
        self.log.push(brought.changes);
        self.audit.seal(brought.events, &batch.sealer);
        outcomes
    }

    /// The group, made again if it was overtaken.
    fn latest(&self, remake: Option<&dyn Remake>, place: usize, group: Group) -> Group {
        let (Some(remake), Some(change)) = (remake, &group.record) else { return group };
        let stored = self.records.get(&change.record().id);
        if !stored.is_some_and(|stored| rules::is_overtaken(&group, stored)) {
            return group;
        }
        match self.find(change.record().id) {
            Found::Record(current) => remake.remake(place, &current).unwrap_or(group),
            _ => group,
        }
    }

    fn decide(&self, group: Group) -> Result<After, Outcome> {
        let head = rules::subject(&group).and_then(|subject| self.head(subject));
        let id = group.record.as_ref().map(|change| change.record().id);
        let record = id.and_then(|id| self.records.get(&id)).map(|record| &**record);
        let before = Before { record, head: head.as_ref(), deployment: self.deployment };
        let after = rules::decide(group, before)?;
        let is_new = record.is_none() && after.record.is_some();
        if is_new && self.records.len() >= self.max_records {
            return Err(Outcome::Invalid("the memory store is full".into()));
        }
        Ok(after)
    }

    fn apply(&mut self, after: After, brought: &mut Brought) -> Outcome {
        if let Some(deployment) = after.deployment {
            self.deployment = deployment;
        }
        if let Some(head) = after.head {
            self.put_head(head);
        }
        if let Some(record) = after.record {
            self.put(record);
        }
        brought.changes.extend(after.changes);
        brought.events.extend(after.events);
        Outcome::Applied(after.applied)
    }

    fn put_head(&mut self, head: Head) {
        let counted_in = self.deployment.epoch;
        match self.subjects.get_mut(&head.subject) {
            Some(of) => (of.head, of.counted_in) = (head, counted_in),
            None => {
                let subject = head.subject.clone();
                self.subjects
                    .insert(subject, OfSubject { head, counted_in, begun: BTreeSet::new() });
            }
        }
    }

    fn put(&mut self, record: Box<Record>) {
        let id = record.id;
        let begun = (record.created_at, id);
        match self.records.get(&id) {
            Some(old) => {
                self.due.remove(&(old.due_at(), id));
            }
            None => {
                self.begun.insert(begun);
                if let Some(of) = record.subject.as_ref().and_then(|it| self.subjects.get_mut(it)) {
                    of.begun.insert(begun);
                }
            }
        }
        match &record.ended {
            Some(ended) => self.ended.insert((ended.at, id)),
            None => self.due.insert((record.due_at(), id)),
        };
        self.records.insert(id, record);
    }

    /// Moves `last_seen` of a record on; tells whether it moved.
    pub(super) fn touch(&mut self, id: SessionId, at: Timestamp) -> bool {
        let record = self.records.get_mut(&id).filter(|record| rules::can_touch(record, at));
        let Some(record) = record else { return false };
        self.due.remove(&(record.due_at(), id));
        record.last_seen = at;
        self.due.insert((record.due_at(), id));
        true
    }

    pub(super) fn due(&self, before: Timestamp, limit: usize) -> Vec<SessionId> {
        self.due.range(..=end_of(before)).take(limit).map(|(_, id)| *id).collect()
    }

    pub(super) fn census(&self) -> Census {
        let ended = self.records.values().filter(|record| record.is_tombstone()).count();
        Census { live: (self.records.len() - ended) as u64, ended: ended as u64 }
    }

    pub(super) fn purge(&mut self, before: Timestamp, limit: usize) -> usize {
        let over: Vec<_> = self.ended.range(..=end_of(before)).take(limit).copied().collect();
        for at in &over {
            self.ended.remove(at);
            self.remove(at.1);
        }
        over.len()
    }

    fn remove(&mut self, id: SessionId) {
        self.bindings.remove(&id);
        let Some(record) = self.records.remove(&id) else { return };
        self.begun.remove(&(record.created_at, id));
        let Some(subject) = record.subject else { return };
        let Some(of) = self.subjects.get_mut(&subject) else { return };
        of.begun.remove(&(record.created_at, id));
        // A head that says nothing is as good as none: guests come and go.
        if of.begun.is_empty() && of.head.version == 0 {
            self.subjects.remove(&subject);
        }
    }

    /// Blanks what is personal in the tombstones of `subject`.
    pub(super) fn blank(&mut self, subject: &Subject) {
        let Some(of) = self.subjects.get(subject) else { return };
        for (_, id) in &of.begun {
            if let Some(record) = self.records.get_mut(id) {
                record.blank();
            }
        }
    }

    /// Looks through the next `look` records before `from`, of `subject` or of all, newest first,
    /// and adds those that are `wanted` until `found` holds `enough`. Answers where to go on, if
    /// there is more.
    pub(super) fn walk(
        &self,
        subject: Option<&Subject>,
        wanted: impl Fn(&Record) -> bool,
        from: Option<At>,
        (look, enough): (usize, usize),
        found: &mut Vec<(At, Record)>,
    ) -> Option<At> {
        let begun = match subject {
            Some(subject) => &self.subjects.get(subject)?.begun,
            None => &self.begun,
        };
        let from = from.unwrap_or(end_of(Timestamp::MAX));
        let mut last = None;
        for at in begun.range(..from).rev().take(look) {
            let record = self.records.get(&at.1).filter(|record| wanted(record));
            found.extend(record.map(|record| (*at, Record::clone(record))));
            if found.len() >= enough {
                return None;
            }
            last = Some(*at);
        }
        last
    }

    pub(super) fn binding(&self, id: SessionId) -> Option<Binding> {
        self.bindings.get(&id).cloned()
    }

    pub(super) fn bind(
        &mut self,
        id: SessionId,
        expected: Option<u64>,
        body: Option<Vec<u8>>,
    ) -> BindOutcome {
        if self.records.get(&id).is_none_or(|record| record.is_tombstone()) {
            return BindOutcome::Missing;
        }
        let stored = self.bindings.get(&id);
        if stored.map(|binding| binding.version) != expected {
            return BindOutcome::Conflict(stored.cloned());
        }
        let version = expected.unwrap_or(0) + 1;
        match body {
            Some(body) => self.bindings.insert(id, Binding { version, body }),
            None => self.bindings.remove(&id),
        };
        BindOutcome::Applied
    }
}

#[cfg(all(test, feature = "conformance"))]
mod tests {
    use super::*;
    use crate::chain::Sealer;
    use crate::conformance::sample;
    use crate::id::PartitionKey;
    use crate::key::KeyRing;
    use crate::store::Meta;

    #[test]
    fn guests_who_come_and_go_leave_nothing_behind() {
        let (log, audit) = (ChangeLog::new(1, 10), Audit::new(1, 10));
        let mut state = State::new(10, log, audit);
        let sealer = Sealer::new(KeyRing::generate().unwrap());
        let meta = Meta { partition_key: PartitionKey::from_bytes([1; 32]), writer: 1 };
        let mut guest = sample::record(&meta, Some(&sample::subject("guest")));
        let batch = |group| Batch::new(vec![group], sealer.clone());
        state.commit(batch(sample::insert(&guest)));
        guest.end(sample::end(sample::at(1)));
        state.commit(batch(sample::replace_at(&guest, 1)));
        assert_eq!(state.purge(sample::at(1), 10), 1);
        assert!(state.records.is_empty() && state.subjects.is_empty() && state.begun.is_empty());
        assert!(state.due.is_empty() && state.ended.is_empty() && state.bindings.is_empty());
    }
}
