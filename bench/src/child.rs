//! What one process measures, and the line of JSON that it prints.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::drive::{Until, drive};
use crate::options::{Case, Options, Peer, name};
use crate::{Counter, Fault, batches, million, peers};

/// What a child that sends requests has found.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// From the first request to the last answer, divided by their number.
    pub(crate) nanos: f64,
    /// Processor time of the whole process meanwhile, divided likewise.
    pub(crate) cpu_nanos: f64,
    pub(crate) requests: u64,
    /// Allocations per request, where they were counted.
    pub(crate) allocations: Option<f64>,
}

/// How many requests come before those that count, where a number is given.
const WARM_UP: u64 = 200;

/// Measures what the options tell and prints it.
pub(crate) fn run(options: &Options, counter: Option<Counter>) -> Result<(), Fault> {
    let runtime = runtime(options.clients)?;
    let peer = options.peer.ok_or("a child needs a peer")?;
    let line = match options.case {
        Case::Batch | Case::Loop => {
            let millis = Duration::from_millis(options.millis);
            serde_json::to_string(&runtime.block_on(batches::measure(
                peer,
                options.case,
                millis,
            ))?)
        }
        Case::Million => {
            let count = options.count.unwrap_or(1_000_000);
            serde_json::to_string(&runtime.block_on(million::measure(count))?)
        }
        case => serde_json::to_string(&runtime.block_on(requests(peer, case, options, counter))?),
    };
    println!("{}", line?);
    // What is left waits for nothing: files go with the process that made them.
    runtime.shutdown_timeout(Duration::from_secs(10));
    Ok(())
}

fn runtime(clients: usize) -> Result<tokio::runtime::Runtime, Fault> {
    let mut builder = match clients {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    Ok(builder.worker_threads(2).enable_all().build()?)
}

async fn requests(
    peer: Peer,
    case: Case,
    options: &Options,
    counter: Option<Counter>,
) -> Result<Sample, Fault> {
    let served = peers::start(peer, case, options.clients).await?;
    let path = path(case);
    let (warm_up, until): (Until, Box<dyn Fn() -> Until>) = match options.count {
        Some(count) => (Until::Count(WARM_UP), Box::new(move || Until::Count(count))),
        None => {
            let span = Duration::from_millis(options.millis);
            let end = Until::Time(Instant::now() + span / 4);
            (end, Box::new(move || Until::Time(Instant::now() + span)))
        }
    };
    drive(&served.router, path, &served.cookies, warm_up).await?;
    let (before, cpu) = (counter.map(|count| count()), cpu_time());
    let ran = drive(&served.router, path, &served.cookies, until()).await?;
    let allocated = counter.zip(before).map(|(count, before)| count() - before);
    let cpu = cpu_time().saturating_sub(cpu);
    Ok(Sample {
        nanos: ran.nanos_each(),
        cpu_nanos: cpu.as_nanos() as f64 / ran.requests as f64,
        requests: ran.requests,
        allocations: allocated.map(|allocated| allocated as f64 / ran.requests as f64),
    })
}

/// What this process has taken of the processors so far.
pub(crate) fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn path(case: Case) -> &'static str {
    match case {
        Case::Read => "/read",
        Case::Write => "/write",
        Case::Touch => "/touch",
        _ => "/untouched",
    }
}

/// The arguments of a child.
pub(crate) fn arguments(peer: Peer, case: Case, clients: usize) -> Vec<String> {
    let clients = clients.to_string();
    ["--peer", &name(&peer), "--case", &name(&case), "--clients", &clients]
        .map(str::to_owned)
        .into()
}
