//! The rules of the contract by which a group is applied or not, as pure functions: for the
//! authors of stores.
//!
//! A store that can hold what a group concerns still while it thinks (a mutex, a write
//! transaction) needs only three calls for each group of a batch, in order:
//!
//! 1. [`Screen::admit`]: is the group well formed and does it depend on nothing that failed?
//! 2. look up the record under its id, the head of its [`subject`] and the deployment's: [`Before`];
//! 3. [`decide`]: what to write ([`After`]), or the [`Outcome`] that says why nothing is written.
//!
//! A store that decides elsewhere (a script inside the database) has them to compare itself with.

use std::collections::HashSet;

use crate::event::Event;
use crate::head::{Deployment, Head};
use crate::id::{ChangeId, IdBuildHasher, SessionId, Subject};
use crate::record::Record;
use crate::store::{
    Applied, Change, EpochRule, Group, HeadChange, HeadTarget, Loaded, Outcome, RecordChange,
    Refusal,
};
use crate::time::Timestamp;

/// What a store holds of all that a group concerns, before the group.
#[derive(Clone, Copy, Debug)]
pub struct Before<'a> {
    /// What stands under the id of the group's record change.
    pub record: Option<&'a Record>,
    /// The stored head of the group's [`subject`], if there is one. Its live count is that of the
    /// deployment's present epoch: nil once that epoch has moved.
    pub head: Option<&'a Head>,
    /// The deployment's head.
    pub deployment: Deployment,
}

/// What a store writes, all of it or nothing, to apply a group.
#[derive(Clone, PartialEq, Debug)]
pub struct After {
    /// The record to be stored under its id, stamped.
    pub record: Option<Box<Record>>,
    /// The head to be stored; the subject's head is as it was when this is `None`.
    pub head: Option<Head>,
    /// The deployment's head to be stored, with which the live count of **every** head becomes
    /// nil, except for [`head`](Self::head), which has counted already.
    pub deployment: Option<Deployment>,
    /// What the change log hears.
    pub changes: Vec<Change>,
    /// The events, to be numbered and sealed.
    pub events: Vec<Event>,
    /// What the committer hears.
    pub applied: Applied,
}

/// Goes through a batch group by group and turns away what cannot be meant.
#[derive(Clone, Debug, Default)]
pub struct Screen {
    seen: HashSet<SessionId, IdBuildHasher>,
}

impl Screen {
    /// A screen for one batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether `group`, the next of the batch, may be decided, `outcomes` being those of the
    /// groups before it.
    ///
    /// # Errors
    /// The outcome of the group: [`Outcome::Invalid`] when it is the second for one session (C18)
    /// or contradicts itself, [`Outcome::Skipped`] when what it depends on was not applied (C17).
    pub fn admit(&mut self, group: &Group, outcomes: &[Outcome]) -> Result<(), Outcome> {
        let id = group.record.as_ref().map(|change| change.record().id);
        if id.is_some_and(|id| !self.seen.insert(id)) {
            return Err(invalid("two groups of a batch are for one session"));
        }
        check_shape(group)?;
        match group.only_if.map(|place| outcomes.get(place)) {
            None | Some(Some(Outcome::Applied(_))) => Ok(()),
            Some(Some(_)) => Err(Outcome::Skipped),
            Some(None) => Err(invalid("a group can depend only on one before it")),
        }
    }
}

fn invalid(why: &str) -> Outcome {
    Outcome::Invalid(why.into())
}

/// Refuses groups that contradict themselves, whatever is stored.
fn check_shape(group: &Group) -> Result<(), Outcome> {
    let of_record = group.record.as_ref().map(|change| change.record().subject.as_ref());
    if let Some(change) = &group.head {
        match &change.target {
            HeadTarget::Deployment if change.disabled.is_some() || change.roles.is_some() => {
                return Err(invalid("of the deployment's head only the epoch can move"));
            }
            HeadTarget::Subject(target) if of_record.is_some_and(|is| is != Some(target)) => {
                return Err(invalid("a group concerns one subject"));
            }
            _ => {}
        }
    }
    match &group.record {
        Some(RecordChange::Insert { record, .. }) if record.is_tombstone() => {
            Err(invalid("a session does not begin as a tombstone"))
        }
        _ => Ok(()),
    }
}

/// The subject whose head a group concerns.
pub fn subject(group: &Group) -> Option<&Subject> {
    match (&group.head, &group.record) {
        (Some(HeadChange { target: HeadTarget::Subject(subject), .. }), _) => Some(subject),
        (_, Some(change)) => change.record().subject.as_ref(),
        _ => None,
    }
}

/// Whether `group` replaces a live record, `stored`, that it was not made from: a batch that can makes
/// it again before it is admitted (C44).
pub fn is_overtaken(group: &Group, stored: &Record) -> bool {
    match &group.record {
        Some(RecordChange::Replace { record, expected, .. }) => {
            record.id == stored.id && *expected != stored.version && !stored.is_tombstone()
        }
        _ => false,
    }
}

/// Decides a group that a [`Screen`] has admitted.
///
/// # Errors
/// The outcome that says why nothing is to be written.
pub fn decide(group: Group, before: Before<'_>) -> Result<After, Outcome> {
    let old = Heads {
        subject: subject(&group)
            .map(|subject| before.head.cloned().unwrap_or_else(|| Head::new(subject.clone()))),
        deployment: before.deployment,
    };
    let mut new = match &group.head {
        Some(change) => apply_head_change(&old, change),
        None => old.clone(),
    };
    let record = match group.record {
        None => None,
        Some(RecordChange::Insert { record, limit }) => {
            Some(decide_insert(record, limit, before.record, &mut new)?)
        }
        Some(RecordChange::Replace { record, expected, epoch }) => {
            let at = Replacing { expected, epoch, stored: before.record, old: &old };
            Some(decide_replace(record, at, &mut new)?)
        }
    };
    let record = record.map(|record| stamped(record, group.change_id));
    let changes = changes(group.head.as_ref(), &new, record.as_deref());
    let applied = applied(&new, record.as_deref());
    let deployment = (new.deployment != old.deployment).then_some(new.deployment);
    // An insert makes the head even if it changes nothing in it.
    let head =
        new.subject.filter(|head| old.subject.as_ref() != Some(head) || before.head.is_none());
    Ok(After { record, head, deployment, changes, events: group.events, applied })
}

fn stamped(mut record: Box<Record>, change_id: ChangeId) -> Box<Record> {
    record.change_id = change_id;
    record
}

/// The two heads that decide about a session.
#[derive(Clone, PartialEq, Debug)]
pub struct Heads {
    /// The subject's; `None` for a session without a subject.
    pub subject: Option<Head>,
    /// The deployment's.
    pub deployment: Deployment,
}

impl Heads {
    /// Whether `record` is of the present epochs.
    pub fn is_current(&self, record: &Record) -> bool {
        record.deployment_epoch == self.deployment.epoch
            && self.subject.as_ref().is_none_or(|head| record.epoch == head.epoch)
    }

    /// Why these heads forbid that `record` goes on, if they do (C12). That the subject is
    /// disabled is said before that the epoch is over.
    pub fn refusal(&self, record: &Record) -> Option<Refusal> {
        match &self.subject {
            Some(head) if head.is_disabled => Some(Refusal::Disabled),
            _ if !self.is_current(record) => Some(Refusal::Epoch),
            _ => None,
        }
    }

    /// Whether the head's live count counts `record` (C14).
    pub fn counts(&self, record: &Record) -> bool {
        !record.is_tombstone() && self.is_current(record)
    }

    fn stamp(&self, record: &mut Record) {
        record.epoch = self.subject.as_ref().map_or(0, |head| head.epoch);
        record.deployment_epoch = self.deployment.epoch;
    }

    fn recount(&mut self, was_counted: bool, is_counted: bool) {
        let Some(head) = &mut self.subject else { return };
        match (was_counted, is_counted) {
            (false, true) => head.live = head.live.saturating_add(1),
            (true, false) => head.live = head.live.saturating_sub(1),
            _ => {}
        }
    }
}

/// The heads after `change` (C14, C16). A target that is not among `heads` changes nothing.
pub fn apply_head_change(heads: &Heads, change: &HeadChange) -> Heads {
    let mut heads = heads.clone();
    match (&change.target, &mut heads.subject) {
        (HeadTarget::Subject(_), Some(head)) => {
            head.version = head.version.saturating_add(1);
            head.is_disabled = change.disabled.unwrap_or(head.is_disabled);
            if let Some(roles) = &change.roles {
                head.roles.clone_from(roles);
            }
            if let Some(moved) = &change.bump_epoch {
                head.epoch = head.epoch.saturating_add(1);
                head.live = 0;
                head.moved = Some(moved.clone());
            }
        }
        (HeadTarget::Deployment, head) => {
            if let Some(moved) = &change.bump_epoch {
                heads.deployment = heads.deployment.moved(moved.at);
                if let Some(head) = head {
                    head.live = 0;
                }
            }
        }
        _ => {}
    }
    heads
}

/// Decides an insert under `heads`, which have changed already and in which it is counted
/// (C05–C08). `stored` is what stands under its id. Answers the record with its stamps.
///
/// # Errors
/// [`Outcome::Exists`], or [`Outcome::Refused`] by the flag or by the limit.
pub fn decide_insert(
    mut record: Box<Record>,
    limit: Option<u32>,
    stored: Option<&Record>,
    heads: &mut Heads,
) -> Result<Box<Record>, Outcome> {
    if stored.is_some() {
        return Err(Outcome::Exists);
    }
    if let Some(head) = &heads.subject {
        if head.is_disabled {
            return Err(Outcome::Refused(Refusal::Disabled));
        }
        if limit.is_some_and(|limit| head.live >= limit) {
            return Err(Outcome::Refused(Refusal::Limit));
        }
    }
    record.version = 1;
    heads.stamp(&mut record);
    heads.recount(false, true);
    Ok(record)
}

/// What a replace is decided on, beside what the record becomes.
#[derive(Clone, Copy, Debug)]
pub struct Replacing<'a> {
    /// The version that the change was made from.
    pub expected: u64,
    /// What becomes of the record's epoch.
    pub epoch: EpochRule,
    /// What stands under the id.
    pub stored: Option<&'a Record>,
    /// The heads before the group's head change.
    pub old: &'a Heads,
}

/// Decides a replace under `heads`, which have changed already and in which it is counted
/// (C09–C15). Answers the record with its stamps.
///
/// # Errors
/// [`Outcome::Missing`], [`Outcome::Ended`], [`Outcome::Invalid`] for another subject or beginning,
/// [`Outcome::Conflict`], [`Outcome::Refused`]: the first that is the case.
pub fn decide_replace(
    mut record: Box<Record>,
    at: Replacing<'_>,
    heads: &mut Heads,
) -> Result<Box<Record>, Outcome> {
    let stored = replaceable(&record, at)?;
    record.epoch = stored.epoch;
    record.deployment_epoch = stored.deployment_epoch;
    // Only a session that was current is spared: an end-all cannot revive another's victim.
    if at.epoch == EpochRule::Adopt && !record.is_tombstone() && at.old.is_current(stored) {
        heads.stamp(&mut record);
    }
    if !record.is_tombstone()
        && let Some(refusal) = heads.refusal(&record)
    {
        return Err(Outcome::Refused(refusal));
    }
    record.version = stored.version.saturating_add(1);
    record.last_seen = record.last_seen.max(stored.last_seen);
    heads.recount(heads.counts(stored), heads.counts(&record));
    Ok(record)
}

/// What stands under the id of `record`, if it is what the change was made from.
fn replaceable<'a>(record: &Record, at: Replacing<'a>) -> Result<&'a Record, Outcome> {
    let stored = at.stored.ok_or(Outcome::Missing)?;
    if stored.is_tombstone() {
        return Err(Outcome::Ended(Box::new(stored.clone())));
    }
    if record.subject != stored.subject || record.created_at != stored.created_at {
        return Err(invalid("a session changes neither its subject nor when it began"));
    }
    if stored.version != at.expected {
        let loaded = Loaded { record: stored.clone(), head: at.old.subject.clone() };
        return Err(Outcome::Conflict(Box::new(loaded)));
    }
    Ok(stored)
}

/// What the change log hears of an applied group: the head's change before the record's.
fn changes(change: Option<&HeadChange>, heads: &Heads, record: Option<&Record>) -> Vec<Change> {
    let of_head = change.and_then(|change| match (&change.target, &heads.subject) {
        (HeadTarget::Deployment, _) => Some(Change::Deployment { epoch: heads.deployment.epoch }),
        (HeadTarget::Subject(_), head) => head.as_ref().map(|head| Change::Subject {
            subject: head.subject.clone(),
            version: head.version,
            epoch: head.epoch,
        }),
    });
    let of_record = record.map(|record| Change::Session {
        id: record.id,
        version: record.version,
        generation: record.lineage.generation,
        min_generation: record.min_generation(),
        is_ended: record.is_tombstone(),
    });
    of_head.into_iter().chain(of_record).collect()
}

fn applied(heads: &Heads, record: Option<&Record>) -> Applied {
    let head_epoch = heads.subject.as_ref().map_or(0, |head| head.epoch);
    Applied {
        version: record.map_or(0, |record| record.version),
        epoch: record.map_or(head_epoch, |record| record.epoch),
        deployment_epoch: record.map_or(heads.deployment.epoch, |record| record.deployment_epoch),
        last_seen: record.map_or_else(Timestamp::default, |record| record.last_seen),
        head: heads.subject.clone(),
    }
}

/// Whether a touch at `at` moves `record` (C24, C25).
pub fn can_touch(record: &Record, at: Timestamp) -> bool {
    !record.is_tombstone() && at > record.last_seen && record.due_at() > at
}
