//! The session service beside the shop: the same sessions, in the same process, with API and
//! dashboard on a port of its own.

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use handstamp_core::SessionManager;
use handstamp_core::ledger::{Ledger, LedgerError};
use handstamp_core::time::Clock;
use handstamp_protocol::Secret;
use handstamp_server::settings::{Inputs, Settings, load};
use handstamp_server::{
    Foundation, Listeners, LocalListener, Scope, Service, ServiceKey, StoreFigures,
};
use tokio::net::TcpListener;

use super::counsel;
use crate::failure::{Failure, chain};

/// What the key of the shop is called that reports failures.
const SHOP: &str = "the shop of the demo";
/// What its key is called that begins sessions of terminals.
const TERMINALS: &str = "the terminals of the demo's shop";

/// The port of a service, if it is free.
const USUAL_PORT: u16 = 7070;

/// What the service stands on.
pub(super) struct Ground<'a> {
    pub(super) folder: &'a Path,
    pub(super) keys: &'a Path,
    pub(super) sessions: SessionManager,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) figures: StoreFigures,
}

/// A service that is ready to serve.
pub(super) struct Beside {
    pub(super) service: Arc<Service>,
    pub(super) listeners: Listeners,
    /// Where the shop calls it, and by which key.
    pub(super) asked_by_shop: counsel::Service,
    /// The same for sessions of terminals, by a key that does nothing else.
    pub(super) asked_for_terminals: counsel::Service,
    /// Signs an operator in to the dashboard, once.
    pub(super) dashboard: String,
}

/// Opens it on `port`, or else on the usual one, or else on any that is free.
pub(super) async fn open(port: Option<u16>, ground: Ground<'_>) -> Result<Beside, Failure> {
    let tcp = listen(port).await?;
    let bound = tcp.local_addr().map_err(|e| Failure::because("cannot tell the port", &e))?;
    let settings = settings(&ground)?;
    // Another host than the shop's: browsers keep cookies by host and not by port, so an operator
    // and a customer can be signed in side by side.
    let public_url = format!("http://localhost:{}", bound.port());
    let Ground { folder, sessions, ledger, clock, figures, .. } = ground;
    let foundation = Foundation { sessions, ledger, clock, figures, settings, public_url };
    let service =
        Service::open(foundation).await.map_err(|e| Failure::because("cannot start", &e))?;
    let url = format!("http://{bound}");
    let key = async |name, scope| {
        let key = fresh_key(&service, name, scope).await;
        let key = key.map_err(|error| Failure::because("cannot start", &error))?;
        Ok::<_, Failure>(counsel::Service { url: url.clone(), key })
    };
    let asked_by_shop = key(SHOP, Scope::Failures).await?;
    let asked_for_terminals = key(TERMINALS, Scope::Begin).await?;
    let dashboard = service.dashboard_link().await;
    let dashboard = dashboard.map_err(|e| Failure::because("cannot start", &e))?;
    let local = LocalListener::open(folder).map_err(|e| Failure::because("cannot start", &e))?;
    let listeners = Listeners { tcp, local: Some(local), figures: None };
    Ok(Beside { service, listeners, asked_by_shop, asked_for_terminals, dashboard })
}

/// A fresh key for the shop, which it keeps in memory. That of the last time is good no more.
async fn fresh_key(service: &Service, name: &str, scope: Scope) -> Result<Secret, LedgerError> {
    let keys = service.service_keys();
    let is_old = |key: &ServiceKey| key.name == name && key.revoked_at.is_none();
    for old in keys.list().await?.into_iter().filter(is_old) {
        keys.revoke(&old.id).await?;
    }
    let made = keys.create(name, &[scope], &[]).await?;
    Ok(Secret::new(made.text.as_str()))
}

fn settings(ground: &Ground<'_>) -> Result<Settings, Failure> {
    let inputs = Inputs::new()
        .flag("store.data_dir", ground.folder.to_string_lossy(), "--data-dir")
        .flag("keys.file", ground.keys.to_string_lossy(), "--keys");
    let loaded = load(&inputs).map_err(|error| {
        Failure::new(format!("the demo's own settings do not fit: {}", chain(&error)))
    })?;
    Ok(Settings { config: ground.sessions.config().clone(), ..loaded.settings })
}

async fn listen(port: Option<u16>) -> Result<TcpListener, Failure> {
    let bind = async |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    let bound = match (bind(port.unwrap_or(USUAL_PORT)).await, port) {
        (Err(error), None) if error.kind() == ErrorKind::AddrInUse => bind(0).await,
        (bound, _) => bound,
    };
    bound.map_err(|error| {
        let port = port.unwrap_or(USUAL_PORT);
        let line = format!("cannot listen on 127.0.0.1:{port}; choose another with --service-port");
        Failure::because(line, &error)
    })
}
