//! A session in a file.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::seal::{self, Account, Derived, Sealer, Unopened};
use super::{
    Loaded, Lock, Protection, Replaced, Revocation, Storage, StorageError, Stored, Version, disk,
};
use crate::fail;
use crate::session::Session;
use crate::wiped::Wiped;

/// One account's session in a sealed file, shared by every process that opens it.
///
/// Beside the file (`NAME`) there may be: `NAME.previous`, the write before, from which a damaged
/// file is replaced; `NAME.lock` and `NAME.refresh-lock`, which are empty; `NAME.damaged-…`, a
/// file that was set aside, until the next sign-out. All are for their owner only.
///
/// # Security
/// The body is sealed by XChaCha20-Poly1305 under a key that does not lie beside it, and the
/// header (format, account, cost of the passphrase) is authenticated with it. An older file of the
/// same account that is put back cannot be told from the newest: the server finds that out, by the
/// generation. Tokens on their way to and from the file leave nothing in memory; cookies do.
pub struct SealedFile {
    path: PathBuf,
    account: Account,
    protection: Protection,
    derived: Mutex<Option<Derived>>,
    patience: Duration,
}

/// How long a writer waits for another one, whose work takes some milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// What lies about for so long was left by a program that is gone.
const LEFT: Duration = Duration::from_secs(60);

/// What is written to see whether it can be, in bytes: more than a session of few cookies needs.
const PROBE: usize = 16 * 1024;

/// What the body of a file holds.
#[derive(Serialize)]
struct BodyRef<'a> {
    version: &'a Version,
    #[serde(flatten)]
    stored: &'a Stored,
}

/// The same, read. To flatten would be to copy every text once more on the way, and the copies would
/// stay in memory.
#[derive(Deserialize)]
struct Body {
    version: Version,
    #[serde(default)]
    session: Option<Session>,
    #[serde(default)]
    outbox: Vec<Revocation>,
}

impl SealedFile {
    /// The session of the account `default` in this file. Nothing is read yet.
    pub fn new(path: impl Into<PathBuf>, protection: Protection) -> Self {
        let account = seal::account("default");
        let derived = Mutex::new(None);
        Self { path: path.into(), account, protection, derived, patience: PATIENCE }
    }

    /// How long to wait for another process that writes: 2 s by default, then
    /// [`StorageError::Busy`]. It needs some milliseconds, unless it was stopped.
    #[must_use]
    pub const fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The same for another account. A file of one account does not open as another's.
    #[must_use]
    pub fn for_account(mut self, name: &str) -> Self {
        self.account = seal::account(name);
        self
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether what is written now would be sealed. Asks the keyring, makes the key there if there
    /// is none, opens what lies there, and writes and removes a file beside it: call it before a
    /// sign-in, so that its answer does not get lost for want of a place to keep it.
    ///
    /// # Errors
    /// As [`load`](Storage::load), and [`StorageError::Io`] where nothing can be written.
    pub fn probe(&self) -> Result<bool, StorageError> {
        let means = self.protection.means()?;
        self.load()?;
        drop(disk::Fresh::write(&self.path, &[0; PROBE])?);
        Ok(!matches!(means, super::key::Means::Plain))
    }

    /// Whether what lies there is sealed; none if nothing does. Asks no keyring and opens nothing.
    ///
    /// # Errors
    /// As [`load`](Storage::load), of the file itself.
    pub fn is_sealed(&self) -> Result<Option<bool>, StorageError> {
        Ok(disk::read(&self.path)?.map(|file| seal::is_sealed(&file)))
    }

    fn seal<R>(&self, act: impl FnOnce(&mut Sealer<'_>) -> R) -> R {
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut Sealer {
            account: self.account,
            protection: &self.protection,
            derived: &mut derived,
        })
    }

    fn read(&self, path: &Path) -> Result<Option<Loaded>, Unopened> {
        let Some(bytes) = disk::read(path)? else { return Ok(None) };
        let body = self.seal(|sealer| sealer.open(&bytes))?;
        let body: Body = serde_json::from_slice(&body).map_err(|_| Unopened::Damaged)?;
        let Body { version, session, outbox } = body;
        let stored = Stored { session, outbox };
        Ok(Some(Loaded { version: Some(version), stored, set_aside: None }))
    }

    fn lock(&self) -> Result<Lock, StorageError> {
        disk::lock(&self.beside(".lock"), self.patience)
    }

    fn previous(&self) -> PathBuf {
        self.beside(".previous")
    }

    fn beside(&self, addition: &str) -> PathBuf {
        disk::beside(&self.path, addition)
    }

    /// What is there. Under the lock of writers.
    fn found(&self) -> Result<Loaded, StorageError> {
        match self.read(&self.path) {
            Ok(Some(found)) => Ok(found),
            Ok(None) => self.missed(),
            Err(Unopened::Refused(error)) => Err(error),
            Err(Unopened::Damaged) => self.mend(),
        }
    }

    /// Puts a damaged file aside and the one before it in its place, if that is whole.
    fn mend(&self) -> Result<Loaded, StorageError> {
        let Some(before) = self.before()? else {
            return Err(StorageError::Damaged {
                set_aside: disk::set_aside(&self.path, &self.path)?,
            });
        };
        // A second name, so that there is no moment without a file.
        let set_aside = disk::link_aside(&self.path)?;
        fail::point("damaged file named");
        disk::put_back(&self.previous(), &self.path)?;
        fail::point("file before last in place");
        Ok(Loaded { set_aside: Some(set_aside), ..before })
    }

    /// What is to be made of a file that is missing. Whoever signs out removes the one before it
    /// first, and what was set aside: if either is there, the file was lost.
    fn missed(&self) -> Result<Loaded, StorageError> {
        let before = self.before()?;
        if before.is_some() {
            disk::put_back(&self.previous(), &self.path)?;
        }
        let set_aside = disk::damaged(&self.path)?;
        Ok(Loaded { set_aside, ..before.unwrap_or_default() })
    }

    /// The write before the last one, if it is kept and whole.
    fn before(&self) -> Result<Option<Loaded>, StorageError> {
        match self.read(&self.previous()) {
            Ok(before) => Ok(before),
            Err(Unopened::Refused(error)) => Err(error),
            Err(Unopened::Damaged) => {
                disk::set_aside(&self.previous(), &self.path)?;
                Ok(None)
            }
        }
    }

    fn write(
        &self,
        found: &Loaded,
        stored: &Stored,
        is_alone: bool,
    ) -> Result<Replaced, StorageError> {
        let previous = self.previous();
        // Whoever is not alone leaves alone what another one may be writing.
        disk::sweep(&self.path, if is_alone { Duration::ZERO } else { LEFT });
        if stored.is_empty() {
            self.remove()?;
            return Ok(Replaced::Stored(None));
        }
        let version = Version::fresh()?;
        let mut body = Wiped::default();
        serde_json::to_writer(&mut body, &BodyRef { version: &version, stored })
            .map_err(std::io::Error::other)?;
        let file = self.seal(|sealer| sealer.seal(body.bytes()))?;
        let is_same = is_same_sign_in(&found.stored, stored);
        if !is_same {
            // Nobody is to find another sign-in, or one that was signed out, in place of this.
            disk::remove(&previous)?;
        }
        let fresh = disk::Fresh::write(&self.path, &file)?;
        if !is_alone {
            // The writing took its time. After this look there are microseconds left for a race.
            let there = self.found()?;
            if there.version != found.version {
                return Ok(Replaced::Conflict(Box::new(there)));
            }
        }
        fresh.put(&self.path, is_same.then_some(previous.as_path()))?;
        Ok(Replaced::Stored(Some(version)))
    }

    /// Removes everything, the file last: until then nobody was signed out.
    fn remove(&self) -> Result<(), StorageError> {
        disk::remove_damaged(&self.path)?;
        fail::point("damaged files removed");
        disk::remove(&self.previous())?;
        fail::point("nothing left to mend from");
        disk::remove(&self.path)?;
        Ok(disk::sync_folder(&self.path)?)
    }
}

fn is_same_sign_in(one: &Stored, other: &Stored) -> bool {
    match (&one.session, &other.session) {
        (Some(one), Some(other)) => one.lineage == other.lineage,
        _ => false,
    }
}

impl Storage for SealedFile {
    fn load(&self) -> Result<Loaded, StorageError> {
        match self.read(&self.path) {
            Ok(Some(found)) => Ok(found),
            Ok(None) if !disk::is_there(&self.previous()) => {
                Ok(Loaded { set_aside: disk::damaged(&self.path)?, ..Loaded::default() })
            }
            Err(Unopened::Refused(error)) => Err(error),
            Ok(None) | Err(Unopened::Damaged) => {
                // It may have been replaced just now; only under the lock can that be told.
                let _lock = self.lock()?;
                self.found()
            }
        }
    }

    fn replace(
        &self,
        expected: Option<&Version>,
        stored: &Stored,
    ) -> Result<Replaced, StorageError> {
        let lock = self.lock()?;
        let found = self.found()?;
        if found.version.as_ref() != expected {
            return Ok(Replaced::Conflict(Box::new(found)));
        }
        self.write(&found, stored, matches!(lock, Lock::Held(_)))
    }

    fn clear(&self) -> Result<(), StorageError> {
        let _lock = self.lock()?;
        self.remove()
    }

    fn try_lock(&self) -> Result<Lock, StorageError> {
        disk::try_lock(&self.beside(".refresh-lock"))
    }
}

impl fmt::Debug for SealedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedFile")
            .field("path", &self.path)
            .field("protection", &self.protection)
            .finish_non_exhaustive()
    }
}
