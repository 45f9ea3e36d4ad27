//! One process, one database: the lock file.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::error::SqliteError;
use crate::files;

/// Holds the database for this store until dropped. The system lets go of it when the process
/// dies, however it dies, so a stale file locks nobody out.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of the database at `path`.
    pub(crate) fn take(path: &Path) -> Result<Self, SqliteError> {
        let beside = files::beside(path, ".lock");
        let of_files = |error| SqliteError::of_files(&beside, error);
        let file = files::create(&beside).map_err(of_files)?;
        files::restrict(&beside).map_err(of_files)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(SqliteError::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => Err(SqliteError::other(path, error)),
        }
    }
}
