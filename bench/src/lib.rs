//! Handstamp and its peers, measured side by side in one run.
//!
//! One program is parent and child: the parent starts itself again for every measurement, one
//! process per peer, in rounds (A B C A B C …), takes medians, and judges the aims. A child measures
//! one thing and prints one line of JSON.
//!
//! | file | what it holds |
//! |---|---|
//! | `options` | the command line |
//! | `peers/` | each peer as a router with the same handlers |
//! | `drive` | sends requests through a router and takes the time |
//! | `child` | what one process measures |
//! | `spawn` | starts children and reads what they print |
//! | `requests`, `batches`, `million` | the three parts of a run, as the parent sees them |
//! | `report` | tables, aims, JSON |
//! | `service` | another program: the session service over HTTP |
//! | `stores` | a third: PostgreSQL, and what a session costs there |
//! | `aim`, `conclude`, `disk`, `machine`, `postgres`, `statistics` | what several programs use |

mod aim;
mod batches;
mod child;
mod conclude;
mod disk;
mod drive;
mod machine;
mod million;
mod options;
mod peers;
mod postgres;
mod report;
mod requests;
mod service;
mod spawn;
mod statistics;
mod stores;

use std::process::ExitCode;

use clap::Parser;

/// What stops a measurement.
pub(crate) type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Counts allocations since the start of the process, where somebody counts.
pub type Counter = fn() -> u64;

/// Runs what the command line of `web` asks for.
pub fn run(counter: Option<Counter>) -> ExitCode {
    let options = options::Options::parse();
    exit(match &options.peer {
        Some(_) => child::run(&options, counter),
        None => report::run(&options),
    })
}

/// Runs what the command line of `service` asks for.
pub fn service() -> ExitCode {
    exit(service::run())
}

/// Runs what the command line of `stores` asks for.
pub fn stores() -> ExitCode {
    exit(stores::run())
}

fn exit(done: Result<(), Fault>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
