//! Renewing tokens, so that of all tasks and processes that need it one does it.
//!
//! Three layers: one flight in this process, whose task goes on when its callers are gone; a lock
//! among processes, waited for with bounds; a compare-and-swap in the storage. The attempt id is
//! written down before the server is asked, so that whoever comes after a crash asks for the same
//! again.

mod flight;
mod pace;
mod run;

use handstamp_protocol::Time;
use handstamp_protocol::sessions::Reason;

pub(crate) use flight::Flights;
pub(crate) use pace::Pace;

/// What became of a refresh.
#[derive(Clone, PartialEq, Eq, Debug)]
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
    /// There is no session any more: the server said so, or the user signed out.
    Rejected {
        /// Why, if the server said.
        reason: Option<Reason>,
    },
}
