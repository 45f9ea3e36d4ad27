//! `handstamp store`: what is done with a store as a whole.

mod copy;
mod restored;
mod side;

use std::time::Duration;

use crate::failure::Failure;

/// What to do with a store.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// Take everything from one store to another, while the service runs
    Copy(copy::Options),
    /// Sign everybody out of a store that was restored from a backup
    Restored(restored::Options),
}

/// Does it.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::because("cannot start", &error))?;
    let done = runtime.block_on(async {
        match command {
            Command::Copy(options) => copy::run(options).await,
            Command::Restored(options) => restored::run(options).await,
        }
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}
