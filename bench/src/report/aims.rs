//! The aims of `web`.

use super::Found;
use crate::aim::Aim;
use crate::batches::Batches;
use crate::million::Million;
use crate::options::{Case, Peer};
use crate::requests::Requests;

/// Every aim about what was measured.
pub(super) fn judge(found: &Found) -> Vec<Aim> {
    let requests = found.requests.as_ref().map(of_requests);
    let batches = found.batches.map(of_batches);
    let million = found.million.as_ref().map(of_million);
    [requests, batches, million].into_iter().flatten().flatten().collect()
}

const OURS: [Peer; 3] = [Peer::HandstampMemory, Peer::HandstampFull, Peer::HandstampNormal];

fn of_requests(found: &Requests) -> Vec<Aim> {
    let mut aims = Vec::new();
    for (case, most) in [(Case::Untouched, 300.0), (Case::Read, 500.0)] {
        for peer in OURS {
            let what = format!("{peer}, {case}, over a pass-through layer, processor time");
            aims.push(Aim::at_most(what, found.cpu_over_pass(1, case, peer), most, "ns"));
        }
    }
    let pass = found.allocations(Case::Untouched, Peer::PassThrough);
    let more = found.allocations(Case::Untouched, Peer::HandstampFull) - pass;
    aims.push(Aim::at_most("untouched, over a pass-through layer", more, 4.0, "allocations"));
    let writes = |peer, other| found.times(32, Case::Write, peer, other);
    let full = writes(Peer::TowerFull, Peer::HandstampFull);
    let normal = writes(Peer::TowerNormal, Peer::HandstampNormal);
    aims.push(Aim::at_least(
        "durable writes, 32 clients, FULL, over tower-sessions",
        full,
        5.0,
        "×",
    ));
    aims.push(Aim::at_least("the same at NORMAL", normal, 1.8, "×"));
    if let Some(counted) = found.instructions(Case::Read, Peer::HandstampFull) {
        aims.push(Aim::at_most(
            "hashes in a read that the cache knows",
            counted.hashes,
            0.0,
            "blocks",
        ));
    }
    aims
}

fn of_batches(found: Batches) -> Vec<Aim> {
    [("FULL", found.full), ("NORMAL", found.normal)]
        .map(|(at, compared)| {
            let what = format!("batches of 32 over a plain loop, {at}");
            Aim::at_least(what, compared.ratio() * 100.0, 80.0, "%")
        })
        .into()
}

fn of_million(found: &Million) -> Vec<Aim> {
    let (quiet, count) = (&found.quiet, found.sessions);
    let times = |what: &str, busy: f64, quiet: f64| Aim::at_most(what, busy / quiet, 2.0, "×");
    let read = found.read_all_nanos / found.read_few_nanos;
    vec![
        Aim::at_most(format!("read among {count} over among 1,000"), read, 2.5, "×"),
        times("p99 of reads while all end", found.ending.read_p99, quiet.read_p99),
        times("p99 of writes while all end", found.ending.write_p99, quiet.write_p99),
        times("p99 of reads while all are purged", found.purging.read_p99, quiet.read_p99),
        times("p99 of writes while all are purged", found.purging.write_p99, quiet.write_p99),
        Aim::at_most(
            "cold start to the first answer",
            found.first_answer_millis / 1000.0,
            1.0,
            "s",
        ),
    ]
}
