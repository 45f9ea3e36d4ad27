//! The `handstamp` program. Thin: it reads the command line and hands over.

mod args;
mod completions;
#[cfg(feature = "serve")]
mod config;
#[cfg(feature = "demo")]
mod demo;
mod failure;
#[cfg(any(feature = "demo", feature = "holder"))]
mod folders;
#[cfg(feature = "holder")]
mod holder;
#[cfg(feature = "serve")]
mod keys;
#[cfg(any(feature = "demo", feature = "holder", feature = "serve"))]
mod log;
mod man;
#[cfg(feature = "serve")]
mod operate;
mod output;
#[cfg(any(feature = "demo", feature = "holder"))]
mod proof;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "serve")]
mod settings;
#[cfg(any(feature = "demo", feature = "holder", feature = "serve"))]
mod signals;
#[cfg(feature = "serve")]
mod store;
#[cfg(any(feature = "holder", feature = "serve"))]
mod words;

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
        Command::Store(command) => store::run(command),
        #[cfg(feature = "serve")]
        Command::Dashboard(options) => operate::dashboard::run(options),
        #[cfg(feature = "serve")]
        Command::Doctor(options) => operate::doctor::run(options),
        #[cfg(feature = "holder")]
        Command::Login(options) => holder::login::run(options),
        #[cfg(feature = "holder")]
        Command::Status(options) => holder::status::run(options),
        #[cfg(feature = "holder")]
        Command::Whoami(options) => holder::whoami::run(options),
        #[cfg(feature = "holder")]
        Command::Devices(command) => holder::devices::run(command),
        #[cfg(feature = "holder")]
        Command::Logout(options) => holder::logout::run(options),
        #[cfg(feature = "holder")]
        Command::Accounts(command) => holder::accounts::run(command),
        #[cfg(feature = "holder")]
        Command::Token(options) => holder::token::run(options),
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
