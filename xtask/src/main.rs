//! The only automation of the project: `cargo xtask test | check | ci | tidy | docs | bench | rusqlite`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that talks to a terminal")]

mod bench;
mod beside;
mod check;
mod deny;
mod docs;
mod prepare;
mod shared;
mod shell;
mod tally;
mod test;
mod tidy;
mod unit;

use std::process::ExitCode;

use clap::Parser;

use crate::tally::Tally;

/// What a command answers: what it counted, or why it could not be carried out.
type Answer = Result<Tally, String>;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Tests, checks and measures Handstamp"
)]
enum Command {
    /// Run all tests: Rust, documentation and browser; installs what they need where it may
    Test(test::Options),
    /// Run everything but the tests: format, tidy, clippy, docs, licences, systemd unit, SQLx
    /// beside us
    Check(check::Options),
    /// Run `check`, then `test`
    Ci(check::Options),
    /// Check the rules of the house that a compiler does not know
    Tidy,
    /// Write the reference pages that are read off the source
    Docs,
    /// Run a benchmark of `bench/`, in release mode
    Bench(bench::Options),
    /// Build and run handstamp-sqlite beside SQLx 0.8 and 0.9 in one program
    Rusqlite,
}

fn main() -> ExitCode {
    match run(Command::parse()) {
        Ok(tally) => {
            if tally.total() > 0 {
                println!("{tally}");
            }
            if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Answer {
    match command {
        Command::Test(options) => test::run(&options),
        Command::Check(options) => Ok(check::run(&options)),
        Command::Ci(options) => Ok(ci(&options)),
        Command::Tidy => tidy::run(),
        Command::Docs => docs::run(),
        Command::Bench(options) => bench::run(&options),
        Command::Rusqlite => beside::run(),
    }
}

/// All checks, then all tests even if a check failed: one run tells everything.
fn ci(options: &check::Options) -> Tally {
    let checks = check::run(options);
    let tests = shell::step("test", || test::run(&test::Options::default()));
    println!("\n{} of {} checks passed", checks.passed, checks.total());
    checks + tests
}
