//! Committing batches: each group decided by the contract's rules, then written.

use handstamp_core::chain::Sealer;
use handstamp_core::id::SessionId;
use handstamp_core::record::Record;
use handstamp_core::store::rules::{self, After, Before, Screen};
use handstamp_core::store::{Batch, Change, Group, Outcome, RecordChange, StoreError};
use rusqlite::Connection;

use crate::events::Line;
use crate::fault::Fault;
use crate::rows::{Texts, Write};
use crate::state::State;
use crate::writer::{Care, Reply, Work};
use crate::{changes, events, heads, load, rows, state};

/// A batch on its way to the writer. Texts are written here, in the caller's task: the writer is
/// the one thread that everybody waits for.
pub(crate) struct Commit {
    entries: Vec<Entry>,
    sealer: Sealer,
    outcomes: Vec<Outcome>,
    reply: Reply<Vec<Outcome>>,
}

/// A group with its texts; its events lie in `lines`.
struct Entry {
    group: Group,
    texts: Result<Option<Texts>, Fault>,
    lines: Vec<Line>,
}

impl Entry {
    fn of(mut group: Group) -> Self {
        let texts = group.record.as_ref().map(|change| Texts::of(change.record())).transpose();
        let lines = Line::all(std::mem::take(&mut group.events));
        let (texts, lines) = match lines {
            Ok(lines) => (texts, lines),
            Err(fault) => (Err(fault), Vec::new()),
        };
        Self { group, texts, lines }
    }
}

impl Commit {
    /// Prepares `batch`; its outcomes go to `reply`.
    pub(crate) fn of(batch: Batch, reply: Reply<Vec<Outcome>>) -> Self {
        let entries = batch.groups.into_iter().map(Entry::of).collect();
        Self { entries, sealer: batch.sealer, outcomes: Vec::new(), reply }
    }
}

impl Work for Commit {
    fn step(
        &mut self,
        connection: &Connection,
        state: &mut State,
        care: Care,
    ) -> Result<(), Fault> {
        self.outcomes.clear();
        let mut screen = Screen::new();
        let mut heard = Vec::new();
        for entry in &mut self.entries {
            let outcome = match screen.admit(&entry.group, &self.outcomes) {
                Err(outcome) => outcome,
                Ok(()) => apply(connection, state, entry, &mut heard, care)?,
            };
            self.outcomes.push(outcome);
        }
        let applied = self.entries.iter().zip(&self.outcomes);
        let applied = applied.filter(|(_, outcome)| matches!(outcome, Outcome::Applied(_)));
        let lines = applied.flat_map(|(entry, _)| &entry.lines);
        events::seal(connection, state, &self.sealer, lines)?;
        changes::note(connection, state, &heard)
    }

    fn settle(self: Box<Self>) -> Option<Box<dyn Work>> {
        let _ = self.reply.send(Ok(self.outcomes));
        None
    }

    fn fail(self: Box<Self>, error: StoreError) {
        let _ = self.reply.send(Err(error));
    }
}

/// Applies one group, if the rules let it.
fn apply(
    connection: &Connection,
    state: &mut State,
    entry: &mut Entry,
    heard: &mut Vec<Change>,
    care: Care,
) -> Result<Outcome, Fault> {
    let texts = match &entry.texts {
        Ok(texts) => texts.as_ref(),
        Err(fault) => return Ok(Outcome::Invalid(fault.to_string())),
    };
    let after = match decide(connection, state, &entry.group) {
        Ok(Ok(after)) => after,
        Ok(Err(outcome)) => return Ok(outcome),
        // Nothing is written yet, so what is damaged concerns nobody else.
        Err(fault) if fault.is_damage() => return Ok(Outcome::Invalid(fault.to_string())),
        Err(fault) => return Err(fault),
    };
    let how = match &entry.group.record {
        Some(RecordChange::Insert { .. }) => Write::Insert,
        _ => Write::Replace,
    };
    let written = match care {
        Care::Fast => write(connection, state, how, &after, texts, &mut entry.lines),
        Care::Isolated => set_apart(connection, state, |state| {
            write(connection, state, how, &after, texts, &mut entry.lines)
        }),
    };
    match written {
        Ok(()) => {
            heard.extend(after.changes);
            Ok(Outcome::Applied(after.applied))
        }
        Err(fault) if care == Care::Isolated && fault.is_local() => {
            Ok(Outcome::Invalid(fault.to_string()))
        }
        Err(fault) => Err(fault),
    }
}

/// What is to be written for `group`, or why nothing is.
fn decide(
    connection: &Connection,
    state: &State,
    group: &Group,
) -> Result<Result<After, Outcome>, Fault> {
    let deployment = state.deployment;
    let id = group.record.as_ref().map(|change| change.record().id);
    let record = id.map(|id| rows::find_stamps(connection, id)).transpose()?.flatten();
    let head = match rules::subject(group) {
        Some(subject) => heads::find(connection, subject, &deployment)?,
        None => None,
    };
    let before = Before { record: record.as_ref(), head: head.as_ref(), deployment };
    match (rules::decide(group.clone(), before), id) {
        (Err(outcome), Some(id)) => whole(connection, state, id, outcome).map(Err),
        (decided, _) => Ok(decided),
    }
}

/// Fills in what an outcome shows of the stored record, of which only the stamps were read.
fn whole(
    connection: &Connection,
    state: &State,
    id: SessionId,
    outcome: Outcome,
) -> Result<Outcome, Fault> {
    if !matches!(outcome, Outcome::Conflict(_) | Outcome::Ended(_)) {
        return Ok(outcome);
    }
    let loaded = load::loaded(connection, id, &state.deployment)?.ok_or(Fault::Stored("id"))?;
    Ok(match outcome {
        Outcome::Ended(_) => Outcome::Ended(Box::new(loaded.record)),
        _ => Outcome::Conflict(Box::new(loaded)),
    })
}

fn write(
    connection: &Connection,
    state: &mut State,
    how: Write,
    after: &After,
    texts: Option<&Texts>,
    lines: &mut [Line],
) -> Result<(), Fault> {
    let record: Option<(&Record, &Texts)> = after.record.as_deref().zip(texts);
    if let Some((record, texts)) = record {
        rows::write(connection, how, record, texts)?;
    }
    if let Some(deployment) = after.deployment {
        state::set_deployment(connection, &deployment)?;
        state.deployment = deployment;
    }
    if let Some(head) = &after.head {
        heads::write(connection, head, &state.deployment)?;
    }
    events::add(connection, state, lines)
}

/// Does `write` so that its failure takes back nothing but itself.
fn set_apart(
    connection: &Connection,
    state: &mut State,
    write: impl FnOnce(&mut State) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let before = state.clone();
    connection.execute_batch("SAVEPOINT one")?;
    let written = write(state);
    // Some faults end the whole transaction; then there is nothing left to go back to.
    if written.is_err() && !connection.is_autocommit() {
        *state = before;
        connection.execute_batch("ROLLBACK TO one")?;
    }
    if !connection.is_autocommit() {
        connection.execute_batch("RELEASE one")?;
    }
    written
}
