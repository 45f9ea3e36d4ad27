//! Everything that a database holds, to be taken to another store or from one.

mod basis;
mod log;
mod rows;
mod standing;

use std::path::{Path, PathBuf};

use handstamp_core::transfer::{
    Basis, Chain, Portable, Range, Row, Standing, Stretch, Table, TransferError, Transferred,
};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::SqliteError;
use crate::fault::Fault;
use crate::lock::Lock;
use crate::open::{self, Synchronous};
use crate::readers::Readers;
use crate::{connection, schema};

pub(crate) use standing::served;

/// What a database holds, as another store can take it. It serves nobody.
#[derive(Debug)]
pub struct SqliteContent {
    // Dropped in this order: the connection is closed before others may open.
    thread: Readers,
    _lock: Option<Lock>,
}

impl SqliteContent {
    /// Looks at the database at `path`, from which another process may be serving. Nothing can be
    /// written.
    ///
    /// # Errors
    /// [`SqliteError`], whose variants say what to do; one that is not there is
    /// [`SqliteError::Missing`].
    pub fn look(path: impl Into<PathBuf>) -> Result<Self, SqliteError> {
        let path = path.into();
        if !path.is_file() {
            return Err(SqliteError::Missing { path });
        }
        let reader =
            connection::reader(&path).map_err(|error| SqliteError::of_sqlite(&path, error))?;
        match schema::check(&path, &reader)? {
            schema::NEWEST => Self::on(&path, reader, None),
            found => Err(SqliteError::OlderSchema { found, known: schema::NEWEST }),
        }
    }

    /// Takes the database at `path` for this process alone; makes it where it is missing.
    ///
    /// # Errors
    /// [`SqliteError`], whose variants say what to do.
    pub fn hold(path: impl AsRef<Path>) -> Result<Self, SqliteError> {
        let (path, lock, connection) = open::hold(path.as_ref(), Synchronous::Full)?;
        Self::on(&path, connection, Some(lock))
    }

    fn on(path: &Path, connection: Connection, lock: Option<Lock>) -> Result<Self, SqliteError> {
        Ok(Self { thread: Readers::on(path, vec![connection])?, _lock: lock })
    }

    fn read<'a, T: Send + 'static>(
        &'a self,
        read: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Transferred<'a, T> {
        Box::pin(async move { Ok(self.thread.run(read).await?) })
    }

    /// Writes, all of it or nothing, while the store stands as `as_it_must`.
    fn write<'a>(
        &'a self,
        as_it_must: fn(Standing) -> Result<(), TransferError>,
        write: impl FnOnce(&Connection) -> Result<Result<(), TransferError>, Fault> + Send + 'static,
    ) -> Transferred<'a, ()> {
        Box::pin(async move {
            let job = move |connection: &Connection| {
                let change =
                    Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
                let done = match as_it_must(standing::read(&change)?) {
                    Ok(()) => write(&change)?,
                    Err(error) => Err(error),
                };
                if done.is_ok() {
                    change.commit().map_err(Fault::of_commit)?;
                }
                Ok(done)
            };
            self.thread.run(job).await?
        })
    }
}

fn is_filling(standing: Standing) -> Result<(), TransferError> {
    match standing {
        Standing::Filling(_) => Ok(()),
        _ => Err(TransferError::NotFilling),
    }
}

impl Portable for SqliteContent {
    fn standing(&self) -> Transferred<'_, Standing> {
        self.read(standing::read)
    }

    fn basis(&self) -> Transferred<'_, Basis> {
        self.read(basis::read)
    }

    fn chains(&self) -> Transferred<'_, Vec<Chain>> {
        self.read(basis::chains)
    }

    fn rows<'a>(&'a self, table: &'static Table, range: &'a Range) -> Transferred<'a, Vec<Row>> {
        let range = range.clone();
        self.read(move |connection| rows::list(connection, table, &range))
    }

    fn log(&self, writer: u32, after: u64, limit: usize) -> Transferred<'_, Vec<Stretch>> {
        self.read(move |connection| log::list(connection, writer, after, limit))
    }

    fn begin<'a>(&'a self, basis: &'a Basis, copy: u128) -> Transferred<'a, ()> {
        let basis = basis.clone();
        let is_empty = |standing| match standing {
            Standing::Empty => Ok(()),
            _ => Err(TransferError::NotEmpty),
        };
        self.write(is_empty, move |connection| {
            basis::found(connection, &basis)?;
            standing::mark(connection, Standing::Filling(copy)).map(Ok)
        })
    }

    fn put<'a>(
        &'a self,
        table: &'static Table,
        rows: &'a [Row],
        gone: &'a [Row],
    ) -> Transferred<'a, ()> {
        let (rows, gone) = (rows.to_vec(), gone.to_vec());
        self.write(is_filling, move |connection| {
            rows::put(connection, table, &rows)?;
            rows::remove(connection, table, &gone).map(Ok)
        })
    }

    fn append<'a>(&'a self, log: &'a [Stretch]) -> Transferred<'a, ()> {
        let log = log.to_vec();
        self.write(is_filling, move |connection| log::append(connection, &log).map(Ok))
    }

    fn mend<'a>(&'a self, place: i64, stretch: &'a Stretch) -> Transferred<'a, ()> {
        let stretch = stretch.clone();
        self.write(is_filling, move |connection| log::mend(connection, place, &stretch).map(Ok))
    }

    fn cut(&self, writer: u32, through: u64) -> Transferred<'_, ()> {
        self.write(is_filling, move |connection| log::cut(connection, writer, through).map(Ok))
    }

    fn open<'a>(&'a self, basis: &'a Basis, chains: &'a [Chain]) -> Transferred<'a, ()> {
        let (basis, chains) = (basis.clone(), chains.to_vec());
        self.write(is_filling, move |connection| {
            basis::go_on(connection, &basis, &chains)?;
            standing::mark(connection, Standing::Open).map(Ok)
        })
    }

    fn leave(&self, copy: u128) -> Transferred<'_, ()> {
        let is_ours = |standing| match standing {
            Standing::Filling(_) => Err(TransferError::Unfinished),
            _ => Ok(()),
        };
        self.write(is_ours, move |connection| {
            if !basis::is_rolled_up(connection)? {
                return Ok(Err(TransferError::NotRolledUp));
            }
            standing::mark(connection, Standing::Left(copy)).map(Ok)
        })
    }

    fn stay(&self) -> Transferred<'_, ()> {
        let is_left = |standing| match standing {
            Standing::Left(_) => Ok(()),
            _ => Err(TransferError::Unfinished),
        };
        self.write(is_left, |connection| standing::mark(connection, Standing::Open).map(Ok))
    }
}
