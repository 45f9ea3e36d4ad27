//! Sessions in PostgreSQL beside their peers: `cargo xtask bench stores`.
//!
//! A PostgreSQL of this run's own, as Debian installs it, serves everybody; each measurement is a
//! process on an empty database. Peers and database share both processors.
//!
//! | file | what it holds |
//! |---|---|
//! | `options` | the command line, of the parent and of its children |
//! | `child` | what one process measures |
//! | `crowd` | many sessions, quickly |
//! | `raw` | the driver alone: one round trip, a loop of batches |
//! | `rounds` | starts children in rounds, takes medians |
//! | `web` | the same over HTTP, with a peer in another language |
//! | `report` | tables, aims, JSON |

mod child;
mod crowd;
mod options;
mod raw;
mod report;
mod rounds;
mod web;

use clap::Parser;

use crate::conclude::Run;
use crate::postgres::Postgres;
use crate::service::process::Place;
use crate::{Fault, disk, machine};
use options::{Child, Options};
use report::Found;
use rounds::Bench;

/// Runs what the command line asks for.
pub(crate) fn run() -> Result<(), Fault> {
    let options = Options::parse();
    match &options.child {
        Some(Child::Measure(measured)) => child::measure(measured),
        Some(Child::Serve(served)) => child::serve(served),
        None => parent(&options),
    }
}

fn parent(options: &Options) -> Result<(), Fault> {
    let run = Run {
        name: "stores",
        is_quick: options.quick,
        rounds: options.rounds(),
        load: machine::load(),
    };
    let scratch = disk::scratch()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let log = scratch.path().join("postgres.log");
    let postgres = runtime.block_on(Postgres::start(Place::Anywhere, &log))?;
    let postgres = postgres.ok_or("PostgreSQL is not installed (Debian package `postgresql`)")?;
    let bench = Bench::new(options, &postgres);
    let mut found = Found::default();
    for part in options.parts() {
        eprintln!("{part}");
        found.measure(part, &bench, &runtime, scratch.path())?;
    }
    run.conclude(&found, &found.aims())
}
