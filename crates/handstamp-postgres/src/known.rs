//! What a batch is decided on, and what its groups make of it: heads, and of records the stamps.

use std::collections::HashMap;

use handstamp_core::head::{Deployment, Head};
use handstamp_core::id::{SessionId, Subject};
use handstamp_core::record::Record;
use handstamp_core::store::rules::{self, After, Before};
use handstamp_core::store::{Group, Outcome};
use handstamp_core::time::Timestamp;
use sqlx::postgres::PgRow;

use crate::commit::Entry;
use crate::fault::Fault;
use crate::rows::{self, Columns, split};

/// What the rows say of all that a batch concerns, and what its groups have made of it so far.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) deployment: Deployment,
    pub(crate) heads: HashMap<Subject, Result<Kept, Fault>>,
    pub(crate) records: HashMap<SessionId, Result<Stamps, Fault>>,
}

/// A head, its stamp in the database, and whether it is to be written.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) head: Head,
    pub(crate) stamp: i64,
    pub(crate) is_changed: bool,
}

/// What a change of a record is decided by.
#[derive(Clone, Debug)]
pub(crate) struct Stamps {
    pub(crate) version: u64,
    subject: Option<Subject>,
    epoch: u64,
    deployment_epoch: u64,
    created_at: Timestamp,
    pub(crate) last_seen: Timestamp,
    ended_at: Option<i64>,
}

impl Stamps {
    fn of(record: &Record) -> Self {
        Self {
            version: record.version,
            subject: record.subject.clone(),
            epoch: record.epoch,
            deployment_epoch: record.deployment_epoch,
            created_at: record.created_at,
            last_seen: record.last_seen,
            ended_at: record.ended.as_ref().map(|ended| ended.at.as_millis()),
        }
    }

    fn read(
        columns: &mut Columns<'_>,
        subject: Result<Option<Subject>, Fault>,
    ) -> Result<Self, Fault> {
        Ok(Self {
            subject: subject?,
            version: columns.count("version")?,
            epoch: columns.count("epoch")?,
            deployment_epoch: columns.count("deployment_epoch")?,
            created_at: columns.time("created_at")?,
            last_seen: columns.time("last_seen")?,
            ended_at: columns.next("ended_at")?,
        })
    }

    /// A record with these stamps, and nothing else.
    fn record(&self, id: SessionId) -> Record {
        let mut record = rows::blank(id);
        record.subject.clone_from(&self.subject);
        record.version = self.version;
        record.epoch = self.epoch;
        record.deployment_epoch = self.deployment_epoch;
        record.created_at = self.created_at;
        record.last_seen = self.last_seen;
        record.ended = self.ended_at.map(rows::end_of);
        record
    }

    /// Whether it is of a session that has ended, which never changes again.
    pub(crate) const fn is_tombstone(&self) -> bool {
        self.ended_at.is_some()
    }
}

impl Known {
    /// Takes in rows of [`crate::commit::LOCK`] or [`crate::commit::LOOK`]; that of the deployment
    /// comes first.
    pub(crate) fn read(&mut self, rows: &[PgRow]) -> Result<(), Fault> {
        for row in rows {
            let mut columns = Columns::of(row);
            let id: Option<&[u8]> = columns.next("id")?;
            let subject = columns.subject();
            match (id, subject) {
                (None, Ok(None)) => {
                    columns.skip(1);
                    self.deployment = Deployment { epoch: columns.count("epoch")? };
                }
                (None, Ok(Some(subject))) => {
                    let kept = self.read_head(&mut columns, subject.clone());
                    self.heads.insert(subject, kept);
                }
                (None, Err(fault)) => return Err(fault),
                (Some(id), subject) => {
                    let id = id.try_into().map_err(|_| Fault::Stored("id"))?;
                    let stamps = Stamps::read(&mut columns, subject);
                    self.records.insert(SessionId::from_bytes(id), stamps);
                }
            }
        }
        Ok(())
    }

    fn read_head(&self, columns: &mut Columns<'_>, subject: Subject) -> Result<Kept, Fault> {
        let mut head = Head::new(subject);
        head.version = columns.count("version")?;
        head.epoch = columns.count("epoch")?;
        let stamp = columns.next("stamp")?;
        let (live, live_in) = (columns.count("live")?, columns.count("live_in")?);
        columns.skip(1);
        head.is_disabled = columns.next("is_disabled")?;
        head.roles = columns.next::<Option<&str>>("roles")?.map(split).transpose()?;
        let moved = columns.next::<Option<&str>>("moved")?.map(serde_json::from_str).transpose();
        head.moved = moved.map_err(|_| Fault::Stored("moved"))?;
        if live_in == self.deployment.epoch {
            head.live = u32::try_from(live).unwrap_or(u32::MAX);
        }
        Ok(Kept { head, stamp, is_changed: false })
    }

    /// The session that `group` replaces, if it was not made from what is known of it.
    pub(crate) fn overtakes(&self, group: &Group) -> Option<SessionId> {
        let id = group.record.as_ref()?.record().id;
        let stored = self.records.get(&id)?.as_ref().ok()?;
        rules::is_overtaken(group, &stored.record(id)).then_some(id)
    }

    /// Decides a group, and takes in what it makes of what is known.
    pub(crate) fn decide(&mut self, entry: &Entry) -> Result<After, Outcome> {
        let invalid = |fault: &Fault| Outcome::Invalid(fault.to_string());
        if let Err(why) = &entry.texts {
            return Err(Outcome::Invalid(why.clone()));
        }
        let group = &entry.group;
        let id = group.record.as_ref().map(|change| change.record().id);
        let stored = id.and_then(|id| Some((id, self.records.get(&id)?)));
        let stored = stored.map(|(id, stamps)| stamps.as_ref().map(|stamps| stamps.record(id)));
        let stored = stored.transpose().map_err(invalid)?;
        let kept = rules::subject(group).and_then(|subject| self.heads.get(subject));
        let head = kept.map(|kept| kept.as_ref().map(|kept| &kept.head)).transpose();
        let before = Before {
            record: stored.as_ref(),
            head: head.map_err(invalid)?,
            deployment: self.deployment,
        };
        let after = rules::decide(group.clone(), before)?;
        self.apply(&after);
        Ok(after)
    }

    fn apply(&mut self, after: &After) {
        if let Some(deployment) = after.deployment {
            self.deployment = deployment;
            self.heads.values_mut().flatten().for_each(|kept| kept.head.live = 0);
        }
        if let Some(head) = &after.head {
            let kept = self.heads.get(&head.subject).and_then(|kept| kept.as_ref().ok());
            let stamp = kept.map_or(0, |kept| kept.stamp);
            let kept = Kept { head: head.clone(), stamp, is_changed: true };
            self.heads.insert(head.subject.clone(), Ok(kept));
        }
        if let Some(record) = &after.record {
            self.records.insert(record.id, Ok(Stamps::of(record)));
        }
    }

    /// The heads that are to be written, each with its next stamp, in the order of their subjects.
    pub(crate) fn changed(&self) -> Vec<(Head, i64)> {
        let heads = self.heads.values().filter_map(|kept| kept.as_ref().ok());
        let changed = heads.filter(|kept| kept.is_changed);
        let mut changed: Vec<(Head, i64)> =
            changed.map(|kept| (kept.head.clone(), kept.stamp + 1)).collect();
        changed.sort_by(|(a, _), (b, _)| a.subject.cmp(&b.subject));
        changed
    }
}
