//! Where a service keeps its sessions: in a folder, or on PostgreSQL.

use std::path::Path;
use std::sync::Arc;

use handstamp_core::ledger::Ledger;
use handstamp_core::store::SessionStore;
use handstamp_postgres::{PostgresError, PostgresStore};
use handstamp_server::settings::{Store, StoreAddress, Synchronous};
use handstamp_sqlite::{SqliteError, SqliteStore};

use crate::failure::{Exit, Failure};

/// The database in a data folder.
pub(crate) const DATABASE: &str = "sessions.db";

/// What a service keeps, wherever it does.
pub(crate) struct Kept {
    pub(crate) store: Arc<dyn SessionStore>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) place: Place,
}

/// The place among the processes that share a store.
#[must_use]
pub(crate) struct Place(Option<Arc<PostgresStore>>);

impl Place {
    /// Gives it back, once nothing more is written: what asks who serves from the store is not to
    /// wait until a minute without a sign of life has passed.
    pub(crate) async fn leave(self) {
        if let Some(store) = self.0
            && let Err(error) = store.close().await
        {
            tracing::warn!(%error, "for a minute, the store takes this process to be at work");
        }
    }
}

impl From<PostgresStore> for Kept {
    fn from(store: PostgresStore) -> Self {
        let store = Arc::new(store);
        Self { store: store.clone(), ledger: store.clone(), place: Place(Some(store)) }
    }
}

impl From<SqliteStore> for Kept {
    fn from(store: SqliteStore) -> Self {
        let store = Arc::new(store);
        Self { store: store.clone(), ledger: store, place: Place(None) }
    }
}

/// Opens the store that the settings name, and makes it if it is not there.
///
/// # Errors
/// A line that says what to do, without the password of the address.
pub(crate) async fn open(settings: &Store) -> Result<Kept, Failure> {
    match settings.url.as_ref().filter(|_| settings.is_shared()) {
        Some(url) => {
            let builder = PostgresStore::builder(url.expose()).connections(settings.connections);
            let opened = builder.keep_changes(settings.keep_changes).open().await;
            opened.map(Kept::from).map_err(|error| no_postgres(url, &error))
        }
        None => {
            let opened = embedded(settings).await;
            opened.map(Kept::from).map_err(|error| refused(&settings.data_dir, &error))
        }
    }
}

/// What it means that the database at `url` cannot be opened.
pub(crate) fn no_postgres(url: &StoreAddress, error: &PostgresError) -> Failure {
    let failure = Failure::because(format!("cannot use {url}"), error);
    match error {
        PostgresError::Unreachable(_) => failure.with(Exit::Unreachable),
        PostgresError::Refused(_)
        | PostgresError::NotPermitted(_)
        | PostgresError::Left
        | PostgresError::Unfinished => failure.with(Exit::Refused),
        _ => failure,
    }
}

/// Opens the embedded database, and makes it if it is not there.
pub(crate) async fn embedded(store: &Store) -> Result<SqliteStore, SqliteError> {
    let path = store.data_dir.join(DATABASE);
    let synchronous = match store.synchronous {
        Synchronous::Full => handstamp_sqlite::Synchronous::Full,
        Synchronous::Normal => handstamp_sqlite::Synchronous::Normal,
    };
    let builder = SqliteStore::builder(&path).synchronous(synchronous);
    builder.readers(store.readers).keep_changes(store.keep_changes).open().await
}

pub(super) fn in_use(folder: &Path) -> Failure {
    let folder = folder.display();
    Failure::new(format!(
        "{folder} is in use by another service; stop that one, or choose another folder with --data-dir"
    ))
    .with(Exit::Refused)
}

/// What to do about a database that cannot be opened.
pub(crate) fn refused(folder: &Path, error: &SqliteError) -> Failure {
    match error {
        SqliteError::Locked { .. } => in_use(folder),
        SqliteError::NewerSchema { .. }
        | SqliteError::NotOurs { .. }
        | SqliteError::Left { .. }
        | SqliteError::Unfinished { .. } => {
            Failure::because(format!("cannot use {}", folder.display()), error).with(Exit::Refused)
        }
        _ => Failure::because(format!("cannot use {}", folder.display()), error),
    }
}
