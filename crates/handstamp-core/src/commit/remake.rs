//! Changes that another process has overtaken, made again from what is there.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Parts;
use super::draft::{Draft, Mutation, Step};
use super::job::Job;
use super::plan::{Waiters, guarded};
use super::round::draft_of;
use crate::store::{Group, Loaded, RecordChange, Remake};

/// The groups of a batch and whoever waits for each, for as long as the store has them.
pub(super) struct Lent {
    parts: Arc<Parts>,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    groups: Vec<Group>,
    waiters: Vec<Waiters>,
}

impl Lent {
    pub(super) fn new(parts: Arc<Parts>, groups: Vec<Group>, waiters: Vec<Waiters>) -> Arc<Self> {
        Arc::new(Self { parts, held: Mutex::new(Held { groups, waiters }) })
    }

    /// The groups as the store had them last, and whoever waits. Nothing is made again afterwards.
    pub(super) fn take_back(&self) -> (Vec<Group>, Vec<Waiters>) {
        let Held { groups, waiters } = std::mem::take(&mut *self.lock());
        (groups, waiters)
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Lent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent").finish_non_exhaustive()
    }
}

impl Remake for Lent {
    fn remake(&self, place: usize, current: &Loaded) -> Option<Group> {
        let mut held = self.lock();
        let Held { groups, waiters } = &mut *held;
        let group = groups.get_mut(place)?;
        let Some(RecordChange::Replace { record, expected, epoch }) = &group.record else {
            return None;
        };
        let (id, epoch, parts) = (record.id, *epoch, &self.parts);
        let cached = parts.cache.unheld(current.record.clone(), current.head.as_ref());
        let mut draft = draft_of(parts, &cached, true);
        if let Some(held) = parts.cache.get(&id) {
            // What this process has seen and told nobody yet.
            draft.record.last_seen = draft.record.last_seen.max(held.activity.last_seen().at);
        }
        if !replay(waiters, place, group.only_if.is_some(), &mut draft)? {
            return None;
        }
        tracing::trace!(session = %id, was = expected, is = current.record.version, "made again");
        let (record, expected) = (Box::new(draft.record), current.record.version);
        group.record = Some(RecordChange::Replace { record, expected, epoch });
        group.events = draft.events;
        Some(group.clone())
    }
}

/// Does to `draft` all that the group at `place` does to its session; answers whether it changed.
/// `None` where something is refused now: that is answered in a round of its own.
fn replay(
    waiters: &mut [Waiters],
    place: usize,
    is_tied: bool,
    draft: &mut Draft<'_>,
) -> Option<bool> {
    let mut is_changed = false;
    if let Some(Waiters::Session(own)) = waiters.get_mut(place) {
        for waiting in own {
            is_changed |= step(&mut waiting.job, draft)?;
        }
    }
    for waiters in waiters {
        if let Waiters::Begin(waiting) = waiters
            && let Some(end) = end_by(&mut waiting.job, is_tied, draft)
        {
            is_changed |= run(end, draft)?;
        }
    }
    Some(is_changed)
}

fn step(job: &mut Job, draft: &mut Draft<'_>) -> Option<bool> {
    match job {
        Job::Change { mutation, .. } | Job::EndOld { mutation, .. } => run(mutation, draft),
        Job::Head { events, .. } => {
            draft.require_live().ok()?;
            draft.events.extend(events.iter().cloned());
            Some(true)
        }
        Job::Begin { .. } | Job::Tell { .. } => None,
    }
}

/// How a session that begins ends that of `draft`: to make room, or, if that is tied to it, because
/// it takes over.
fn end_by<'a>(job: &'a mut Job, is_tied: bool, draft: &Draft<'_>) -> Option<&'a mut Mutation> {
    let Job::Begin { victims, old, .. } = job else { return None };
    let ends = victims.iter_mut().chain(old.as_mut().filter(|_| is_tied));
    let mut its = ends.filter(|(id, _)| *id == draft.record.id);
    its.next().map(|(_, mutation)| mutation)
}

fn run(mutation: &mut Mutation, draft: &mut Draft<'_>) -> Option<bool> {
    match guarded(mutation, draft).ok()? {
        Step::Changed => Some(true),
        Step::Unchanged => Some(false),
        Step::NeedsFresh => None,
    }
}
