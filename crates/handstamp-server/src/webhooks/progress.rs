//! How far a webhook has come in the audit log, and how it fares.

use std::collections::BTreeMap;
use std::sync::Arc;

use handstamp_core::data::DataError;
use handstamp_core::ledger::{Ledger, LedgerError, LedgerExt, Put};
use handstamp_core::time::Timestamp;
use serde::{Deserialize, Serialize};

const SHELF: &str = "webhook_progress";

/// A place in the log of one writer: after all of batch `batch`, and of the next one after the
/// event of number `event`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
pub(super) struct Position {
    pub(super) batch: u64,
    pub(super) event: u64,
}

/// What is kept of the way of one webhook.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Progress {
    /// How far it has come, by writer; a writer that is not named wrote nothing before.
    pub(super) positions: BTreeMap<u32, Position>,
    /// Since when nothing was taken.
    pub(super) failing_since: Option<Timestamp>,
}

impl Progress {
    /// The way of one that begins behind what is there now.
    pub(super) fn behind(ends: &BTreeMap<u32, u64>) -> Self {
        let position = |batch: &u64| Position { batch: *batch, event: 0 };
        let positions = ends.iter().map(|(writer, batch)| (*writer, position(batch))).collect();
        Self { positions, failing_since: None }
    }

    /// Moves on to `positions` where those are farther.
    pub(super) fn be_at_least(&mut self, positions: &BTreeMap<u32, Position>) {
        for (writer, theirs) in positions {
            let ours = self.positions.entry(*writer).or_default();
            *ours = (*ours).max(*theirs);
        }
    }

    /// Reads it, with its version; 0 if there is nothing.
    pub(super) async fn read(
        ledger: &Arc<dyn Ledger>,
        hook: &str,
    ) -> Result<(Self, u64), LedgerError> {
        Ok(ledger.find(SHELF, hook).await?.unwrap_or_default())
    }

    /// Puts it in the place of that version.
    pub(super) fn put(&self, hook: &str, version: u64) -> Result<Put, DataError> {
        let put = Put::new(SHELF, hook, self)?;
        Ok(if version == 0 { put.if_absent() } else { put.if_version(version) })
    }

    /// Removes it.
    pub(super) fn removal(hook: &str) -> Put {
        Put::removal(SHELF, hook)
    }

    /// Forgets failures: somebody says that all is well now.
    pub(super) async fn forgive(ledger: &Arc<dyn Ledger>, hook: &str) -> Result<(), LedgerError> {
        let forgive = |stored: &mut Option<Self>| {
            if let Some(progress) = stored {
                progress.failing_since = None;
            }
        };
        ledger.update(SHELF, hook, forgive).await
    }
}
