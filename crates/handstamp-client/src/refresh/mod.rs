//! Renewing tokens, so that of all tasks and processes that need it one does it.
//!
//! Three layers: one flight in this process, whose task goes on when its callers are gone; a lock
//! among processes, waited for with bounds; a compare-and-swap in the storage. The attempt id is
//! written down before the server is asked, so that whoever comes after a crash asks for the same
//! again.

mod flight;
mod pace;
mod run;

use std::sync::Arc;

use handstamp_protocol::Time;
use handstamp_protocol::sessions::Reason;

pub(crate) use flight::Flights;
pub(crate) use pace::Pace;

use crate::storage::StorageError;

/// What became of a refresh.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// The server handed out the next tokens.
    Refreshed,
    /// Somebody else had renewed them: another process, another task.
    Adopted,
    /// There was nothing to renew.
    StillValid,
    /// It could not be done now. The session stays.
    Transient {
        /// When the next try is made; before that nobody is asked.
        retry_at: Time,
    },
    /// What is kept could not be read or written, so that nobody was asked. The session stays.
    Blocked {
        /// Why.
        cause: Arc<StorageError>,
        /// When the next try is made.
        retry_at: Time,
    },
    /// There is no session any more: the server said so, or the user signed out.
    Rejected {
        /// Why, if the server said.
        reason: Option<Reason>,
    },
}

impl PartialEq for Outcome {
    /// Two that are blocked are the same if it is by the same failure.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Transient { retry_at: one }, Self::Transient { retry_at: other }) => {
                one == other
            }
            (Self::Blocked { cause: one, .. }, Self::Blocked { cause: other, .. }) => {
                Arc::ptr_eq(one, other)
            }
            (Self::Rejected { reason: one }, Self::Rejected { reason: other }) => one == other,
            (one, other) => std::mem::discriminant(one) == std::mem::discriminant(other),
        }
    }
}

impl Eq for Outcome {}
