//! The tables on the terminal: ratios first, then what they are made of.

use crate::batches::{Batches, Compared};
use crate::million::{Latencies, Million};
use crate::options::{Case, Peer};
use crate::requests::{CLIENTS, Requests};

/// Time, allocations and instructions per request.
pub(super) fn requests(found: &Requests) {
    ratios(found);
    absolutes(found);
}

/// The same store on both sides.
const PAIRS: [(&str, Peer, Peer); 3] = [
    ("memory", Peer::HandstampMemory, Peer::TowerMemory),
    ("SQLite FULL", Peer::HandstampFull, Peer::TowerFull),
    ("SQLite NORMAL", Peer::HandstampNormal, Peer::TowerNormal),
];

fn ratios(found: &Requests) {
    println!("\nTimes as long as Handstamp takes, tower-sessions 0.14 takes for a whole request");
    println!("{:<16}{:<18}{:>12}{:>12}", "store", "case", "1 client", "32 clients");
    for (store, ours, theirs) in PAIRS {
        for case in Case::OF_REQUESTS {
            let [one, many] = CLIENTS.map(|clients| found.times(clients, case, theirs, ours));
            println!("{store:<16}{case:<18}{one:>10.2} ×{many:>10.2} ×");
        }
    }
}

fn absolutes(found: &Requests) {
    println!("\nNanoseconds per request; over pass-through; allocations");
    let head = ["1 client", "over", "of cpu", "32 clients", "over", "alloc.", "instr.", "hashes"];
    print!("{:<30}{:<17}", "peer", "case");
    head.iter().for_each(|title| print!("{title:>11}"));
    println!();
    for case in Case::OF_REQUESTS {
        for peer in [Peer::Bare, Peer::PassThrough].into_iter().chain(Peer::WITH_SESSIONS) {
            absolute(found, case, peer);
        }
    }
}

fn absolute(found: &Requests, case: Case, peer: Peer) {
    print!("{peer:<30}{case:<17}");
    print!("{:>11.0}{:>11.0}", found.nanos(1, case, peer), found.over_pass(1, case, peer));
    print!("{:>11.0}", found.cpu_over_pass(1, case, peer));
    print!("{:>11.0}{:>11.0}", found.nanos(32, case, peer), found.over_pass(32, case, peer));
    print!("{:>11.1}", found.allocations(case, peer));
    if let Some(counted) = found.instructions(case, peer) {
        print!("{:>11.0}{:>11.1}", counted.instructions, counted.hashes);
    }
    println!();
}

/// Our commits against the plain loop.
pub(super) fn batches(found: &Batches) {
    println!("\nDurable changes per second, each with an event, in batches of 32");
    println!("{:<16}{:>10}{:>16}{:>16}", "synchronous", "ratio", "our commit", "plain loop");
    let row = |name: &str, compared: Compared| {
        let Compared { commits, plain } = compared;
        println!("{name:<16}{:>9.0}%{commits:>16.0}{plain:>16.0}", compared.ratio() * 100.0);
    };
    row("FULL", found.full);
    row("NORMAL", found.normal);
}

/// Many sessions.
pub(super) fn million(found: &Million) {
    println!("\nWith {} live sessions", found.sessions);
    let row = |what: &str, value: f64, unit: &str| println!("  {what:<52}{value:>12.1} {unit}");
    row("read among all, over among 1,000", found.read_all_nanos / found.read_few_nanos, "×");
    row("read among 1,000", found.read_few_nanos, "ns");
    row("read among all", found.read_all_nanos, "ns");
    row("a cached session takes", found.bytes_per_cached, "bytes");
    row("  by the cache's own reckoning", found.reckoned_per_cached, "bytes");
    row("a stored session takes, with head and event", found.bytes_per_row, "bytes");
    row("cold start: the store is open", found.open_millis, "ms");
    row("cold start: the first request is answered", found.first_answer_millis, "ms");
    row("sign-ins with a first write, NORMAL", found.begun_per_second, "per second");
    row("ends of due sessions beside requests, FULL", found.ended_per_second, "per second");
    row("purges beside requests, FULL", found.purged_per_second, "per second");
    println!("\nMicroseconds at 2,000 requests a second, 1 in 10 a durable write");
    println!(
        "{:<20}{:>10}{:>10}{:>11}{:>11}",
        "", "read p50", "read p99", "write p50", "write p99"
    );
    latencies("nothing else", &found.quiet);
    latencies("while all end", &found.ending);
    latencies("while all are purged", &found.purging);
}

fn latencies(name: &str, found: &Latencies) {
    let Latencies { read_p50, read_p99, write_p50, write_p99, .. } = found;
    println!("{name:<20}{read_p50:>10.0}{read_p99:>10.0}{write_p50:>11.0}{write_p99:>11.0}");
}
