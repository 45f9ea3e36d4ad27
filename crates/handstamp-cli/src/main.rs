//! The `handstamp` program. Thin: it reads the command line and hands over.

mod args;
mod completions;
#[cfg(feature = "serve")]
mod config;
#[cfg(feature = "demo")]
mod demo;
mod failure;
#[cfg(feature = "serve")]
mod keys;
#[cfg(any(feature = "demo", feature = "serve"))]
mod log;
mod man;
#[cfg(feature = "serve")]
mod operate;
mod output;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "serve")]
mod settings;
#[cfg(any(feature = "demo", feature = "serve"))]
mod signals;

use std::process::ExitCode;

use args::Command;

/// A check takes some twenty small pieces of memory and gives them back on the same thread: here a
/// seventh of its instructions went into that with the system's allocator.
#[cfg(feature = "serve")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match args::read() {
        Ok(command) => run(&command),
        Err(answer) => answer.give(),
    }
}

fn run(command: &Command) -> ExitCode {
    let done = match command {
        #[cfg(feature = "serve")]
        Command::Serve(options) => serve::run(options),
        #[cfg(feature = "serve")]
        Command::Config(options) => config::run(options),
        #[cfg(feature = "serve")]
        Command::Keys(command) => keys::run(command),
        #[cfg(feature = "serve")]
        Command::ServiceKey(command) => operate::service_key::run(command),
        #[cfg(feature = "serve")]
        Command::Sessions(command) => operate::sessions::run(command),
        #[cfg(feature = "serve")]
        Command::Subject(command) => operate::subject::run(command),
        #[cfg(feature = "serve")]
        Command::Audit(command) => operate::audit::run(command),
        #[cfg(feature = "serve")]
        Command::Dashboard(options) => operate::dashboard::run(options),
        #[cfg(feature = "serve")]
        Command::Doctor(options) => operate::doctor::run(options),
        #[cfg(feature = "demo")]
        Command::Demo(options) => demo::run(options),
        Command::Completions(options) => completions::run(options),
        Command::Man(options) => man::run(options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}
