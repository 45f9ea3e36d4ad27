//! The `handstamp` program. Thin: it reads the command line and hands over.

mod args;
mod demo;
mod failure;

use std::process::ExitCode;

fn main() -> ExitCode {
    match args::read() {
        Ok(command) => run(command),
        Err(answer) => answer.give(),
    }
}

fn run(command: args::Command) -> ExitCode {
    let done = match command {
        args::Command::Demo(options) => demo::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}
