//! Serving: over TCP for everybody, over a local socket for the operator of this machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use handstamp_protocol::paths;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, UnixListener};

use crate::connections;
use crate::error::StartError;
use crate::front::Front;
use crate::local;
use crate::routes::well_known;
use crate::service::Service;
use crate::work;

/// The local socket in a data folder.
pub const SOCKET: &str = "handstamp.sock";

/// Where a service listens.
#[derive(Debug)]
pub struct Listeners {
    /// For everybody.
    pub tcp: TcpListener,
    /// For the operator.
    pub local: Option<LocalListener>,
    /// For `GET /metrics`, which it answers to anybody, and for nothing else.
    pub figures: Option<TcpListener>,
}

/// The local socket.
#[derive(Debug)]
pub struct LocalListener {
    listener: UnixListener,
    file: SocketFile,
}

/// The file of a socket; removed when dropped.
#[derive(Debug)]
struct SocketFile(PathBuf);

impl LocalListener {
    /// Opens the socket in `folder`, for its owner only. A socket that a killed service left
    /// behind is taken over: the lock of the store says that nobody serves it.
    ///
    /// # Errors
    /// [`StartError::Listen`] when the system refuses, or when anybody may write to the folder and
    /// it is not ours to close.
    ///
    /// # Security
    /// Whoever can open it is an operator: the folder is set to 0700, where it was open to others,
    /// and the socket is 0600.
    pub fn open(folder: &Path) -> Result<Self, StartError> {
        let path = folder.join(SOCKET);
        let refused = |source| StartError::Listen { address: path.display().to_string(), source };
        close(folder).map_err(refused)?;
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(refused(error));
            }
            _ => {}
        }
        let listener = UnixListener::bind(&path).map_err(refused)?;
        lock_down(&path).map_err(refused)?;
        Ok(Self { listener, file: SocketFile(path) })
    }
}

/// Shuts others out of a folder. One that belongs to somebody else, as a mounted volume may, stays
/// as it is unless everybody could put another socket or database there.
fn close(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(folder)?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let (at, was) = (folder.display(), mode & 0o777);
    match std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode & 0o700)) {
        Ok(()) => tracing::warn!("{at} was open to others (mode {was:o}) and is not any more"),
        Err(error) if mode & 0o002 != 0 => {
            let line = format!("anybody may write to {at} (mode {was:o}); run: chmod 700 {at}");
            return Err(std::io::Error::new(error.kind(), line));
        }
        Err(_) => tracing::warn!("{at} is open to others (mode {was:o}); run: chmod 700 {at}"),
    }
    Ok(())
}

fn lock_down(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // If it stays, the next service takes it over.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Serves until `asked_to_stop`, and on for `server.drain_seconds`, then lets requests finish for
/// `grace`, and writes what is noted.
///
/// # Errors
/// None so far: a listener that fails is tried again.
///
/// # Security
/// A connection has `server.head_timeout_seconds` for the head of a request, and there are at most
/// `server.max_connections`.
pub async fn serve(
    service: Arc<Service>,
    listeners: Listeners,
    asked_to_stop: impl Future<Output = ()> + Send + 'static,
    grace: Duration,
) -> std::io::Result<()> {
    let Listeners { tcp, local, figures } = listeners;
    let front = Front::new(Arc::clone(&service));
    work::start(&service);
    let stopper = Arc::clone(&service);
    tokio::spawn(async move {
        asked_to_stop.await;
        stopper.drain();
        tokio::time::sleep(stopper.settings.server.drain).await;
        stopper.stop();
    });
    let remote = connections::serve(tcp, &service, |peer| front.connection(peer));
    let locally = async {
        let Some(LocalListener { listener, file: _file }) = local else {
            return service.stopping().await;
        };
        let app = local::router(Arc::clone(&service));
        let served = axum::serve(listener, app).with_graceful_shutdown(service.stopping()).await;
        if let Err(error) = served {
            tracing::error!(%error, "the local socket failed");
        }
    };
    let figures = tell_figures(Arc::clone(&service), figures);
    let both = async {
        tokio::join!(remote, locally, figures);
    };
    let cut_off = async {
        service.stopping().await;
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        () = both => {}
        () = cut_off => {}
    }
    if let Err(error) = service.sessions.shutdown().await {
        tracing::error!(%error, "the last activity could not be written");
    }
    Ok(())
}

/// Serves `GET /metrics`, and nothing else, where there is a listener for it.
async fn tell_figures(service: Arc<Service>, listener: Option<TcpListener>) {
    let Some(listener) = listener else { return service.stopping().await };
    let of = Arc::clone(&service);
    let told = move || {
        let service = Arc::clone(&service);
        async move { well_known::figures(&service).await }
    };
    let app = Router::new().route(paths::METRICS, get(told));
    connections::serve(listener, &of, |_| TowerToHyperService::new(app.clone())).await;
}
