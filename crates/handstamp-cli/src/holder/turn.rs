//! One login of an account at a time.
//!
//! A login writes two files: which service the account belongs to, and the session, which is sealed
//! for that service. Two logins with different services could leave the session of one beside the
//! address of the other, and neither would ever open.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::failure::Failure;

/// How the lock file of an account ends. It is empty and stays.
const LOCK: &str = "login-lock";
/// How long to wait for another login, which asks its service no longer than this.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often to look whether it is done.
const LOOK: Duration = Duration::from_millis(20);

/// Nobody else signs in with the account until this is dropped.
pub(super) struct Turn {
    /// None in a folder that knows no locks.
    _lock: Option<File>,
}

impl Turn {
    /// Waits until it is our turn with the session at `path`.
    ///
    /// # Errors
    /// Exit 1 if another login does not come to its end.
    pub(super) async fn of(path: &Path) -> Result<Self, Failure> {
        let failed =
            |error| Failure::because(format!("cannot sign in to {}", path.display()), &error);
        let waited = tokio::time::timeout(PATIENCE, take(path)).await;
        let late = |_| Failure::new("another login with this account does not come to its end");
        Ok(Self { _lock: waited.map_err(late)?.map_err(failed)? })
    }
}

async fn take(path: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path.with_extension(LOCK))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(LOOK).await,
            Err(TryLockError::Error(error)) => {
                tracing::debug!(%error, "there are no locks here");
                return Ok(None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_second_login_waits_until_the_first_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("default.session");
        let first = Turn::of(&path).await.unwrap();
        let second = tokio::spawn({
            let path = path.clone();
            async move { Turn::of(&path).await.is_ok() }
        });
        let other = Turn::of(&folder.path().join("other.session")).await;
        assert!(other.is_ok() && !second.is_finished());
        drop(first);
        assert!(second.await.unwrap());
    }
}
