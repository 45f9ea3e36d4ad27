//! Opens what the service stands on: address, folder, database, key ring, local socket. Each
//! failure is one line that says what to do.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use handstamp_core::store::SessionStore;
use handstamp_core::time::Clock;
use handstamp_core::{KeyRing, SessionManager};
use handstamp_server::settings::{Settings, StoreAddress};
use handstamp_server::{Foundation, Listeners, LocalListener, Service, StartError, StoreFigures};
use tokio::net::TcpListener;

use super::kept::{self, DATABASE, Kept, Place};
use crate::failure::{Exit, Failure};
use crate::settings::{key_file, key_ring};

/// Held by the service that has its local socket in a folder without a database.
pub(crate) const LOCK: &str = "handstamp.lock";

/// A service that is ready to serve.
pub(super) struct Opened {
    pub(super) service: Arc<Service>,
    pub(super) listeners: Listeners,
    pub(super) ring: KeyRing,
    /// Where it is reached.
    pub(super) url: String,
    /// What signs an operator in to the dashboard, once.
    pub(super) dashboard: String,
    /// Where the sessions are.
    pub(super) data: String,
    /// Where the key ring lies, if in a file.
    pub(super) keys: Option<PathBuf>,
    /// What keeps other services out of the data folder, where the store does not.
    pub(super) lock: Option<File>,
    pub(super) place: Place,
}

/// Opens all of it. The addresses come first: where one is taken, nothing is made.
pub(super) async fn open(settings: Settings) -> Result<Opened, Failure> {
    let (tcp, bound) = listen(settings.server.listen).await?;
    let figures = match settings.server.metrics_listen {
        Some(address) => Some(listen(address).await?.0),
        None => None,
    };
    let (data_dir, keys) = (settings.store.data_dir.clone(), settings.keys.file.clone());
    let url = settings.server.url(bound);
    let ring = ring(&settings)?;
    let data = settings
        .store
        .url
        .as_ref()
        .map_or_else(|| data_dir.display().to_string(), StoreAddress::to_string);
    let lock = match settings.store.is_shared() {
        true => Some(own_folder(&data_dir)?),
        false => None,
    };
    let store = kept::open(&settings.store).await?;
    let unheard = open_unheard(settings, store, ring.clone(), url.clone()).await?;
    let Unheard { service, place, .. } = unheard;
    let local = LocalListener::open(&data_dir).map_err(|error| cannot_start(&error))?;
    let listeners = Listeners { tcp, local: Some(local), figures };
    let dashboard = service.dashboard_link().await;
    let dashboard = dashboard.map_err(|error| Failure::because("cannot start", &error))?;
    Ok(Opened { service, listeners, ring, url, dashboard, data, keys, lock, place })
}

/// Makes the folder of the local socket, for its owner only, where the database is elsewhere; and
/// keeps other services out of it for as long as what is answered lives.
fn own_folder(folder: &Path) -> Result<File, Failure> {
    let cannot = |error| Failure::because(format!("cannot use {}", folder.display()), &error);
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(cannot)?;
    let mut options = OpenOptions::new();
    let lock = options.create(true).truncate(false).write(true).mode(0o600);
    let lock = lock.open(folder.join(LOCK)).map_err(cannot)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(kept::in_use(folder)),
        Err(TryLockError::Error(error)) => Err(cannot(error)),
    }
}

/// A service that listens nowhere.
pub(crate) struct Unheard {
    pub(crate) service: Arc<Service>,
    pub(crate) sessions: SessionManager,
    pub(crate) place: Place,
}

/// Makes a service of what was opened.
pub(crate) async fn open_unheard(
    settings: Settings,
    kept: Kept,
    ring: KeyRing,
    url: String,
) -> Result<Unheard, Failure> {
    let Kept { store, ledger, place } = kept;
    // Nodes go by the clock of the store, where it has one, in all that they do.
    let clock: Arc<dyn Clock> = Arc::new(store.clock().unwrap_or_default());
    let figures = StoreFigures::default();
    let measured = figures.measure(Arc::new(store));
    let sessions = SessionManager::builder(measured, settings.config.clone(), ring)
        .clock(clock.clone())
        .build();
    let foundation = Foundation {
        sessions: sessions.clone(),
        ledger,
        clock,
        figures,
        settings,
        public_url: url,
    };
    let service = match Service::open(foundation).await {
        Ok(service) => service,
        Err(error) => {
            place.leave().await;
            return Err(cannot_start(&error));
        }
    };
    Ok(Unheard { service, sessions, place })
}

fn cannot_start(error: &StartError) -> Failure {
    let failure = Failure::because("cannot start", error);
    match error {
        StartError::OtherRing(_) => failure.with(Exit::Usage),
        _ => failure,
    }
}

/// The key ring of these settings. One is made only where there is no database yet, which is made
/// after it: beside data, a ring that is not there is a wrong name, and a new one would be of no
/// use but to break the audit log.
pub(crate) fn ring(settings: &Settings) -> Result<KeyRing, Failure> {
    if settings.store.is_shared() {
        // One that this service made for itself would refuse what the others gave out.
        return key_ring(&settings.keys, |path| KeyRing::open(path));
    }
    let folder = &settings.store.data_dir;
    if !folder.join(DATABASE).exists() {
        return key_ring(&settings.keys, |path| KeyRing::open_or_create(path));
    }
    if settings.keys.ring.is_none() {
        let path = key_file(&settings.keys)?;
        if KeyRing::open(path).is_err_and(|error| error.is_io(ErrorKind::NotFound)) {
            let (path, folder) = (path.display(), folder.display());
            let line = format!(
                "there is no key ring at {path}, and {folder} has data that was written under one; name it with --keys"
            );
            return Err(Failure::new(line).with(Exit::NotFound));
        }
    }
    key_ring(&settings.keys, |path| KeyRing::open(path))
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    let refused = |error: std::io::Error| {
        let line = format!("cannot listen on {address}");
        match error.kind() {
            ErrorKind::AddrInUse => Failure::new(format!(
                "{line}: it is taken; choose another with --listen, where port 0 is any that is free"
            )),
            ErrorKind::PermissionDenied => {
                Failure::new(format!("{line}: ports below 1024 need more rights; choose another"))
                    .with(Exit::Refused)
            }
            _ => Failure::because(line, &error),
        }
    };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    Ok((listener, bound))
}
