//! Commands of operators. Each is a call of the service, over its local socket where one runs, or
//! else answered in this process from the store itself.

pub(crate) mod audit;
pub(crate) mod dashboard;
pub(crate) mod doctor;
mod running;
pub(crate) mod service_key;
pub(crate) mod sessions;
pub(crate) mod subject;

use std::time::Duration;

use crate::failure::Failure;
use crate::settings::{self, Listen, Source};
use running::Running;

/// Flags of every such command.
#[derive(clap::Args, Debug)]
pub(crate) struct Flags {
    #[command(flatten)]
    source: Source,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Whether a command may make the data folder that it is to work in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Missing {
    /// It may: what it makes is for a service that is yet to start.
    Make,
    /// It may not: there can be nothing in it.
    Refuse,
}

/// Reaches the service and lets `act` do its work with it.
fn with(
    flags: &Flags,
    missing: Missing,
    act: impl AsyncFnOnce(&Running) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let loaded = flags.source.load(&Listen::default())?;
    settings::warn(&loaded);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::because("cannot start", &error))?;
    let done = runtime.block_on(async {
        let running = Running::reach(loaded.settings, missing).await?;
        let done = act(&running).await;
        running.leave().await?;
        done
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}
