//! Being asked to stop.

use crate::failure::Failure;

/// Listens for SIGINT and SIGTERM from now on; resolves at the first.
///
/// # Errors
/// The system does not let us listen.
#[cfg(unix)]
pub(crate) fn asked_to_stop() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).map_err(|e| Failure::because("cannot wait for signals", &e));
    let (mut interrupt, mut terminate) =
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Listens for Ctrl-C from now on; resolves at the first.
///
/// # Errors
/// None here.
#[cfg(not(unix))]
pub(crate) fn asked_to_stop() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
