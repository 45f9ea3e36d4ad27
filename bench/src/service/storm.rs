//! Checks at a pace, first alone, then while many sign in.

use std::path::Path;

use serde::Serialize;

use super::handstamp::{BEGIN, STATUS, Service, body, get};
use super::http::{Connection, paced};
use super::options::Options;
use super::wrk::Load;
use crate::Fault;
use crate::statistics::{median, percentile};

/// Checks per second, and the connections that they come by.
const RATE: u32 = 2_000;
const WIDTH: u32 = 16;

/// How many people sign in at once, each again as soon as it is answered.
const CROWD: u32 = 32;

/// Latencies of one round, in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Storm {
    pub(crate) quiet_p50: f64,
    pub(crate) quiet_p99: f64,
    pub(crate) storm_p50: f64,
    pub(crate) storm_p99: f64,
    pub(crate) begun_per_second: f64,
}

/// Measures both, round by round.
pub(crate) async fn measure(program: &Path, options: &Options) -> Result<Vec<Storm>, Fault> {
    let mut rounds = Vec::new();
    for round in 0..options.rounds() {
        eprintln!("  round {} of {}", round + 1, options.rounds());
        rounds.push(once(&Service::start(program).await?, options).await?);
    }
    Ok(rounds)
}

async fn once(service: &Service, options: &Options) -> Result<Storm, Fault> {
    let cookie = service.with_cookie(&mut Connection::open(service.port).await?, "calm").await?;
    let request = get(STATUS, &cookie)?;
    let span = options.span();
    let checks = async || paced(service.port, WIDTH, RATE, span, &request).await;
    checks().await?;
    let quiet = checks().await?.micros;
    let body = body("storm-NUMBER", "ADDRESS", "token").to_string();
    // It stands back on the processor that it shares with those whose latency is measured.
    let crowd = Load::begin(service.port, BEGIN, service.key(), &body)?;
    let crowd = crowd.connections(CROWD).behind_others();
    let crowd = crowd.start(span + span / 2, service.folder.path())?;
    tokio::time::sleep(span / 4).await;
    let storm = checks().await?.micros;
    let begun = crowd.finish()?;
    Ok(Storm {
        quiet_p50: median(&quiet),
        quiet_p99: percentile(&quiet, 99.0),
        storm_p50: median(&storm),
        storm_p99: percentile(&storm, 99.0),
        begun_per_second: begun.requests as f64 * 1e6 / begun.micros,
    })
}
