//! What can go wrong when a database is opened.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::fault::Fault;

/// A database cannot be opened. Each variant says in one line what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SqliteError {
    /// Another process, or another store in this one, has the database open. Retrying helps once
    /// that one is closed.
    #[error("{path} is in use; stop the other process, or talk to it instead")]
    Locked {
        /// The database.
        path: PathBuf,
    },
    /// The database was written by a newer version. Retrying never helps.
    #[error("the database has schema {found}, this version knows {known}; install a newer version")]
    NewerSchema {
        /// The schema of the database.
        found: u32,
        /// The newest schema that this version can use.
        known: u32,
    },
    /// The database was written by an older version and is only to be read. Retrying helps once the
    /// service of this version has been started on it, which brings it up.
    #[error("the database has schema {found}, this version needs {known}; start the service on it")]
    OlderSchema {
        /// The schema of the database.
        found: u32,
        /// The schema that is needed.
        known: u32,
    },
    /// There is no such file. Retrying helps once there is.
    #[error("there is no database at {path}")]
    Missing {
        /// The database.
        path: PathBuf,
    },
    /// Everything in it was taken to another store, from which everybody is served. Retrying never
    /// helps.
    #[error("{path} was copied to another store and left; use that one")]
    Left {
        /// The database.
        path: PathBuf,
    },
    /// It is being filled from another store. Retrying helps once that has come to its end.
    #[error("{path} is a copy that is not finished; run handstamp store copy with --finish")]
    Unfinished {
        /// The database.
        path: PathBuf,
    },
    /// The file is a database of another program. Nothing in it was changed.
    #[error("{path} belongs to another program; name another file")]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// The file is no database, or is damaged. Nothing in it was changed.
    #[error(
        "{path} is not a database or is damaged; restore it from a backup or name another file"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file or its directory cannot be written. Retrying helps once that is permitted.
    #[error("cannot write {path}; check who owns it and whether its disk is read-only")]
    NotWritable {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is no room on the disk. Retrying helps once there is.
    #[error("the disk of {path} is full; make room")]
    Full {
        /// The database.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Anything else.
    #[error("cannot open {path}")]
    Other {
        /// The database.
        path: PathBuf,
        /// What happened.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl SqliteError {
    /// What SQLite said of the database at `path`.
    pub(crate) fn of_sqlite(path: &Path, error: rusqlite::Error) -> Self {
        let (path, code) = (path.to_owned(), error.sqlite_error_code());
        let source = Box::new(error);
        match code {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                Self::Damaged { path, source }
            }
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::NotWritable { path, source }
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path },
            Some(ErrorCode::DiskFull) => Self::Full { path, source },
            _ => Self::Other { path, source },
        }
    }

    /// What went wrong with what is stored in the database at `path`.
    pub(crate) fn of_fault(path: &Path, fault: Fault) -> Self {
        match fault {
            Fault::Sql(error) => Self::of_sqlite(path, error),
            other => Self::Damaged { path: path.to_owned(), source: Box::new(other) },
        }
    }

    /// What the file system said of `path`.
    pub(crate) fn of_files(path: &Path, error: std::io::Error) -> Self {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        let (path, kind) = (path.to_owned(), error.kind());
        let source = Box::new(error);
        match kind {
            StorageFull | QuotaExceeded => Self::Full { path, source },
            _ => Self::NotWritable { path, source },
        }
    }

    /// Any other cause.
    pub(crate) fn other(
        path: &Path,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Other { path: path.to_owned(), source: cause.into() }
    }
}
