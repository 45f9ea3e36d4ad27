//! Committing batches: locked, decided by the contract's rules, written, all in one transaction.

use std::collections::BTreeSet;
use std::sync::Arc;

use handstamp_core::chain::Sealer;
use handstamp_core::head::Head;
use handstamp_core::id::{SessionId, Subject};
use handstamp_core::store::rules::{self, After, Screen};
use handstamp_core::store::{
    Batch, Change, Found, Group, HeadTarget, Outcome, RecordChange, Remake,
};

use crate::desk::Sheet;
use crate::events::Line;
use crate::fault::Fault;
use crate::known::Known;
use crate::link::{Link, Transaction, With};
use crate::memory::{Memory, Missing};
use crate::rows::{self, Texts};
use crate::{changes, load};

/// Reads what a batch concerns: the deployment, heads, and of records what they are decided by.
macro_rules! stamps {
    ($heads:literal, $sessions:literal) => {
        concat!(
            "WITH h AS MATERIALIZED (
    SELECT subject, stamp, version, epoch, is_disabled, roles, live, live_in, moved FROM ",
            $heads,
            "
), s AS MATERIALIZED (
    SELECT id, version, subject, epoch, deployment_epoch, created_at, last_seen, ended_at FROM ",
            $sessions,
            "
)
SELECT NULL::BYTEA, NULL::TEXT, 0::BIGINT, epoch, 0::BIGINT, 0::BIGINT, 0::BIGINT, NULL::BIGINT,
    FALSE, NULL::TEXT, NULL::TEXT FROM handstamp.deployment
UNION ALL
SELECT NULL, subject, version, epoch, stamp, live, live_in, NULL, is_disabled, roles, moved FROM h
UNION ALL
SELECT id, subject, version, epoch, deployment_epoch, created_at, last_seen, ended_at, FALSE, NULL,
    NULL FROM s"
        )
    };
}

/// Locks it too: heads in the order of their subjects, then records in the order of their ids, as
/// everybody does. Whoever had to wait reads what the other has left.
const LOCK: &str = stamps!(
    "handstamp.heads WHERE subject = ANY ($1) ORDER BY subject FOR NO KEY UPDATE",
    "handstamp.sessions WHERE id = ANY ($2) AND (SELECT count(*) FROM h) >= 0
    ORDER BY id FOR NO KEY UPDATE"
);

/// Waits for nobody. One by one: it may be planned while the tables have nothing in them, and is to
/// go by the index all the same when they have.
const LOOK: &str = stamps!(
    "unnest($1::TEXT[]) AS one (asked)
    CROSS JOIN LATERAL (SELECT * FROM handstamp.heads WHERE subject = asked OFFSET 0) AS found",
    "unnest($2::BYTEA[]) AS one (asked)
    CROSS JOIN LATERAL (SELECT * FROM handstamp.sessions WHERE id = asked OFFSET 0) AS found"
);

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

    fn good(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.texts.is_ok())
    }

    /// Whom it concerns, in order.
    pub(crate) fn subjects(&self) -> impl Iterator<Item = &Subject> {
        let subjects: BTreeSet<&Subject> =
            self.good().filter_map(|entry| rules::subject(&entry.group)).collect();
        subjects.into_iter()
    }

    /// The sessions that it changes.
    pub(crate) fn changed(&self) -> impl Iterator<Item = SessionId> {
        let replaced = |entry: &Entry| entry.group.record.as_ref().map(|it| it.record().id);
        self.good().filter_map(replaced)
    }

    /// Locks what the batch concerns and decides its groups.
    pub(crate) async fn decide(&mut self, transaction: &mut Transaction) -> Result<Decided, Fault> {
        let subjects: Vec<&str> = self.subjects().map(Subject::as_str).collect();
        let ids: Vec<SessionId> = self.changed().collect();
        let ids: Vec<&[u8]> = ids.iter().map(|id| &id.as_bytes()[..]).collect();
        let mut known = Known::default();
        known.read(&transaction.rows(sqlx::query(LOCK).bind(subjects).bind(ids)).await?)?;
        self.remake(transaction, &known).await?;
        let mut decided = self.decide_on(known);
        self.complete(transaction, &mut decided.outcomes).await?;
        Ok(decided)
    }

    /// What it is likely to meet: from `memory`, and for the rest from the server. Of sessions that
    /// begin nothing is there.
    pub(crate) async fn foresee(&self, link: &Link, memory: &Memory) -> Result<Known, Fault> {
        let begins =
            |entry: &&Entry| matches!(entry.group.record, Some(RecordChange::Insert { .. }) | None);
        let replaced = self.good().filter(|entry| !begins(entry));
        let replaced = replaced.filter_map(|entry| entry.group.record.as_ref());
        let (mut known, Missing { subjects, ids }) =
            memory.recall(self.subjects(), replaced.map(|change| change.record().id));
        if !subjects.is_empty() || !ids.is_empty() {
            let subjects: Vec<&str> = subjects.into_iter().map(Subject::as_str).collect();
            let ids: Vec<&[u8]> = ids.iter().map(|id| &id.as_bytes()[..]).collect();
            let look = || sqlx::query(LOOK).bind(subjects.clone()).bind(ids.clone());
            known.read(&link.rows(look).await?)?;
        }
        Ok(known)
    }

    /// Decides the groups on what is known.
    pub(crate) fn decide_on(&self, mut known: Known) -> Decided {
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
        decided.known = known;
        decided
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
    /// What is known once it is written.
    pub(crate) known: Known,
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

    /// Whether every group is applied.
    pub(crate) fn is_whole(&self) -> bool {
        self.applied.len() == self.outcomes.len()
    }

    /// Where in the batch the groups stand that are to be written.
    pub(crate) fn places(&self) -> impl Iterator<Item = usize> {
        self.applied.iter().map(|(place, _)| *place)
    }

    /// What is to be written, of the group at `only` or of all.
    pub(crate) fn sheet<'a>(&'a self, commit: &'a Commit, only: Option<usize>) -> Sheet<'a> {
        let mut sheet = Sheet { deployment: self.known.deployment, ..Sheet::default() };
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
