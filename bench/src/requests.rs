//! Time, allocations and instructions per request: every peer in every case, in rounds.

mod instructions;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::child::{Sample, arguments};
use crate::options::{Case, Options, Peer, name};
use crate::statistics::median;
use crate::{Fault, spawn};

/// Clients at once.
pub(crate) const CLIENTS: [usize; 2] = [1, 32];

/// Requests whose allocations are counted.
const COUNTED: u64 = 2000;

type Key = (usize, Case, Peer);

/// Everything that the children told.
#[derive(Default)]
pub(crate) struct Requests {
    samples: BTreeMap<Key, Vec<Sample>>,
    allocations: BTreeMap<(Case, Peer), f64>,
    instructions: BTreeMap<(Case, Peer), instructions::Counted>,
}

/// Those without sessions, then those with.
fn peers() -> impl Iterator<Item = Peer> {
    [Peer::Bare, Peer::PassThrough].into_iter().chain(Peer::WITH_SESSIONS)
}

/// A router without sessions knows one case only; it runs beside every case all the same.
fn asked(peer: Peer, case: Case) -> Case {
    let is_plain = matches!(peer, Peer::Bare | Peer::PassThrough);
    if is_plain { Case::Untouched } else { case }
}

/// Measures everything.
pub(crate) fn measure(options: &Options) -> Result<Requests, Fault> {
    let mut found = Requests::default();
    let program = spawn::itself()?;
    for round in 0..options.rounds() {
        eprintln!("  round {} of {}", round + 1, options.rounds());
        for key in keys() {
            let sample = timed(&program, key, options)?;
            found.samples.entry(key).or_default().push(sample);
        }
    }
    found.count(options)?;
    Ok(found)
}

fn keys() -> impl Iterator<Item = Key> {
    CLIENTS.into_iter().flat_map(|clients| {
        Case::OF_REQUESTS
            .into_iter()
            .flat_map(move |case| peers().map(move |peer| (clients, case, peer)))
    })
}

fn timed(
    program: &PathBuf,
    (clients, case, peer): Key,
    options: &Options,
) -> Result<Sample, Fault> {
    let mut arguments = arguments(peer, asked(peer, case), clients);
    arguments.extend(["--millis".into(), options.span().as_millis().to_string()]);
    spawn::child(program, &arguments)
}

impl Requests {
    fn count(&mut self, options: &Options) -> Result<(), Fault> {
        let program = spawn::counting()?;
        for (_, case, peer) in keys().filter(|(clients, ..)| *clients == 1) {
            let mut arguments = arguments(peer, asked(peer, case), 1);
            arguments.extend(["--count".into(), COUNTED.to_string()]);
            let sample: Sample = spawn::child(&program, &arguments)?;
            self.allocations.insert((case, peer), sample.allocations.unwrap_or(f64::NAN));
            if options.instructions {
                let counted = instructions::count(peer, asked(peer, case))?;
                self.instructions.insert((case, peer), counted);
            }
        }
        Ok(())
    }

    fn all(&self, clients: usize, case: Case, peer: Peer) -> &[Sample] {
        self.samples.get(&(clients, case, peer)).map_or(&[], Vec::as_slice)
    }

    /// Nanoseconds per request.
    pub(crate) fn nanos(&self, clients: usize, case: Case, peer: Peer) -> f64 {
        let samples = self.all(clients, case, peer).iter();
        median(&samples.map(|sample| sample.nanos).collect::<Vec<_>>())
    }

    /// Nanoseconds per request beyond those of the pass-through layer in the same round.
    pub(crate) fn over_pass(&self, clients: usize, case: Case, peer: Peer) -> f64 {
        self.over(clients, case, peer, |sample| sample.nanos)
    }

    /// The same in nanoseconds of processor time, which other programs on the machine do not
    /// lengthen.
    pub(crate) fn cpu_over_pass(&self, clients: usize, case: Case, peer: Peer) -> f64 {
        self.over(clients, case, peer, |sample| sample.cpu_nanos)
    }

    fn over(&self, clients: usize, case: Case, peer: Peer, of: fn(&Sample) -> f64) -> f64 {
        let mine = self.all(clients, case, peer).iter();
        let pass = self.all(clients, case, Peer::PassThrough).iter();
        median(&mine.zip(pass).map(|(mine, pass)| of(mine) - of(pass)).collect::<Vec<_>>())
    }

    /// How many times as long `peer` takes as `other`, round by round.
    pub(crate) fn times(&self, clients: usize, case: Case, peer: Peer, other: Peer) -> f64 {
        let pairs = self.all(clients, case, peer).iter().zip(self.all(clients, case, other));
        median(&pairs.map(|(peer, other)| peer.nanos / other.nanos).collect::<Vec<_>>())
    }

    /// Allocations per request.
    pub(crate) fn allocations(&self, case: Case, peer: Peer) -> f64 {
        self.allocations.get(&(case, peer)).copied().unwrap_or(f64::NAN)
    }

    /// Instructions and SHA-256 blocks per request, where they were counted.
    pub(crate) fn instructions(&self, case: Case, peer: Peer) -> Option<instructions::Counted> {
        self.instructions.get(&(case, peer)).copied()
    }

    pub(crate) fn to_json(&self) -> Value {
        let row = |(key, samples): (&Key, &Vec<Sample>)| {
            let (clients, case, peer) = *key;
            json!({
                "clients": clients, "case": name(&case), "peer": name(&peer), "rounds": samples,
                "nanos": self.nanos(clients, case, peer),
                "nanos_over_pass_through": self.over_pass(clients, case, peer),
                "cpu_nanos_over_pass_through": self.cpu_over_pass(clients, case, peer),
                "allocations": self.allocations(case, peer),
                "instructions": self.instructions(case, peer),
            })
        };
        Value::Array(self.samples.iter().map(row).collect())
    }
}
