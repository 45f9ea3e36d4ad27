//! Where a session outlives the program.

pub(crate) mod disk;
mod error;
mod file;
mod key;
#[cfg(feature = "keyring")]
mod keyring;
mod memory;
mod note;
#[cfg(feature = "keyring")]
mod question;
mod seal;

use std::fmt;
use std::path::PathBuf;

use handstamp_protocol::Time;
use serde::{Deserialize, Serialize};

pub use error::StorageError;
pub use file::SealedFile;
pub use key::{Cost, Passphrase, Policy, Protection, SealingKey};
#[cfg(feature = "keyring")]
pub use keyring::Keyring;
pub use memory::MemoryStorage;
pub use note::SealedNote;

use crate::random::{self, NoRandom};
use crate::session::Session;
use crate::token::Token;

/// Names one write: 192 random bits, so that a write is never taken for another one, also where
/// everything was removed in between.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Version(String);

impl Version {
    /// Of a new write.
    ///
    /// # Errors
    /// [`NoRandom`].
    pub fn fresh() -> Result<Self, NoRandom> {
        random::text().map(Self)
    }
}

/// Everything that is kept for one account.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Stored {
    /// The session, if somebody is signed in.
    #[serde(default)]
    pub session: Option<Session>,
    /// Sign-outs that the server has not heard of yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outbox: Vec<Revocation>,
}

impl Stored {
    /// Whether nothing needs to be kept.
    pub const fn is_empty(&self) -> bool {
        self.session.is_none() && self.outbox.is_empty()
    }
}

/// A sign-out that the server has yet to hear of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Revocation {
    /// The refresh token to be revoked; itself the authority to do so.
    pub token: Token,
    /// Since when; after its refresh lifetime there is nothing left to revoke.
    pub since: Time,
    /// When there is nothing left to revoke.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// Of which write; none if there is nothing.
    pub version: Option<Version>,
    /// What is kept.
    pub stored: Stored,
    /// Where a damaged file was put: by this call, if what is answered is the write before it; at
    /// some time since the last sign-out, if there is nothing. What is missing then was not signed
    /// out.
    pub set_aside: Option<PathBuf>,
}

/// What became of a replace.
#[derive(Debug)]
pub enum Replaced {
    /// It is kept, durably, as this version; none if there was nothing to keep.
    Stored(Option<Version>),
    /// Somebody else has written in between: this is what is there.
    Conflict(Box<Loaded>),
}

/// A lock, or why there is none.
pub enum Lock {
    /// It is ours until this is dropped.
    Held(Box<dyn Send>),
    /// Another process has it.
    Busy,
    /// Nobody else can be kept out here, as in a directory that knows no locks.
    Unsupported,
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Held(_) => "Held",
            Self::Busy => "Busy",
            Self::Unsupported => "Unsupported",
        })
    }
}

/// Keeps one account's session. Its calls may block: the manager makes them on threads for that.
///
/// # Contract
/// - Missing, locked, damaged and unreadable are four different answers. Only what is missing is
///   an empty [`Loaded`].
/// - A replace is atomic and durable: after a crash there is the old one or the new one. When it
///   fails the old one stands.
/// - What cannot be read is never overwritten by a replace; only [`clear`](Self::clear) removes it.
/// - No call blocks for ever.
pub trait Storage: Send + Sync + 'static {
    /// What is kept.
    ///
    /// # Errors
    /// [`StorageError`]; never for what is merely missing.
    fn load(&self) -> Result<Loaded, StorageError>;

    /// Keeps `stored` if what is there is still `expected`. Keeping what
    /// [`is_empty`](Stored::is_empty) removes everything.
    ///
    /// # Errors
    /// [`StorageError`]; what was there stays.
    fn replace(
        &self,
        expected: Option<&Version>,
        stored: &Stored,
    ) -> Result<Replaced, StorageError>;

    /// Removes everything, readable or not.
    ///
    /// # Errors
    /// [`StorageError::Io`] and [`StorageError::Busy`].
    fn clear(&self) -> Result<(), StorageError>;

    /// Tries to become the only one who refreshes, among all processes. Does not wait.
    ///
    /// # Errors
    /// [`StorageError::Io`].
    fn try_lock(&self) -> Result<Lock, StorageError>;

    /// Whether calls may take long enough to need a thread of their own: yes by default.
    fn is_blocking(&self) -> bool {
        true
    }
}
