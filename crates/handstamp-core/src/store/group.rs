//! What a store is asked to change, and what it answers.

use std::fmt::Debug;
use std::sync::Arc;

use crate::chain::Sealer;
use crate::event::Event;
use crate::head::Head;
use crate::id::{ChangeId, Subject};
use crate::record::{Ended, Record};
use crate::roles::Roles;
use crate::store::Loaded;

/// Groups that travel together. The batch promises nothing beyond its groups.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The groups, at most one for each session id.
    pub groups: Vec<Group>,
    /// Seals the events.
    pub sealer: Sealer,
    /// Makes a replace again that was overtaken; without it, that is [`Outcome::Conflict`].
    pub remake: Option<Arc<dyn Remake>>,
}

impl Batch {
    /// These groups, none of which can be made again.
    pub const fn new(groups: Vec<Group>, sealer: Sealer) -> Self {
        Self { groups, sealer, remake: None }
    }
}

/// Makes a change of a session again from what is there, for whoever had an older version of it.
///
/// Whoever has to look first and then compares versions can lose to one who writes without a pause,
/// for ever. A store that asks while it holds the record still ends that: the change is applied the
/// first time, and who is next is a matter of who waits.
pub trait Remake: Debug + Send + Sync {
    /// The group at `place` of the batch, made from `current`: of the same session, depending on the
    /// same, with its own events. `None` leaves it a conflict. It may be asked again, if `current`
    /// was not what was changed in the end; it is quick, and calls no store.
    fn remake(&self, place: usize, current: &Loaded) -> Option<Group>;
}

/// One change: a record, its head and its events, applied together or not at all.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Names this attempt; stored with the record.
    pub change_id: ChangeId,
    /// Apply only if the group at this earlier place of the batch was applied.
    pub only_if: Option<usize>,
    /// The change of a head, applied first.
    pub head: Option<HeadChange>,
    /// The change of a record.
    pub record: Option<RecordChange>,
    /// Events that tell of the change. The store sets writer and number.
    pub events: Vec<Event>,
}

impl Group {
    /// A group that changes nothing yet.
    pub const fn new(change_id: ChangeId) -> Self {
        Self { change_id, only_if: None, head: None, record: None, events: Vec::new() }
    }
}

/// What happens to a record.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordChange {
    /// A session begins.
    Insert {
        /// Its record; version, epochs and change id are stamped by the store.
        record: Box<Record>,
        /// Refuse when so many sessions of the subject are live already.
        limit: Option<u32>,
    },
    /// A session changes or ends.
    Replace {
        /// What it becomes; version, epochs and change id are stamped by the store.
        record: Box<Record>,
        /// The version this was made from.
        expected: u64,
        /// What becomes of its epoch.
        epoch: EpochRule,
    },
}

impl RecordChange {
    /// The record to be stored.
    pub fn record(&self) -> &Record {
        match self {
            Self::Insert { record, .. } | Self::Replace { record, .. } => record,
        }
    }
}

/// What a replace does about the epoch of its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpochRule {
    /// Stays in its epoch, which must be the head's for it to stay live.
    Keep,
    /// Moves with the head change of the same group: the one session that an end-all spares.
    Adopt,
}

/// Whose head changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeadTarget {
    /// A subject's.
    Subject(Subject),
    /// The whole deployment's; only its epoch can move.
    Deployment,
}

/// What happens to a head. Every change counts its version up by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadChange {
    /// Whose.
    pub target: HeadTarget,
    /// Move the epoch on, for this reason: every earlier session is dead. The head keeps it as
    /// [`Head::moved`].
    pub bump_epoch: Option<Ended>,
    /// Set the flag.
    pub disabled: Option<bool>,
    /// Set what narrows the roles; `Some(None)` takes the narrowing away.
    pub roles: Option<Option<Roles>>,
}

impl HeadChange {
    /// A change of `target`'s head that changes nothing yet.
    pub const fn of(target: HeadTarget) -> Self {
        Self { target, bump_epoch: None, disabled: None, roles: None }
    }
}

/// What the store stamped on what it applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The record's version now; 0 when the group had none.
    pub version: u64,
    /// The record's epoch now; for a head change without a record, the epoch of that head.
    pub epoch: u64,
    /// The record's deployment epoch now; without a record, the deployment's.
    pub deployment_epoch: u64,
    /// The record's `last_seen` now; the default without a record.
    pub last_seen: crate::time::Timestamp,
    /// The subject's head after the change, where a subject is concerned.
    pub head: Option<Head>,
}

/// Why a head forbids a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The subject has as many live sessions as it may.
    Limit,
    /// The subject is disabled.
    Disabled,
    /// The session belongs to an epoch that is over.
    Epoch,
}

/// What came of a group.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// All of it was applied.
    Applied(Applied),
    /// Another version is there: this one.
    Conflict(Box<Loaded>),
    /// The session has ended: this is its tombstone.
    Ended(Box<Record>),
    /// The id to be inserted is there already.
    Exists,
    /// The record to be replaced is not there.
    Missing,
    /// The head forbids it.
    Refused(Refusal),
    /// The group it depends on was not applied.
    Skipped,
    /// The store cannot hold it; the text says why.
    Invalid(String),
}
