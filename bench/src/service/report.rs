//! What is printed, and what is written to `target/bench/service.json`.

use serde::Serialize;

use super::changes::Changes;
use super::checks::{Checks, Row};
use super::many::{Among, Many};
use super::sample::Sample;
use super::storm::Storm;
use crate::aim::Aim;
use crate::statistics::median;

/// Everything that was measured; a part that was not asked for is missing.
#[derive(Default, Serialize)]
pub(crate) struct Found {
    pub(crate) checks: Option<Checks>,
    pub(crate) changes: Option<Changes>,
    pub(crate) storm: Option<Vec<Storm>>,
    pub(crate) many: Option<Many>,
}

fn middle<T>(rounds: &[T], of: impl Fn(&T) -> f64) -> f64 {
    median(&rounds.iter().map(of).collect::<Vec<_>>())
}

/// The table of checks, ratios first.
pub(crate) fn checks(found: &Checks) {
    println!("\nOne session check, wrk with 32 connections, server on one processor");
    print!("{:<44}{:>11}{:>11}", "", "× bare cpu", "of bare/s");
    println!("{:>11}{:>9}{:>9}{:>9}{:>9}", "per second", "cpu µs", "db µs", "p50 µs", "p99 µs");
    found.rows.iter().for_each(check);
    let sample = |of: fn(&Sample) -> f64| middle(&found.never_seen, of);
    let bare = found.rows.first().map_or(f64::NAN, |row| row.bare(|it| it.cpu));
    print!(
        "{:<44}{:>11.2}{:>11}",
        "Handstamp, status, JWT never seen *",
        sample(|it| it.cpu) / bare,
        ""
    );
    print!("{:>11.0}{:>9.1}{:>9}", sample(|it| it.per_second), sample(|it| it.cpu), "");
    println!("{:>9.0}{:>9.0}", sample(|it| it.p50), sample(|it| it.p99));
    println!("* each token once, by our own client; its speed is in the figures per second");
}

fn check(row: &Row) {
    let ratio = (row.times(|it| it.cpu), row.times(|it| it.per_second));
    if row.is_ours {
        line("bare handler of the next row", (1.0, 1.0), |of| row.bare(of));
    }
    line(&row.name, ratio, |of| row.own(of));
}

fn line(name: &str, (cpu, rate): (f64, f64), of: impl Fn(fn(&Sample) -> f64) -> f64) {
    print!("{name:<44}{cpu:>11.2}{rate:>11.3}{:>11.0}", of(|it| it.per_second));
    print!("{:>9.1}{:>9.1}", of(|it| it.cpu), of(|it| it.database));
    println!("{:>9.0}{:>9.0}", of(|it| it.p50), of(|it| it.p99));
}

/// Sign-ins and refreshes.
pub(crate) fn changes(found: &Changes) {
    println!("\nDurable changes, 64 clients, server on one processor, synchronous=FULL");
    println!("{:<12}{:>12}{:>10}{:>10}{:>10}", "", "per second", "cpu µs", "p50 µs", "p99 µs");
    for (name, rounds) in [("begin", &found.begin), ("refresh", &found.refresh)] {
        let of = |of: fn(&Sample) -> f64| middle(rounds, of);
        print!("{name:<12}{:>12.0}{:>10.1}", of(|it| it.per_second), of(|it| it.cpu));
        println!("{:>10.0}{:>10.0}", of(|it| it.p50), of(|it| it.p99));
    }
}

/// Checks while many sign in.
pub(crate) fn storm(found: &[Storm]) {
    println!("\nStatus at 2,000 a second, in microseconds");
    println!("{:<36}{:>9}{:>9}", "", "p50", "p99");
    let (p50, p99) = (middle(found, |it| it.quiet_p50), middle(found, |it| it.quiet_p99));
    println!("{:<36}{p50:>9.0}{p99:>9.0}", "nothing else");
    let (p50, p99) = (middle(found, |it| it.storm_p50), middle(found, |it| it.storm_p99));
    let name = format!("while {:.0} a second sign in", middle(found, |it| it.begun_per_second));
    println!("{name:<36}{p50:>9.0}{p99:>9.0}");
}

/// Few and many sessions.
pub(crate) fn many(found: &Many) {
    println!("\nMany sessions");
    print!("{:<12}{:>12}{:>14}{:>14}", "sessions", "memory MB", "disk MB", "begun/s");
    println!("{:>14}{:>12}{:>12}", "list cpu µs", "p50 µs", "p99 µs");
    [found.few, found.many].iter().for_each(among);
}

fn among(found: &Among) {
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    print!("{:<12}{:>12.1}", found.sessions, megabytes(found.resident_bytes));
    print!("{:>14.1}{:>14.0}", megabytes(found.bytes_on_disk), found.begun_per_second);
    println!("{:>14.1}{:>12.0}{:>12.0}", found.list.cpu, found.list.p50, found.list.p99);
}

/// Every aim about what was measured.
pub(crate) fn aims(found: &Found) -> Vec<Aim> {
    let checks = found.checks.as_ref().map(of_checks);
    let changes = found.changes.as_ref().map(of_changes);
    let storm = found.storm.as_ref().map(|rounds| {
        let what = "p99 of status while many sign in, over its quiet p99";
        let times = middle(rounds, |it| it.storm_p99 / it.quiet_p99);
        vec![Aim::at_most(what, times, 3.0, "×")]
    });
    let many = found.many.as_ref().map(|found| {
        let what = format!("list of one subject's sessions among {}, p50", found.many.sessions);
        let times = found.many.list.p50 / found.few.list.p50;
        let cpu = found.many.list.cpu / found.few.list.cpu;
        let what_cpu = "the same, processor time of the server";
        vec![Aim::at_most(what, times, 2.0, "×"), Aim::at_most(what_cpu, cpu, 2.0, "×")]
    });
    [checks, changes, storm, many].into_iter().flatten().flatten().collect()
}

fn of_checks(found: &Checks) -> Vec<Aim> {
    let ours = found.rows.iter().filter(|row| row.is_ours);
    ours.map(|row| {
        let what = format!("{}, processor time over a bare handler", row.name);
        Aim::at_most(what, row.times(|it| it.cpu), 1.25, "×")
    })
    .collect()
}

fn of_changes(found: &Changes) -> Vec<Aim> {
    [("begin", &found.begin), ("refresh", &found.refresh)]
        .map(|(name, rounds)| {
            let what = format!("{name}, durable, one processor");
            Aim::at_least(what, middle(rounds, |it| it.per_second), 5_000.0, "per second")
        })
        .into()
}
