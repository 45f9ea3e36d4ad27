//! Committing batches: locked, decided by the contract's rules, written, all in one transaction.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use handstamp_core::chain::Sealer;
use handstamp_core::head::{Deployment, Head};
use handstamp_core::id::{SessionId, Subject};
use handstamp_core::record::Record;
use handstamp_core::store::rules::{self, After, Before, Screen};
use handstamp_core::store::{Batch, Change, Found, Group, HeadTarget, Outcome, Remake};
use sqlx::postgres::PgRow;

use crate::desk::Sheet;
use crate::events::Line;
use crate::fault::Fault;
use crate::link::{Transaction, With};
use crate::rows::{self, Columns, Texts, split};
use crate::{changes, load};

/// Locks and reads what a batch concerns: heads in the order of their subjects, then records in the
/// order of their ids, as everybody does. Whoever had to wait reads what the other has left.
const LOCK: &str = "
WITH h AS MATERIALIZED (
    SELECT subject, stamp, version, epoch, is_disabled, roles, live, live_in, moved
    FROM handstamp.heads WHERE subject = ANY ($1) ORDER BY subject FOR NO KEY UPDATE
), s AS MATERIALIZED (
    SELECT id, version, subject, epoch, deployment_epoch, created_at, last_seen, ended_at
    FROM handstamp.sessions WHERE id = ANY ($2) AND (SELECT count(*) FROM h) >= 0
    ORDER BY id FOR NO KEY UPDATE
)
SELECT NULL::BYTEA, NULL::TEXT, 0::BIGINT, epoch, 0::BIGINT, 0::BIGINT, 0::BIGINT, NULL::BIGINT,
    FALSE, NULL::TEXT, NULL::TEXT FROM handstamp.deployment
UNION ALL
SELECT NULL, subject, version, epoch, stamp, live, live_in, NULL, is_disabled, roles, moved FROM h
UNION ALL
SELECT id, subject, version, epoch, deployment_epoch, created_at, last_seen, ended_at, FALSE, NULL,
    NULL FROM s";

/// A group with its texts; its events lie in `lines`.
pub(crate) struct Entry {
    pub(crate) group: Group,
    /// Its texts, or why it cannot be stored.
    pub(crate) texts: Result<Option<Texts>, String>,
    pub(crate) lines: Vec<Line>,
}

impl Entry {
    fn of(mut group: Group) -> Self {
        let texts = group.record.as_ref().map(|change| Texts::of(change.record())).transpose();
        let lines = Line::all(std::mem::take(&mut group.events));
        let head = rules::subject(&group).map_or(Ok(""), |subject| rows::fit(subject.as_str()));
        let (texts, lines) = match (texts, lines, head) {
            (Ok(texts), Ok(lines), Ok(_)) => (Ok(texts), lines),
            (Err(fault), ..) | (_, Err(fault), _) | (.., Err(fault)) => {
                (Err(fault.to_string()), Vec::new())
            }
        };
        Self { group, texts, lines }
    }
}

/// A batch with its texts.
pub(crate) struct Commit {
    pub(crate) entries: Vec<Entry>,
    pub(crate) sealer: Sealer,
    remake: Option<Arc<dyn Remake>>,
}

impl Commit {
    /// Prepares `batch`.
    pub(crate) fn of(batch: Batch) -> Self {
        let entries = batch.groups.into_iter().map(Entry::of).collect();
        Self { entries, sealer: batch.sealer, remake: batch.remake }
    }

    /// Who may be at work beside it.
    pub(crate) fn with(&self) -> With {
        let moves = |entry: &Entry| {
            let head = entry.group.head.as_ref();
            head.is_some_and(|change| matches!(change.target, HeadTarget::Deployment))
        };
        if self.entries.iter().any(moves) { With::Nobody } else { With::Commits }
    }

    /// Locks what the batch concerns and decides its groups.
    pub(crate) async fn decide(&mut self, transaction: &mut Transaction) -> Result<Decided, Fault> {
        let mut known = self.lock(transaction).await?;
        self.remake(transaction, &known).await?;
        let mut screen = Screen::new();
        let mut decided = Decided::default();
        for (place, entry) in self.entries.iter().enumerate() {
            let admitted = screen.admit(&entry.group, &decided.outcomes);
            match admitted.and_then(|()| known.decide(entry)) {
                Ok(after) => decided.apply(place, after),
                Err(outcome) => decided.outcomes.push(outcome),
            }
        }
        decided.heads = known.changed();
        decided.deployment = known.deployment;
        self.complete(transaction, &mut decided.outcomes).await?;
        Ok(decided)
    }

    /// Makes those groups again that another process has overtaken: nobody can any more.
    async fn remake(&mut self, transaction: &mut Transaction, known: &Known) -> Result<(), Fault> {
        let Some(remake) = &self.remake else { return Ok(()) };
        let (mut places, mut ids) = (Vec::new(), Vec::new());
        for (place, entry) in self.entries.iter().enumerate() {
            let id = known.overtakes(&entry.group).filter(|_| entry.texts.is_ok());
            places.extend(id.map(|_| place));
            ids.extend(id);
        }
        if ids.is_empty() {
            return Ok(());
        }
        let found = load::load_in(transaction, &ids).await?.found;
        for (place, found) in places.into_iter().zip(found) {
            if let Found::Record(current) = found
                && let Some(group) = remake.remake(place, &current)
                && let Some(entry) = self.entries.get_mut(place)
            {
                *entry = Entry::of(group);
            }
        }
        Ok(())
    }

    async fn lock(&self, transaction: &mut Transaction) -> Result<Known, Fault> {
        let good = || self.entries.iter().filter(|entry| entry.texts.is_ok());
        let subjects: BTreeSet<&str> =
            good().filter_map(|entry| rules::subject(&entry.group)).map(Subject::as_str).collect();
        let subjects: Vec<&str> = subjects.into_iter().collect();
        let ids: Vec<&[u8]> = good()
            .filter_map(|entry| entry.group.record.as_ref())
            .map(|change| &change.record().id.as_bytes()[..])
            .collect();
        let rows = transaction.rows(sqlx::query(LOCK).bind(subjects).bind(ids)).await?;
        Known::read(&rows)
    }

    /// Fills in what outcomes show of stored records, of which only the stamps were read.
    async fn complete(
        &self,
        transaction: &mut Transaction,
        outcomes: &mut [Outcome],
    ) -> Result<(), Fault> {
        let shows = |outcome: &Outcome| matches!(outcome, Outcome::Conflict(_) | Outcome::Ended(_));
        let pairs = self.entries.iter().zip(outcomes.iter_mut());
        let (ids, wanted): (Vec<SessionId>, Vec<&mut Outcome>) = pairs
            .filter(|(_, outcome)| shows(outcome))
            .filter_map(|(entry, outcome)| {
                Some((entry.group.record.as_ref()?.record().id, outcome))
            })
            .unzip();
        if ids.is_empty() {
            return Ok(());
        }
        let found = load::load_in(transaction, &ids).await?.found;
        for (outcome, found) in wanted.into_iter().zip(found) {
            *outcome = match (found, &outcome) {
                (Found::Record(loaded), Outcome::Ended(_)) => {
                    Outcome::Ended(Box::new(loaded.record))
                }
                (Found::Record(loaded), _) => Outcome::Conflict(loaded),
                (Found::Corrupt(why), _) => Outcome::Invalid(why),
                (Found::Missing, _) => Outcome::Missing,
            };
        }
        Ok(())
    }
}

/// What a batch comes to.
#[derive(Default)]
pub(crate) struct Decided {
    pub(crate) outcomes: Vec<Outcome>,
    applied: Vec<(usize, After)>,
    heads: Vec<(Head, i64)>,
    deployment: Deployment,
}

impl Decided {
    fn apply(&mut self, place: usize, after: After) {
        self.outcomes.push(Outcome::Applied(after.applied.clone()));
        self.applied.push((place, after));
    }

    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.applied.is_empty()
    }

    /// Where in the batch the groups stand that are to be written.
    pub(crate) fn places(&self) -> impl Iterator<Item = usize> {
        self.applied.iter().map(|(place, _)| *place)
    }

    /// What is to be written, of the group at `only` or of all.
    pub(crate) fn sheet<'a>(&'a self, commit: &'a Commit, only: Option<usize>) -> Sheet<'a> {
        let mut sheet = Sheet { deployment: self.deployment, ..Sheet::default() };
        let mut changes: Vec<&Change> = Vec::new();
        for (place, after) in &self.applied {
            let Some(entry) = commit.entries.get(*place) else { continue };
            if only.is_some_and(|only| only != *place) {
                continue;
            }
            let texts = entry.texts.as_ref().ok().and_then(Option::as_ref);
            sheet.records.extend(after.record.as_deref().zip(texts));
            sheet.lines.extend(&entry.lines);
            changes.extend(&after.changes);
        }
        let of_it = |subject: &Subject| {
            only.is_none_or(|only| {
                let entry = commit.entries.get(only);
                entry.and_then(|entry| rules::subject(&entry.group)) == Some(subject)
            })
        };
        let heads = self.heads.iter().filter(|(head, _)| of_it(&head.subject));
        sheet.heads.extend(heads.map(|(head, stamp)| (head, *stamp)));
        sheet.changes = changes::line(&changes);
        sheet
    }
}

/// What the rows say of all that a batch concerns, and what its groups have made of it so far.
struct Known {
    deployment: Deployment,
    heads: HashMap<Subject, Kept>,
    records: HashMap<SessionId, Result<Record, Fault>>,
}

/// A head, its stamp in the database, and whether it is to be written.
struct Kept {
    head: Result<Head, Fault>,
    stamp: i64,
    is_changed: bool,
}

impl Known {
    fn read(rows: &[PgRow]) -> Result<Self, Fault> {
        let deployment = Deployment::default();
        let mut known = Self { deployment, heads: HashMap::new(), records: HashMap::new() };
        for row in rows {
            let mut columns = Columns::of(row);
            let id: Option<&[u8]> = columns.next("id")?;
            let subject = columns.subject();
            match (id, subject) {
                (None, Ok(None)) => {
                    columns.skip(1);
                    known.deployment = Deployment { epoch: columns.count("epoch")? };
                }
                (None, Ok(Some(subject))) => {
                    let kept = known.read_head(&mut columns, subject.clone())?;
                    known.heads.insert(subject, kept);
                }
                (None, Err(fault)) => return Err(fault),
                (Some(id), subject) => {
                    let id = id.try_into().map_err(|_| Fault::Stored("id"))?;
                    let id = SessionId::from_bytes(id);
                    known.records.insert(id, read_stamps(&mut columns, id, subject));
                }
            }
        }
        Ok(known)
    }

    /// The row of the deployment comes first, so the epoch is known.
    fn read_head(&self, columns: &mut Columns<'_>, subject: Subject) -> Result<Kept, Fault> {
        let mut head = Head::new(subject);
        head.version = columns.count("version")?;
        head.epoch = columns.count("epoch")?;
        let stamp = columns.next("stamp")?;
        let (live, live_in) = (columns.count("live")?, columns.count("live_in")?);
        columns.skip(1);
        head.is_disabled = columns.next("is_disabled")?;
        let roles = columns.next::<Option<&str>>("roles")?.map(split).transpose();
        let moved = columns.next::<Option<&str>>("moved")?.map(serde_json::from_str).transpose();
        if live_in == self.deployment.epoch {
            head.live = u32::try_from(live).unwrap_or(u32::MAX);
        }
        let head = roles.and_then(|roles| {
            let moved = moved.map_err(|_| Fault::Stored("moved"))?;
            Ok(Head { roles, moved, ..head })
        });
        Ok(Kept { head, stamp, is_changed: false })
    }

    /// The session that a group replaces and was overtaken in.
    fn overtakes(&self, group: &Group) -> Option<SessionId> {
        let id = group.record.as_ref()?.record().id;
        let stored = self.records.get(&id)?.as_ref().ok()?;
        rules::is_overtaken(group, stored).then_some(id)
    }

    fn decide(&mut self, entry: &Entry) -> Result<After, Outcome> {
        let invalid = |fault: &Fault| Outcome::Invalid(fault.to_string());
        if let Err(why) = &entry.texts {
            return Err(Outcome::Invalid(why.clone()));
        }
        let group = &entry.group;
        let id = group.record.as_ref().map(|change| change.record().id);
        let record = id.and_then(|id| self.records.get(&id)).map(Result::as_ref).transpose();
        let kept = rules::subject(group).and_then(|subject| self.heads.get(subject));
        let head = kept.map(|kept| kept.head.as_ref()).transpose();
        let before = Before {
            record: record.map_err(invalid)?,
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
            for kept in self.heads.values_mut() {
                if let Ok(head) = &mut kept.head {
                    head.live = 0;
                }
            }
        }
        if let Some(head) = &after.head {
            let stamp = self.heads.get(&head.subject).map_or(0, |kept| kept.stamp);
            let kept = Kept { head: Ok(head.clone()), stamp, is_changed: true };
            self.heads.insert(head.subject.clone(), kept);
        }
    }

    /// The heads that are to be written, each with its next stamp, in the order of their subjects.
    fn changed(&mut self) -> Vec<(Head, i64)> {
        let changed = self.heads.drain().filter(|(_, kept)| kept.is_changed);
        let mut changed: Vec<(Head, i64)> =
            changed.filter_map(|(_, kept)| Some((kept.head.ok()?, kept.stamp + 1))).collect();
        changed.sort_by(|(a, _), (b, _)| a.subject.cmp(&b.subject));
        changed
    }
}

fn read_stamps(
    columns: &mut Columns<'_>,
    id: SessionId,
    subject: Result<Option<Subject>, Fault>,
) -> Result<Record, Fault> {
    let mut record = rows::blank(id);
    record.subject = subject?;
    record.version = columns.count("version")?;
    record.epoch = columns.count("epoch")?;
    record.deployment_epoch = columns.count("deployment_epoch")?;
    record.created_at = columns.time("created_at")?;
    record.last_seen = columns.time("last_seen")?;
    record.ended = columns.next::<Option<i64>>("ended_at")?.map(rows::end_of);
    Ok(record)
}
