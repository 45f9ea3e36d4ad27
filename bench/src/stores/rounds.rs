//! Starts children in rounds, and takes medians.

use std::cell::Cell;
use std::path::PathBuf;

use serde::Serialize;

use super::child::Sample;
use super::options::{Measured, Options, What, Who};
use crate::postgres::Postgres;
use crate::statistics::median;
use crate::{Fault, spawn};

/// Clients at once.
pub(crate) const CLIENTS: [usize; 2] = [1, 32];

/// Everybody whose requests are timed.
pub(crate) const ROUTERS: [Who; 3] = [Who::PassThrough, Who::Handstamp, Who::TowerSessions];

/// What all parts of a run share.
pub(crate) struct Bench<'a> {
    pub(crate) options: &'a Options,
    pub(crate) postgres: &'a Postgres,
    databases: Cell<u32>,
}

impl<'a> Bench<'a> {
    pub(crate) const fn new(options: &'a Options, postgres: &'a Postgres) -> Self {
        Self { options, postgres, databases: Cell::new(0) }
    }

    /// The address of a database that nobody has used.
    pub(crate) fn database(&self) -> Result<String, Fault> {
        let number = self.databases.get() + 1;
        self.databases.set(number);
        self.postgres.address(&format!("bench{number}"))
    }

    fn child(&self, who: Who, what: What, clients: usize, sessions: u64) -> Result<Child, Fault> {
        let millis = u64::try_from(self.options.span().as_millis())?;
        let url = self.database()?;
        let measured = Measured { who, what, clients, millis, sessions, url };
        Ok(Child { program: spawn::itself()?, arguments: measured.arguments() })
    }

    /// One measurement.
    pub(crate) fn sample(&self, who: Who, what: What, clients: usize) -> Result<Sample, Fault> {
        self.child(who, what, clients, 0)?.run()
    }

    /// The same in each round.
    fn samples(&self, who: Who, what: What, clients: usize) -> Result<Vec<Sample>, Fault> {
        (0..self.options.rounds()).map(|_| self.sample(who, what, clients)).collect()
    }
}

/// A child that is to be started.
struct Child {
    program: PathBuf,
    arguments: Vec<String>,
}

impl Child {
    fn run(&self) -> Result<Sample, Fault> {
        spawn::child(&self.program, &self.arguments)
    }
}

/// The requests of one case by one number of clients, in all rounds, in the order of [`ROUTERS`].
#[derive(Debug, Serialize)]
pub(crate) struct Timed {
    pub(crate) what: What,
    pub(crate) clients: usize,
    rounds: Vec<[Sample; ROUTERS.len()]>,
}

impl Timed {
    fn median(&self, of: impl Fn(&[Sample; ROUTERS.len()]) -> f64) -> f64 {
        median(&self.rounds.iter().map(of).collect::<Vec<_>>())
    }

    /// Nanoseconds per request.
    pub(crate) fn nanos(&self, router: usize) -> f64 {
        self.median(|round| round[router].nanos)
    }

    /// Nanoseconds per request beyond the pass-through layer of the same round.
    pub(crate) fn over_pass(&self, router: usize) -> f64 {
        self.median(|round| round[router].nanos - round[0].nanos)
    }

    /// The same of processor time.
    pub(crate) fn cpu_over_pass(&self, router: usize) -> f64 {
        self.median(|round| round[router].cpu_nanos - round[0].cpu_nanos)
    }

    /// How many times as long tower-sessions takes as we do, round by round.
    pub(crate) fn times(&self) -> f64 {
        self.median(|round| round[2].nanos / round[1].nanos)
    }
}

/// Requests of every case.
pub(crate) fn requests(bench: &Bench<'_>) -> Result<Vec<Timed>, Fault> {
    let mut all = Vec::new();
    for (clients, what) in
        CLIENTS.into_iter().flat_map(|clients| What::OF_REQUESTS.map(|what| (clients, what)))
    {
        let mut rounds = Vec::new();
        for _ in 0..bench.options.rounds() {
            let mut round = [Sample::default(); ROUTERS.len()];
            for (sample, who) in round.iter_mut().zip(ROUTERS) {
                // Without sessions there is one case only; it runs beside every case all the same.
                let what = if who == Who::PassThrough { What::Untouched } else { what };
                *sample = bench.sample(who, what, clients)?;
            }
            rounds.push(round);
        }
        all.push(Timed { what, clients, rounds });
    }
    Ok(all)
}

/// Two figures that are compared, round by round.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Pair {
    pub(crate) ours: f64,
    pub(crate) other: f64,
    pub(crate) ratio: f64,
}

impl Pair {
    fn of(pairs: &[(f64, f64)]) -> Self {
        let of = |of: fn(&(f64, f64)) -> f64| median(&pairs.iter().map(of).collect::<Vec<_>>());
        Self {
            ours: of(|pair| pair.0),
            other: of(|pair| pair.1),
            ratio: of(|pair| pair.0 / pair.1),
        }
    }
}

fn paired(ours: &[Sample], other: &[Sample], of: fn(&Sample) -> f64) -> Pair {
    Pair::of(&ours.iter().zip(other).map(|(one, two)| (of(one), of(two))).collect::<Vec<_>>())
}

/// A cold read against one round trip.
pub(crate) fn cold(bench: &Bench<'_>) -> Result<Pair, Fault> {
    let ours = bench.samples(Who::Handstamp, What::Cold, 1)?;
    let raw = bench.samples(Who::Raw, What::Cold, 1)?;
    Ok(paired(&ours, &raw, |sample| sample.nanos))
}

/// Durable writes by 32 clients against a loop of batches of 32.
pub(crate) fn against_loop(bench: &Bench<'_>) -> Result<Pair, Fault> {
    let ours = bench.samples(Who::Handstamp, What::Write, 32)?;
    let raw = bench.samples(Who::Raw, What::Loop, 1)?;
    Ok(paired(&ours, &raw, |sample| sample.changes))
}

/// Processor time of a read on one of two nodes that share a database, against a node alone.
pub(crate) fn nodes(bench: &Bench<'_>) -> Result<Pair, Fault> {
    let mut pairs = Vec::new();
    for _ in 0..bench.options.rounds() {
        let alone = bench.sample(Who::Handstamp, What::Read, 1)?;
        let one = bench.child(Who::Handstamp, What::Read, 1, 0)?;
        let two = Child { program: one.program.clone(), arguments: one.arguments.clone() };
        let (one, two) = std::thread::scope(|threads| {
            let two = threads.spawn(move || two.run());
            (one.run(), two.join())
        });
        let two = two.map_err(|_| "a thread has panicked")??;
        pairs.push(((one?.cpu_nanos + two.cpu_nanos) / 2.0, alone.cpu_nanos));
    }
    Ok(Pair::of(&pairs))
}

/// What a cold read and a durable write cost among many sessions, against few.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Many {
    pub(crate) sessions: u64,
    pub(crate) reads: Pair,
    pub(crate) writes: Pair,
    pub(crate) first_writes: Pair,
}

/// So few are "few" sessions: more than the smallest cache holds, all the same.
pub(crate) const FEW: u64 = 1000;

/// A tenth of them, and all. One round: filling takes longer than measuring.
pub(crate) fn many(bench: &Bench<'_>) -> Result<Vec<Many>, Fault> {
    let all = bench.options.many();
    let run = |sessions| bench.child(Who::Handstamp, What::Many, 32, sessions)?.run();
    let few = [run(FEW)?];
    let among = |sessions| {
        let many = [run(sessions)?];
        let pair = |of| paired(&many, &few, of);
        Ok(Many {
            sessions,
            reads: pair(|sample| sample.nanos),
            writes: pair(|sample| sample.changes),
            first_writes: pair(|sample| sample.first_changes),
        })
    };
    [all / 10, all].into_iter().map(among).collect()
}
