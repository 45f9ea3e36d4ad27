//! A store by its address: what it holds, and the store itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use handstamp_core::ledger::Ledger;
use handstamp_core::store::SessionStore;
use handstamp_core::transfer::Portable;
use handstamp_core::{KeyRing, LogCheck, SessionConfig, SessionManager};
use handstamp_postgres::{PostgresContent, PostgresStore};
use handstamp_server::settings::StoreAddress;
use handstamp_sqlite::{SqliteContent, SqliteError, SqliteStore};

use crate::failure::{Exit, Failure};
use crate::serve::kept::{DATABASE, no_postgres};

/// Events that are added up at once.
const STEP: usize = 5_000;

/// How a store is to be opened for what it holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Hold {
    /// To read, while others serve from it.
    Look,
    /// To be left: nobody else may serve from it.
    Leave,
    /// To be filled.
    Fill,
}

/// Reads an address, `sqlite:///folder` or `postgres://…`.
pub(super) fn address(text: &str) -> Result<StoreAddress, String> {
    let must =
        "like sqlite:///folder or postgres://user@host/name; a password may come by PGPASSWORD";
    // What is wrong may hold a password.
    StoreAddress::parse(text).ok_or_else(|| format!("it must be an address {must}"))
}

/// The database, where it is SQLite: the file, or the one in the folder.
fn file(address: &StoreAddress) -> Option<PathBuf> {
    let path = address.folder()?;
    let is_file = path.is_file() || path.extension().is_some_and(|it| it == "db");
    Some(if is_file { path.to_owned() } else { path.join(DATABASE) })
}

/// What the store at `address` holds.
pub(super) async fn content(
    address: &StoreAddress,
    hold: Hold,
) -> Result<Box<dyn Portable>, Failure> {
    if let Some(path) = file(address) {
        let opened = match hold {
            Hold::Look => SqliteContent::look(&path),
            Hold::Leave if !path.is_file() => Err(SqliteError::Missing { path: path.clone() }),
            Hold::Leave | Hold::Fill => SqliteContent::hold(&path),
        };
        return opened.map(|it| Box::new(it) as _).map_err(|error| no_sqlite(&path, &error));
    }
    let opened = match hold {
        Hold::Look | Hold::Leave => PostgresContent::look(address.expose()).await,
        Hold::Fill => PostgresContent::fill(address.expose()).await,
    };
    opened.map(|it| Box::new(it) as _).map_err(|error| no_postgres(address, &error))
}

/// Adds up the events that figures do not yet include.
pub(super) async fn roll_up(address: &StoreAddress) -> Result<(), Failure> {
    match file(address) {
        Some(path) => {
            let store = open_sqlite(&path).await?;
            roll_up_in(&store).await
        }
        None => {
            let store = open_postgres(address).await?;
            let done = roll_up_in(&store).await;
            let _ = store.close().await;
            done
        }
    }
}

async fn roll_up_in(ledger: &impl Ledger) -> Result<(), Failure> {
    loop {
        match ledger.roll_up(STEP).await {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => return Err(Failure::because("cannot add up the last events", &error)),
        }
    }
}

/// Checks the audit log of the store at `address`, from which nobody serves yet.
pub(super) async fn verify(address: &StoreAddress, ring: KeyRing) -> Result<LogCheck, Failure> {
    match file(address) {
        Some(path) => verify_in(Arc::new(open_sqlite(&path).await?), ring).await,
        None => {
            let store = Arc::new(open_postgres(address).await?);
            let check = verify_in(Arc::clone(&store), ring).await;
            let _ = store.close().await;
            check
        }
    }
}

async fn verify_in(store: Arc<impl SessionStore>, ring: KeyRing) -> Result<LogCheck, Failure> {
    let sessions = SessionManager::builder(store, SessionConfig::default(), ring);
    let check = sessions.maintenance(false).build().verify_log().await;
    check.map_err(|error| Failure::because("cannot verify the audit log", &error))
}

async fn open_sqlite(path: &Path) -> Result<SqliteStore, Failure> {
    SqliteStore::open(path).await.map_err(|error| no_sqlite(path, &error))
}

async fn open_postgres(address: &StoreAddress) -> Result<PostgresStore, Failure> {
    PostgresStore::open(address.expose()).await.map_err(|error| no_postgres(address, &error))
}

fn no_sqlite(path: &Path, error: &SqliteError) -> Failure {
    let failure = Failure::because(format!("cannot use {}", path.display()), error);
    match error {
        SqliteError::Missing { .. } => Failure::new(error.to_string()).with(Exit::NotFound),
        SqliteError::Locked { .. } => Failure::new(error.to_string()).with(Exit::Refused),
        SqliteError::NewerSchema { .. }
        | SqliteError::NotOurs { .. }
        | SqliteError::Left { .. }
        | SqliteError::Unfinished { .. } => failure.with(Exit::Refused),
        _ => failure,
    }
}
