//! Opens what the demo stands on: folder, key ring, database, port. Each failure is one line that
//! says what to do.

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use handstamp_core::SessionManager;
use handstamp_core::config::{ConfigError, LimitStrategy, SessionConfig};
use handstamp_core::key::{KeyRing, KeyRingError};
use handstamp_core::time::{Clock, SystemClock};
use handstamp_server::StoreFigures;
use handstamp_sqlite::{SqliteError, SqliteStore, Synchronous};
use tokio::net::TcpListener;

use super::service::{self, Beside, Ground};
use super::{Options, history};
use crate::failure::Failure;
use crate::folders::{home, make_private};

/// More sessions than this of one account, and the oldest ends.
const MOST_DEVICES: u32 = 20;

/// What the demo stands on.
pub(super) struct Opened {
    pub(super) listener: TcpListener,
    pub(super) port: u16,
    pub(super) sessions: SessionManager,
    pub(super) database: PathBuf,
    pub(super) keys: PathBuf,
    pub(super) beside: Beside,
}

/// Opens all of it.
pub(super) async fn open(options: &Options) -> Result<Opened, Failure> {
    let listener = listen(options.port).await?;
    let port = listener.local_addr().map_err(|e| Failure::because("cannot tell the port", &e))?;
    let folder = options.data_dir.clone().map_or_else(default_folder, Ok)?;
    let keys = options.keys.clone().map_or_else(default_keys, Ok)?;
    make_private(&folder, "--data-dir")?;
    let database = folder.join("sessions.db");
    // One is made only with the database: another would break the log of what is there.
    let opened = match database.exists() {
        true => KeyRing::open(&keys),
        false => KeyRing::open_or_create(&keys),
    };
    let ring = opened.map_err(|e| no_ring(&e))?;
    // What a power cut takes of the last moments is no loss to a demo.
    let builder = SqliteStore::builder(&database).synchronous(Synchronous::Normal);
    let store = Arc::new(builder.open().await.map_err(|e| refused(&database, &e))?);
    let config = config(options.plain_cookie)
        .map_err(|e| Failure::because("the demo's own settings do not fit", &e))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    if !options.no_history {
        history::write(Arc::clone(&store), config.clone(), ring.clone(), clock.now()).await?;
    }
    let figures = StoreFigures::default();
    let measured = figures.measure(Arc::clone(&store));
    let sessions =
        SessionManager::builder(measured, config, ring).clock(Arc::clone(&clock)).build();
    let ground = Ground {
        folder: &folder,
        keys: &keys,
        sessions: sessions.clone(),
        ledger: store,
        clock,
        figures,
    };
    let beside = service::open(options.service_port, ground).await?;
    Ok(Opened { listener, port: port.port(), sessions, database, keys, beside })
}

/// Why the key ring of what is there cannot be used.
fn no_ring(error: &KeyRingError) -> Failure {
    let failure = Failure::because("cannot start", error);
    match error.is_io(ErrorKind::NotFound) {
        true => Failure::new(format!(
            "{}; name the ring of the data with --keys, or another folder with --data-dir",
            failure.text()
        )),
        false => failure,
    }
}

fn config(plain_cookie: bool) -> Result<SessionConfig, ConfigError> {
    let base =
        if plain_cookie { SessionConfig::development() } else { SessionConfig::production() };
    base.edit().limit(Some(MOST_DEVICES)).limit_strategy(LimitStrategy::EndOldest).build()
}

async fn listen(port: u16) -> Result<TcpListener, Failure> {
    let listening = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    listening.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => Failure::new(format!(
            "port {port} of 127.0.0.1 is taken; choose another: handstamp demo --port 0 takes any that is free"
        )),
        ErrorKind::PermissionDenied => {
            Failure::new(format!("port {port} needs more rights; choose one above 1023 with --port"))
        }
        _ => Failure::because(format!("cannot listen on 127.0.0.1:{port}"), &error),
    })
}

/// What to do about a database that cannot be opened.
fn refused(database: &Path, error: &SqliteError) -> Failure {
    let path = database.display();
    match error {
        SqliteError::Locked { .. } => Failure::new(format!(
            "{path} is in use by another demo; stop that one, or choose another folder with --data-dir"
        )),
        SqliteError::NewerSchema { found, known } => Failure::new(format!(
            "{path} was written by a newer Handstamp (schema {found}, this one knows {known}); \
             install that version, or choose another folder with --data-dir"
        )),
        SqliteError::NotWritable { .. } => Failure::because(
            format!("cannot write {path}; choose another folder with --data-dir"),
            error,
        ),
        _ => Failure::because("cannot open the sessions", error),
    }
}

fn default_folder() -> Result<PathBuf, Failure> {
    Ok(home("XDG_DATA_HOME", ".local/share", "--data-dir")?.join("handstamp-demo"))
}

fn default_keys() -> Result<PathBuf, Failure> {
    Ok(home("XDG_CONFIG_HOME", ".config", "--keys")?.join("handstamp").join("demo.keys"))
}
