//! Opening a database.

use std::path::{Path, PathBuf};

use handstamp_core::store::Meta;
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::checkpoint::Checkpoints;
use crate::error::SqliteError;
use crate::fault::Fault;
use crate::lock::Lock;
use crate::readers::Readers;
use crate::state::{self, State};
use crate::store::SqliteStore;
use crate::writer::{Desk, Writer};
use crate::{connection, content, files, schema};

const READERS: usize = 4;
const MOST_READERS: usize = 64;
const KEEP_CHANGES: u32 = 100_000;

/// When a change counts as written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Synchronous {
    /// When it is on disk: survives a power failure. Changes that wait together share the sync.
    #[default]
    Full,
    /// When the operating system has it: survives the process, not a power failure, after which
    /// the latest changes may be missing, whole ones, from the end.
    Normal,
}

/// How a database is to be opened; made by [`SqliteStore::builder`].
#[derive(Clone, Debug)]
pub struct Builder {
    path: PathBuf,
    synchronous: Synchronous,
    readers: usize,
    keep_changes: u32,
}

/// What the writer's thread hands over once the database is open.
pub(crate) struct Opened {
    path: PathBuf,
    meta: Meta,
    lock: Lock,
}

impl Builder {
    pub(crate) fn new(path: PathBuf) -> Self {
        let synchronous = Synchronous::default();
        Self { path, synchronous, readers: READERS, keep_changes: KEEP_CHANGES }
    }

    /// When a change counts as written. [`Synchronous::Full`] by default.
    #[must_use]
    pub const fn synchronous(mut self, synchronous: Synchronous) -> Self {
        self.synchronous = synchronous;
        self
    }

    /// How many threads read, 1 to 64. 4 by default.
    #[must_use]
    pub fn readers(mut self, readers: usize) -> Self {
        self.readers = readers.clamp(1, MOST_READERS);
        self
    }

    /// How many commits the change log keeps, at least. 100,000 by default. Whoever follows it
    /// and falls further behind is told of a gap and starts afresh.
    #[must_use]
    pub fn keep_changes(mut self, commits: u32) -> Self {
        self.keep_changes = commits.max(1);
        self
    }

    /// Opens the database; makes it and its directory where they are missing.
    ///
    /// # Errors
    /// [`SqliteError`], whose variants say what to do.
    pub async fn open(self) -> Result<SqliteStore, SqliteError> {
        let (path, synchronous) = (self.path.clone(), self.synchronous);
        let keep = i64::from(self.keep_changes);
        let (reply, opened) = oneshot::channel();
        let writer = Writer::start(move || open(&path, synchronous, keep), reply)
            .map_err(|error| SqliteError::other(&self.path, error))?;
        let opened = opened.await.map_err(|_| SqliteError::other(&self.path, Fault::Panicked))?;
        let Opened { path, meta, lock } = opened?;
        let readers = Readers::start(&path, self.readers)?;
        Ok(SqliteStore::new(readers, writer, meta, synchronous, lock))
    }
}

/// A database that this process alone may write: its one name, its lock, and a connection.
pub(crate) fn hold(
    path: &Path,
    synchronous: Synchronous,
) -> Result<(PathBuf, Lock, Connection), SqliteError> {
    let path = files::prepare(path)?;
    let lock = Lock::take(&path)?;
    let of_sqlite = |error| SqliteError::of_sqlite(&path, error);
    let mut connection = connection::connect(&path).map_err(of_sqlite)?;
    // Before anything is written: what is not ours stays as it is.
    schema::check(&path, &connection)?;
    files::restrict_all(&path)?;
    connection::make_writer(&connection, synchronous).map_err(of_sqlite)?;
    schema::migrate(&path, &mut connection)?;
    Ok((path, lock, connection))
}

fn open(
    path: &Path,
    synchronous: Synchronous,
    keep_changes: i64,
) -> Result<(Desk, Opened), SqliteError> {
    let (path, lock, connection) = hold(path, synchronous)?;
    let of_fault = |fault| SqliteError::of_fault(&path, fault);
    content::served(&path, &connection)?;
    let meta = state::meta(&connection).map_err(of_fault)?;
    let state = State::read(&connection, meta.writer, keep_changes).map_err(of_fault)?;
    let checkpoints = Checkpoints::start(path.clone(), synchronous)
        .map_err(|error| SqliteError::other(&path, error))?;
    let opened = Opened { path: path.clone(), meta, lock };
    Ok((Desk { checkpoints, connection, state }, opened))
}
