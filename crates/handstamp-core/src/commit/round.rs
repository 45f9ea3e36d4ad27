//! One round of the committer: load what is needed, plan, commit, take in what came of it.

use std::sync::Arc;

use super::draft::Draft;
use super::inquiry::{Came, inquire};
use super::job::{Committed, Job};
use super::plan::{ChangeIds, Grouped, Plan, Unchanged, Waiters};
use super::remake::Lent;
use super::{Parts, TRIES, Waiting};
use crate::cache::{Cached, Fill};
use crate::error::SessionError;
use crate::head::{Deployment, Head};
use crate::id::SessionId;
use crate::record::Record;
use crate::store::{
    Applied, Batch, Found, Group, HeadTarget, Outcome, RecordChange, Refusal, StoreError,
};

/// Runs one round; answers the jobs that must be tried again, oldest first.
pub(super) async fn run(parts: &Arc<Parts>, jobs: Vec<Waiting>) -> Vec<Waiting> {
    let ids = match ChangeIds::draw(&*parts.rng) {
        Ok(ids) => ids,
        Err(error) => {
            jobs.into_iter().for_each(|waiting| waiting.job.fail(error.into()));
            return Vec::new();
        }
    };
    let (jobs, drafts) = load(parts, jobs).await;
    let mut plan = Plan::new(drafts);
    for waiting in jobs {
        plan.add(waiting);
    }
    let mut again = Again { waiting: std::mem::take(&mut plan.deferred), done: Vec::new() };
    plan.stale.iter().for_each(|id| parts.cache.forget(id));
    let tells = std::mem::take(&mut plan.tells);
    let grouped = plan.into_groups(ids);
    commit(parts, grouped, &mut again).await;
    tell(parts, tells).await;
    again.waiting
}

/// Jobs for the next round, and those that are done.
struct Again {
    waiting: Vec<Waiting>,
    /// Answered only when the whole batch is taken in: who has signed in must not find the session
    /// before still good.
    done: Vec<Done>,
}

/// A job that is done, by the place of its group.
struct Done {
    place: usize,
    waiting: Waiting,
    committed: Committed,
}

impl Again {
    /// Tries a job once more, unless it has been tried too often.
    fn retry(&mut self, mut waiting: Waiting) {
        waiting.tries += 1;
        if waiting.tries < TRIES {
            self.waiting.push(waiting);
        } else {
            let busy = "other writers were faster every time";
            waiting.job.fail(SessionError::Unavailable(busy.into()));
        }
    }
}

impl Again {
    /// The session whose group is at `place` has begun, and a writer elsewhere kept the one before it
    /// from ending: that is done first, and then whoever signed in is answered.
    fn end_old(&mut self, place: usize) {
        let at = self.done.iter().position(|done| done.place == place);
        let Some(Done { waiting, committed: begun, .. }) = at.map(|at| self.done.remove(at)) else {
            return;
        };
        let Waiting { job: Job::Begin { old: Some((id, mutation)), reply, .. }, tries } = waiting
        else {
            return;
        };
        let job = Job::EndOld { id, mutation, begun, reply };
        self.retry(Waiting { job, tries });
    }
}

/// Gathers the latest records that the jobs need; fails the jobs whose records cannot be had.
async fn load<'a>(parts: &'a Parts, jobs: Vec<Waiting>) -> (Vec<Waiting>, Vec<Draft<'a>>) {
    let mut needed: Vec<SessionId> = jobs.iter().flat_map(|waiting| waiting.job.needs()).collect();
    needed.sort_unstable();
    needed.dedup();
    let (mut drafts, mut missing) = (Vec::new(), Vec::new());
    for id in needed {
        match parts.cache.get(&id) {
            Some(cached) => drafts.push(draft_of(parts, &cached, parts.cache.is_alone())),
            None => missing.push(id),
        }
    }
    if missing.is_empty() {
        return (jobs, drafts);
    }
    let fault = match fetch(parts, &missing).await {
        Ok((loaded, damaged)) => {
            drafts.extend(loaded.iter().map(|cached| draft_of(parts, cached, true)));
            Fault::Damaged(damaged)
        }
        Err(error) => Fault::Store(error, missing),
    };
    (fault.strike(jobs), drafts)
}

/// What keeps some records from being had.
enum Fault {
    Store(StoreError, Vec<SessionId>),
    Damaged(Vec<(SessionId, String)>),
}

impl Fault {
    /// Fails the jobs that need those records, keeps the others.
    fn strike(&self, jobs: Vec<Waiting>) -> Vec<Waiting> {
        let (hit, kept): (Vec<_>, Vec<_>) =
            jobs.into_iter().partition(|waiting| self.error(&waiting.job.needs()).is_some());
        for waiting in hit {
            if let Some(error) = self.error(&waiting.job.needs()) {
                waiting.job.fail(error);
            }
        }
        kept
    }

    fn error(&self, needs: &[SessionId]) -> Option<SessionError> {
        match self {
            Self::Store(error, ids) => needs
                .iter()
                .any(|id| ids.contains(id))
                .then(|| SessionError::Unavailable(error.to_string().into())),
            Self::Damaged(ids) => {
                let damaged = ids.iter().find(|(id, _)| needs.contains(id));
                damaged.map(|(_, why)| SessionError::Corrupt(why.clone()))
            }
        }
    }
}

type Fetched = (Vec<Arc<Cached>>, Vec<(SessionId, String)>);

/// Loads records from the store. Drafts work on what was loaded even if a fill was overtaken: the
/// store compares versions.
async fn fetch(parts: &Parts, ids: &[SessionId]) -> Result<Fetched, StoreError> {
    let fills: Vec<Fill<'_>> = ids.iter().map(|id| parts.cache.begin_fill(*id)).collect();
    let answer = parts.store.load(ids).await?;
    let (mut loaded, mut damaged) = (Vec::new(), Vec::new());
    for ((id, fill), found) in ids.iter().zip(fills).zip(answer.found) {
        match found {
            Found::Record(found) => {
                let head = found.head.as_ref();
                loaded.push(parts.cache.put_shared(&fill, found.record, head, false));
            }
            Found::Missing => {}
            Found::Corrupt(why) => damaged.push((*id, why)),
        }
    }
    parts.cache.put_deployment(answer.deployment);
    Ok((loaded, damaged))
}

pub(super) fn draft_of<'a>(parts: &'a Parts, cached: &Arc<Cached>, is_fresh: bool) -> Draft<'a> {
    let seen = cached.activity.last_seen();
    let mut record = Record::clone(&cached.record);
    record.last_seen = record.last_seen.max(seen.at);
    Draft {
        record,
        head: cached.head(),
        deployment: parts.cache.deployment(),
        seen,
        now: parts.clock.now(),
        // A tombstone never changes again.
        is_fresh: is_fresh || cached.record.is_tombstone(),
        events: Vec::new(),
        rng: &*parts.rng,
    }
}

/// Commits the groups and answers all who wait for them.
async fn commit(parts: &Arc<Parts>, grouped: Grouped, again: &mut Again) {
    let Grouped { groups, waiters, unchanged } = grouped;
    if !groups.is_empty() {
        let fills: Vec<_> = groups.iter().map(|group| announce(parts, group)).collect();
        let lent = Lent::new(Arc::clone(parts), groups.clone(), waiters);
        let batch =
            Batch { remake: Some(lent.clone()), ..Batch::new(groups, parts.sealer.clone()) };
        let answer = parts.store.commit(batch).await;
        let (groups, waiters) = lent.take_back();
        let outcomes = match answer {
            Err(StoreError::Unknown(cause)) => inquire(parts, &groups, &cause.to_string()).await,
            Err(error) => groups.iter().map(|_| Came::Failed(error.to_string())).collect(),
            Ok(outcomes) => outcomes.into_iter().map(Came::Of).collect(),
        };
        let answered = groups.into_iter().zip(waiters).zip(fills).zip(outcomes).enumerate();
        for (place, (((group, waiters), fill), came)) in answered {
            settle(parts, (place, group, fill), waiters, came, again);
        }
        // Whoever is woken finds what it is woken for, in the cache as well.
        parts.watchers.committed();
    }
    again.done.drain(..).for_each(|done| succeed(done.waiting.job, done.committed));
    for Unchanged { record, head, waiters } in unchanged {
        let is_it = |held: &Arc<Cached>| held.record.version >= record.version;
        let held = parts.cache.get(&record.id).filter(is_it);
        let session = held.unwrap_or_else(|| parts.cache.unheld(record, head.as_deref()));
        let committed = Committed { session: Some(session), head: None };
        waiters.into_iter().for_each(|waiting| succeed(waiting.job, committed.clone()));
    }
}

/// Says that a session is being changed, where others may change it meanwhile.
fn announce<'a>(parts: &'a Parts, group: &Group) -> Option<Fill<'a>> {
    let change = group.record.as_ref().filter(|_| !parts.cache.is_alone())?;
    Some(parts.cache.begin_commit(change.record().id))
}

/// Writes what is known now of a session through the cache.
fn put(
    parts: &Parts,
    fill: Option<&Fill<'_>>,
    record: Record,
    head: Option<&Head>,
    is_new: bool,
) -> Arc<Cached> {
    match fill {
        Some(fill) => parts.cache.put_shared(fill, record, head, is_new),
        None => parts.cache.put(record, head, is_new),
    }
}

/// Takes in what came of one group and answers those who wait for it, or has them tried again.
fn settle(
    parts: &Parts,
    (place, group, fill): (usize, Group, Option<Fill<'_>>),
    waiters: Waiters,
    came: Came,
    again: &mut Again,
) {
    let fill = fill.as_ref();
    let is_open = matches!(came, Came::Of(Outcome::Conflict(_)) | Came::Failed(_) | Came::Lost(_));
    if let Some(begun) = group.only_if.filter(|_| is_open) {
        again.end_old(begun);
    }
    let waiting = match waiters {
        Waiters::Session(waiting) => waiting,
        Waiters::Begin(waiting) | Waiters::Head(waiting) => vec![waiting],
    };
    let error = match came {
        Came::Of(Outcome::Applied(applied)) => {
            let committed = applied_to(parts, group, fill, applied);
            let done = |waiting| Done { place, waiting, committed: committed.clone() };
            return again.done.extend(waiting.into_iter().map(done));
        }
        Came::Of(Outcome::Refused(refusal)) => match refused(parts, &group, refusal) {
            Some(error) => error,
            None => return waiting.into_iter().for_each(|waiting| again.retry(waiting)),
        },
        Came::Of(Outcome::Conflict(found)) => {
            put(parts, fill, found.record, found.head.as_ref(), false);
            return waiting.into_iter().for_each(|waiting| again.retry(waiting));
        }
        Came::Of(Outcome::Ended(tombstone)) => {
            let id = tombstone.id;
            put(parts, fill, *tombstone, None, false);
            parts.watchers.wake(&id);
            return waiting.into_iter().for_each(|waiting| again.retry(waiting));
        }
        Came::Of(Outcome::Skipped) => {
            return waiting.into_iter().for_each(|waiting| again.retry(waiting));
        }
        Came::Of(Outcome::Missing) => {
            group.record.iter().for_each(|change| parts.cache.forget(&change.record().id));
            return fail_all(waiting, || SessionError::NotFound);
        }
        Came::Of(Outcome::Exists) => {
            SessionError::Unavailable("a session with that id exists".into())
        }
        Came::Of(Outcome::Invalid(why)) => SessionError::Refused(why),
        Came::Failed(why) => SessionError::Unavailable(why.into()),
        Came::Lost(why) => SessionError::Unknown(why.into()),
    };
    fail_all(waiting, || same(&error));
}

/// The error to answer when a head refused a group; `None` to look at the head again.
fn refused(parts: &Parts, group: &Group, refusal: Refusal) -> Option<SessionError> {
    match (&group.record, refusal) {
        (Some(RecordChange::Insert { limit, .. }), Refusal::Limit) => {
            Some(SessionError::LimitReached { limit: limit.unwrap_or_default() })
        }
        (Some(RecordChange::Insert { .. }), Refusal::Disabled) => {
            Some(SessionError::SubjectDisabled)
        }
        (change, _) => {
            change.iter().for_each(|change| parts.cache.forget(&change.record().id));
            None
        }
    }
}

fn fail_all(waiting: Vec<Waiting>, error: impl Fn() -> SessionError) {
    waiting.into_iter().for_each(|waiting| waiting.job.fail(error()));
}

/// The same error once more, for each of several who wait.
fn same(error: &SessionError) -> SessionError {
    match error {
        SessionError::LimitReached { limit } => SessionError::LimitReached { limit: *limit },
        SessionError::SubjectDisabled => SessionError::SubjectDisabled,
        SessionError::Refused(why) => SessionError::Refused(why.clone()),
        SessionError::Unknown(cause) => SessionError::Unknown(cause.to_string().into()),
        other => SessionError::Unavailable(other.to_string().into()),
    }
}

/// Writes an applied group through the cache and wakes who watches.
fn applied_to(parts: &Parts, group: Group, fill: Option<&Fill<'_>>, applied: Applied) -> Committed {
    parts.cache.put_deployment(Deployment { epoch: applied.deployment_epoch });
    if let Some(change) = &group.head {
        take_head(parts, &change.target, &applied);
    }
    let session = group.record.map(|change| {
        let is_new = matches!(change, RecordChange::Insert { .. });
        let (RecordChange::Insert { record, .. } | RecordChange::Replace { record, .. }) = change;
        let mut record = *record;
        record.version = applied.version;
        record.change_id = group.change_id;
        record.epoch = applied.epoch;
        record.deployment_epoch = applied.deployment_epoch;
        record.last_seen = applied.last_seen;
        let cached = put(parts, fill, record, applied.head.as_ref(), is_new);
        if cached.record.is_tombstone() || cached.record.suspended.is_some() {
            parts.watchers.wake(&cached.record.id);
        }
        cached
    });
    Committed { session, head: applied.head.map(Arc::new) }
}

fn take_head(parts: &Parts, target: &HeadTarget, applied: &Applied) {
    match target {
        HeadTarget::Subject(subject) => {
            if let Some(head) = &applied.head {
                parts.cache.put_head(head);
            }
            parts.watchers.wake_subject(Some(subject));
        }
        HeadTarget::Deployment => {
            parts.watchers.wake_subject(None);
        }
    }
}

fn succeed(job: Job, committed: Committed) {
    if let Job::EndOld { begun, reply, .. } = job {
        let _ = reply.send(Ok(begun));
        return;
    }
    let (Job::Change { reply, .. }
    | Job::EndOld { reply, .. }
    | Job::Begin { reply, .. }
    | Job::Head { reply, .. }
    | Job::Tell { reply, .. }) = job;
    // Whoever waited may have gone; what was committed stands.
    let _ = reply.send(Ok(committed));
}

/// Appends events that change nothing.
async fn tell(parts: &Parts, tells: Vec<(Vec<crate::event::Event>, super::Reply)>) {
    if tells.is_empty() {
        return;
    }
    let events = tells.iter().flat_map(|(events, _)| events.iter().cloned()).collect();
    let appended = parts.store.append(events, &parts.sealer).await;
    parts.watchers.committed();
    for (_, reply) in tells {
        let answer = match &appended {
            Ok(()) => Ok(Committed { session: None, head: None }),
            Err(StoreError::Unknown(cause)) => Err(SessionError::Unknown(cause.to_string().into())),
            Err(error) => Err(SessionError::Unavailable(error.to_string().into())),
        };
        let _ = reply.send(answer);
    }
}
