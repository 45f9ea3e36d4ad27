//! What is printed, and what is written to `target/bench/stores.json`.

use std::path::Path;

use serde::Serialize;
use tokio::runtime::Runtime;

use super::options::{Part, What};
use super::rounds::{self, Bench, Many, Pair, ROUTERS, Timed};
use super::web::{self, Row};
use crate::Fault;
use crate::aim::Aim;

/// Everything that was measured; a part that was not asked for is missing.
#[derive(Default, Serialize)]
pub(crate) struct Found {
    requests: Option<Vec<Timed>>,
    cold: Option<Pair>,
    against_loop: Option<Pair>,
    nodes: Option<Pair>,
    many: Option<Vec<Many>>,
    web: Option<Vec<Row>>,
}

impl Found {
    /// Measures one part and prints its table.
    pub(crate) fn measure(
        &mut self,
        part: Part,
        bench: &Bench<'_>,
        runtime: &Runtime,
        scratch: &Path,
    ) -> Result<(), Fault> {
        match part {
            Part::Requests => requests(self.requests.insert(rounds::requests(bench)?)),
            Part::Cold => pair("a cold read, ns", self.cold.insert(rounds::cold(bench)?)),
            Part::Loop => {
                pair("changes per second", self.against_loop.insert(rounds::against_loop(bench)?));
            }
            Part::Nodes => pair("a read, ns of cpu", self.nodes.insert(rounds::nodes(bench)?)),
            Part::Many => many(self.many.insert(rounds::many(bench)?)),
            Part::Web => over_http(self.web.insert(web::measure(bench, runtime, scratch)?)),
        }
        Ok(())
    }

    /// What was to be reached, as far as it was measured.
    pub(crate) fn aims(&self) -> Vec<Aim> {
        let mut aims = Vec::new();
        for timed in self.requests.iter().flatten() {
            aims.extend(of_requests(timed));
        }
        if let Some(cold) = self.cold {
            aims.push(Aim::at_most("a cold read over one round trip", cold.ratio, 1.2, "×"));
        }
        if let Some(pair) = self.against_loop {
            let what = "durable writes, 32 clients, over a loop of batches";
            aims.push(Aim::at_least(what, pair.ratio * 100.0, 70.0, "%"));
        }
        if let Some(nodes) = self.nodes {
            let what = "processor time of a read on two nodes, over one";
            aims.push(Aim::at_most(what, nodes.ratio, 1.1, "×"));
        }
        for many in self.many.iter().flatten() {
            let what = |what| format!("{what} among {} sessions over few", many.sessions);
            aims.push(Aim::at_most(what("a cold read"), many.reads.ratio, 1.5, "×"));
            aims.push(Aim::at_least(what("writes"), many.writes.ratio, 0.67, "×"));
        }
        aims
    }
}

fn of_requests(timed: &Timed) -> Option<Aim> {
    match (timed.what, timed.clients) {
        (What::Read, 1) => {
            let what = "a read over a pass-through layer, processor time";
            Some(Aim::at_most(what, timed.cpu_over_pass(1), 500.0, "ns"))
        }
        (What::Write, 32) => {
            let what = "durable writes, 32 clients, over tower-sessions";
            Some(Aim::at_least(what, timed.times(), 5.0, "×"))
        }
        _ => None,
    }
}

fn requests(found: &[Timed]) {
    println!("\nMicroseconds per request, and over the pass-through layer");
    println!(
        "{:<9}{:<18}{:<22}{:>10}{:>10}{:>12}{:>12}",
        "clients", "case", "", "µs", "over", "over, cpu", "as ours"
    );
    for timed in found {
        for (router, who) in ROUTERS.iter().enumerate() {
            print!("{:<9}{:<18}{who:<22}", timed.clients, timed.what);
            print!("{:>10.2}{:>10.2}", timed.nanos(router) / 1e3, timed.over_pass(router) / 1e3);
            print!("{:>12.2}", timed.cpu_over_pass(router) / 1e3);
            match router {
                2 => println!("{:>10.1} ×", timed.times()),
                _ => println!(),
            }
        }
    }
}

fn pair(what: &str, found: &Pair) {
    let Pair { ours, other, ratio } = found;
    println!("\n{what}: {ours:.0} against {other:.0}: {ratio:.2} ×");
}

fn many(found: &[Many]) {
    for many in found {
        println!("\nAmong {} sessions, against {}", many.sessions, rounds::FEW);
        pair("a cold read, ns", &many.reads);
        pair("durable writes per second, 32 clients", &many.writes);
        pair("the same, each to a page for the first time", &many.first_writes);
    }
}

fn over_http(found: &[Row]) {
    println!("\nOver HTTP, wrk with 32 connections, server on one processor");
    println!(
        "{:<38}{:<10}{:>12}{:>10}{:>10}{:>10}",
        "", "path", "per second", "cpu µs", "db µs", "p99 µs"
    );
    for row in found {
        print!("{:<38}{:<10}{:>12.0}", row.server, row.path, row.median(|it| it.per_second));
        print!("{:>10.1}{:>10.1}", row.median(|it| it.cpu), row.median(|it| it.database));
        println!("{:>10.0}", row.median(|it| it.p99));
    }
}
