//! Turns jobs into the groups of a batch: at most one group for each session, whatever waits.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::Waiting;
use super::draft::{Draft, Mutation, Step};
use super::job::{Job, Reply, Spared};
use crate::data::DataError;
use crate::error::SessionError;
use crate::head::Head;
use crate::id::{ChangeId, IdBuildHasher, SessionId};
use crate::random::{RandomError, Rng, random};
use crate::record::Record;
use crate::store::{EpochRule, Group, HeadChange, RecordChange};

/// One session's draft with all that was folded into it.
pub(super) struct Work<'a> {
    draft: Draft<'a>,
    is_changed: bool,
    head: Option<HeadChange>,
    /// Applied only if the session that begins at this place of `begins` does.
    tied_to: Option<usize>,
    is_listed: bool,
    waiters: Vec<Waiting>,
}

impl<'a> Work<'a> {
    const fn new(draft: Draft<'a>) -> Self {
        Self {
            draft,
            is_changed: false,
            head: None,
            tied_to: None,
            is_listed: false,
            waiters: Vec::new(),
        }
    }
}

/// Names the groups of one round: eight random bytes, drawn once, and a count.
pub(super) struct ChangeIds {
    round: [u8; 8],
    count: u64,
}

impl ChangeIds {
    pub(super) fn draw(rng: &dyn Rng) -> Result<Self, RandomError> {
        Ok(Self { round: random(rng)?, count: 0 })
    }

    fn next(&mut self) -> ChangeId {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.round);
        bytes[8..].copy_from_slice(&self.count.to_be_bytes());
        self.count += 1;
        ChangeId::from_bytes(bytes)
    }
}

/// A session that begins.
struct Beginning {
    change: RecordChange,
    events: Vec<crate::event::Event>,
    /// The session that must make room for it first.
    after: Option<SessionId>,
    waiting: Waiting,
}

/// Whoever waits for a group, by how their answer is found.
pub(super) enum Waiters {
    /// Those whose changes were folded into one session.
    Session(Vec<Waiting>),
    /// One whose session begins.
    Begin(Waiting),
    /// One who changes a head alone.
    Head(Waiting),
}

/// Everything that one round will ask of the store.
pub(super) struct Plan<'a> {
    works: HashMap<SessionId, Work<'a>, IdBuildHasher>,
    order: Vec<SessionId>,
    begins: Vec<Beginning>,
    heads: Vec<(HeadChange, Vec<crate::event::Event>, Waiting)>,
    /// Answered at the end of the round whatever becomes of the batch: jobs for the next round.
    pub(super) deferred: Vec<Waiting>,
    /// Sessions that must be loaded from the store for the next round.
    pub(super) stale: Vec<SessionId>,
    pub(super) tells: Vec<(Vec<crate::event::Event>, Reply)>,
}

impl<'a> Plan<'a> {
    /// A plan over these drafts, which hold the latest records known.
    pub(super) fn new(drafts: Vec<Draft<'a>>) -> Self {
        let works = drafts.into_iter().map(|draft| {
            let id = draft.record.id;
            (id, Work::new(draft))
        });
        Self {
            works: works.collect(),
            order: Vec::new(),
            begins: Vec::new(),
            heads: Vec::new(),
            deferred: Vec::new(),
            stale: Vec::new(),
            tells: Vec::new(),
        }
    }

    /// Takes a job in, in the order of arrival.
    pub(super) fn add(&mut self, waiting: Waiting) {
        match &waiting.job {
            Job::Change { .. } | Job::EndOld { .. } => self.add_change(waiting),
            Job::Begin { .. } => self.add_begin(waiting),
            Job::Head { .. } => self.add_head(waiting),
            Job::Tell { .. } => self.add_tell(waiting.job),
        }
    }

    fn add_tell(&mut self, job: Job) {
        if let Job::Tell { events, reply } = job {
            self.tells.push((events, reply));
        }
    }

    fn add_change(&mut self, mut waiting: Waiting) {
        let (Job::Change { id, mutation, .. } | Job::EndOld { id, mutation, .. }) =
            &mut waiting.job
        else {
            return;
        };
        let id = *id;
        let Some(work) = self.works.get_mut(&id) else {
            return waiting.job.fail(SessionError::NotFound);
        };
        if work.tied_to.is_some() {
            // Whether this session ends is not decided before the batch is.
            return self.deferred.push(waiting);
        }
        if self.stale.contains(&id) {
            return self.deferred.push(waiting);
        }
        // A cache that may be behind may be wrong about everything but what the store will compare.
        let is_guess = !work.is_changed && !work.draft.is_fresh;
        match guarded(mutation, &mut work.draft) {
            // It is refused for what is not committed yet, and may never be: it is asked again
            // when that is known.
            Err(_) if work.is_changed => self.deferred.push(waiting),
            Err(error) if !is_guess => waiting.job.fail(error),
            Ok(Step::Unchanged) if !is_guess => self.answer_later(id, waiting, false),
            Ok(Step::Changed) => self.answer_later(id, waiting, true),
            _ => {
                self.stale.push(id);
                self.deferred.push(waiting);
            }
        }
    }

    fn answer_later(&mut self, id: SessionId, waiting: Waiting, is_changed: bool) {
        let Some(work) = self.works.get_mut(&id) else { return };
        work.is_changed |= is_changed;
        work.waiters.push(waiting);
        self.list(id);
    }

    fn list(&mut self, id: SessionId) {
        let Some(work) = self.works.get_mut(&id) else { return };
        if !work.is_listed {
            work.is_listed = true;
            self.order.push(id);
        }
    }

    /// Whether another job of this round already ties these sessions to something.
    fn is_tied(&self, job: &Job) -> bool {
        job.needs().iter().any(|id| {
            self.works.get(id).is_some_and(|work| work.tied_to.is_some() || work.head.is_some())
        })
    }

    fn add_begin(&mut self, mut waiting: Waiting) {
        if self.is_tied(&waiting.job) {
            return self.deferred.push(waiting);
        }
        let Job::Begin { victims, build, old, .. } = &mut waiting.job else { return };
        let old_work = old.as_ref().and_then(|(id, _)| self.works.get(id));
        let latest = old_work.map(|work| &work.draft);
        let new = match catch_unwind(AssertUnwindSafe(|| build(latest))).unwrap_or_else(panicked) {
            Ok(new) => new,
            // It is refused for what is not committed yet, or may be behind: it is asked again.
            Err(_) if old_work.is_some_and(|work| work.is_changed) => {
                return self.deferred.push(waiting);
            }
            Err(_) if latest.is_some_and(|draft| !draft.is_fresh) => {
                self.stale.extend(old.iter().map(|(id, _)| *id));
                return self.deferred.push(waiting);
            }
            Err(error) => return waiting.job.fail(error),
        };
        let place = self.begins.len();
        let mut ends = Vec::new();
        for (id, mutation) in victims.iter_mut() {
            ends.push((*id, None, mutation));
        }
        // One that makes room ends before, not after.
        let is_victim = |id: &SessionId| ends.iter().any(|(victim, ..)| victim == id);
        if let Some((id, mutation)) = old.as_mut().filter(|(id, _)| !is_victim(id)) {
            ends.push((*id, Some(place), mutation));
        }
        let ended = ends.into_iter().map(|(id, tied_to, mutation)| {
            let work = self.works.get_mut(&id)?;
            let step = guarded(mutation, &mut work.draft).ok()?;
            work.is_changed |= step == Step::Changed;
            work.tied_to = tied_to;
            Some(id)
        });
        let ended: Vec<SessionId> = ended.flatten().collect();
        let after = victims.iter().map(|(id, _)| *id).find(|id| ended.contains(id));
        ended.into_iter().for_each(|id| self.list(id));
        let change = RecordChange::Insert { record: new.record, limit: new.limit };
        self.begins.push(Beginning { change, events: new.events, after, waiting });
    }

    fn add_head(&mut self, waiting: Waiting) {
        if self.is_tied(&waiting.job) {
            return self.deferred.push(waiting);
        }
        let Job::Head { spared, .. } = &waiting.job else { return };
        let work = spared.id().and_then(|id| self.works.get(&id));
        let is_guess = work.is_some_and(|work| !work.is_changed && !work.draft.is_fresh);
        match (*spared, work.map(|work| work.draft.require_live())) {
            (Spared::IfLive(id) | Spared::Asking(id), Some(Ok(()))) => self.spare(id, waiting),
            // Whether it has ended is not decided before the batch is.
            (_, Some(Err(_))) if work.is_some_and(|work| work.is_changed) => {
                self.deferred.push(waiting);
            }
            (_, Some(Err(_))) if is_guess => {
                self.stale.extend(spared.id());
                self.deferred.push(waiting);
            }
            (Spared::Asking(_), Some(Err(error))) => waiting.job.fail(error),
            (Spared::Asking(_), None) => waiting.job.fail(SessionError::NotFound),
            _ => self.spare_nobody(waiting),
        }
    }

    /// One group for the head and the session that goes on under it.
    fn spare(&mut self, id: SessionId, waiting: Waiting) {
        let Job::Head { change, events, .. } = &waiting.job else { return };
        let Some(work) = self.works.get_mut(&id) else { return };
        work.head = Some(change.clone());
        work.draft.events.extend(events.iter().cloned());
        work.is_changed = true;
        work.waiters.push(waiting);
        self.list(id);
    }

    fn spare_nobody(&mut self, waiting: Waiting) {
        let Job::Head { change, events, .. } = &waiting.job else { return };
        self.heads.push((change.clone(), events.clone(), waiting));
    }

    /// The groups, with whoever waits for each, and those who wait for nothing to be stored.
    pub(super) fn into_groups(self, mut ids: ChangeIds) -> Grouped {
        let Self { mut works, order, begins, heads, .. } = self;
        let mut out = Grouped::default();
        for (change, events, waiting) in heads {
            let mut group = Group::new(ids.next());
            (group.head, group.events) = (Some(change), events);
            out.push(group, Waiters::Head(waiting));
        }
        let mut places = HashMap::with_hasher(IdBuildHasher::default());
        let (tied, free): (Vec<_>, Vec<_>) =
            order.into_iter().partition(|id| works.get(id).is_some_and(|w| w.tied_to.is_some()));
        for id in free {
            let Some(work) = works.remove(&id) else { continue };
            // One that is as it was has no group for anything to depend on.
            if work.is_changed {
                places.insert(id, out.groups.len());
            }
            out.push_work(work, None, ids.next());
        }
        let mut begun = Vec::new();
        for begin in begins {
            let mut group = Group::new(ids.next());
            group.only_if = begin.after.and_then(|id| places.get(&id).copied());
            (group.record, group.events) = (Some(begin.change), begin.events);
            begun.push(out.groups.len());
            out.push(group, Waiters::Begin(begin.waiting));
        }
        for id in tied {
            let Some(work) = works.remove(&id) else { continue };
            let only_if = work.tied_to.and_then(|place| begun.get(place).copied());
            out.push_work(work, only_if, ids.next());
        }
        out
    }
}

/// A session that is as it was, and whoever waits to hear so.
pub(super) struct Unchanged {
    pub(super) record: Record,
    pub(super) head: Option<Arc<Head>>,
    pub(super) waiters: Vec<Waiting>,
}

/// The groups of a batch and whoever waits for each.
#[derive(Default)]
pub(super) struct Grouped {
    pub(super) groups: Vec<Group>,
    pub(super) waiters: Vec<Waiters>,
    /// Those whose sessions are as they were.
    pub(super) unchanged: Vec<Unchanged>,
}

impl Grouped {
    fn push(&mut self, group: Group, waiters: Waiters) {
        self.groups.push(group);
        self.waiters.push(waiters);
    }

    fn push_work(&mut self, work: Work<'_>, only_if: Option<usize>, change_id: ChangeId) {
        let Work { draft, is_changed, head, waiters, .. } = work;
        if !is_changed {
            let (record, head) = (draft.record, draft.head);
            return self.unchanged.push(Unchanged { record, head, waiters });
        }
        let epoch = if head.is_some() { EpochRule::Adopt } else { EpochRule::Keep };
        let mut group = Group::new(change_id);
        let expected = draft.record.version;
        let record = Box::new(draft.record);
        group.record = Some(RecordChange::Replace { record, expected, epoch });
        (group.head, group.events, group.only_if) = (head, draft.events, only_if);
        self.push(group, Waiters::Session(waiters));
    }
}

/// Runs a mutation; one that panics changes nothing.
pub(super) fn guarded(
    mutation: &mut Mutation,
    draft: &mut Draft<'_>,
) -> Result<Step, SessionError> {
    catch_unwind(AssertUnwindSafe(|| mutation(draft))).unwrap_or_else(panicked)
}

fn panicked<T>(_: Box<dyn std::any::Any + Send>) -> Result<T, SessionError> {
    Err(SessionError::Data(DataError::Panicked))
}
