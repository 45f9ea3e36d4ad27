//! The session service over HTTP beside its peers: `cargo xtask bench service`.
//!
//! The server is alone on the first processor; who asks, and the databases of peers, share the
//! second. Each server is a process of its own, started and ended by its id.
//!
//! | file | what it holds |
//! |---|---|
//! | `options` | the command line |
//! | `process` | servers: pinned, weighed, ended |
//! | `http`, `wrk` | who asks: one request at a time, or as fast as possible |
//! | `handstamp`, `answer`, `peers` | who answers: ours, a bare handler, others |
//! | `install`, `databases` | what the others need |
//! | `checks`, `changes`, `storm`, `many` | the parts of a run |
//! | `sample`, `report` | figures, tables, aims |

mod answer;
mod changes;
mod checks;
mod databases;
mod handstamp;
pub(crate) mod http;
pub(crate) mod install;
mod many;
mod options;
mod peers;
pub(crate) mod process;
mod report;
mod sample;
mod storm;
pub(crate) mod wrk;

use clap::Parser;

use crate::conclude::Run;
use crate::{Fault, machine};
use options::{Child, Options, Part};
use report::Found;

/// Runs what the command line asks for.
pub(crate) fn run() -> Result<(), Fault> {
    let options = Options::parse();
    if let Some(Child::Answer { file, port }) = &options.child {
        return answer::serve(file, *port);
    }
    let program = match &options.program {
        Some(program) => program.canonicalize()?,
        None => handstamp::build()?,
    };
    for project in options.projects() {
        install::install(project)?;
    }
    process::step_aside()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(parent(&program, &options))
}

async fn parent(program: &std::path::Path, options: &Options) -> Result<(), Fault> {
    let run = Run {
        name: "service",
        is_quick: options.quick,
        rounds: options.rounds(),
        load: machine::load(),
    };
    let found = measure(program, options).await?;
    run.conclude(&found, &report::aims(&found))
}

async fn measure(program: &std::path::Path, options: &Options) -> Result<Found, Fault> {
    let mut found = Found::default();
    if options.has(Part::Checks) {
        eprintln!("Checks");
        report::checks(found.checks.insert(checks::measure(program, options).await?));
    }
    if options.has(Part::Changes) {
        eprintln!("Changes");
        report::changes(found.changes.insert(changes::measure(program, options).await?));
    }
    if options.has(Part::Storm) {
        eprintln!("Checks while many sign in");
        report::storm(found.storm.insert(storm::measure(program, options).await?));
    }
    if options.has(Part::Many) {
        eprintln!("Many sessions");
        report::many(found.many.insert(many::measure(program, options).await?));
    }
    Ok(found)
}
