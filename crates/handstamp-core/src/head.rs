//! What a store keeps of a subject and of the whole deployment.

use serde::{Deserialize, Serialize};

use crate::id::Subject;
use crate::record::Ended;
use crate::roles::Roles;
use crate::time::Timestamp;

/// What a store keeps of a subject. A session is live only while its subject's head allows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Head {
    /// Whose head this is.
    pub subject: Subject,
    /// Counts changes of epoch, flag and roles. A subject without a stored head has version 0.
    pub version: u64,
    /// Sessions of an earlier epoch are dead.
    pub epoch: u64,
    /// No session of a disabled subject is live, and none begins.
    pub is_disabled: bool,
    /// Narrows the roles of every session; `None` leaves them as they are.
    pub roles: Option<Roles>,
    /// How many records of the current epoch have not ended.
    pub live: u32,
    /// Why, when and by whom the epoch last moved: what the sessions of the epoch before it
    /// answer until their tombstones follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<Ended>,
}

impl Head {
    /// Whether a session of `epoch` may be live.
    pub const fn allows(&self, epoch: u64) -> bool {
        !self.is_disabled && self.epoch == epoch
    }

    /// The head of a subject of whom nothing is stored yet.
    pub const fn new(subject: Subject) -> Self {
        Self {
            subject,
            version: 0,
            epoch: 0,
            is_disabled: false,
            roles: None,
            live: 0,
            moved: None,
        }
    }
}

/// What a store keeps of the whole deployment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Deployment {
    /// Sessions of another epoch are dead.
    pub epoch: u64,
}

impl Deployment {
    /// Once every session has ended at `at`. The epoch is then at least the second of that, so that
    /// a store that was restored from a backup comes to none that was given out since.
    #[must_use]
    pub fn moved(self, at: Timestamp) -> Self {
        let second = u64::try_from(at.as_millis() / 1000).unwrap_or_default();
        Self { epoch: self.epoch.saturating_add(1).max(second) }
    }
}
