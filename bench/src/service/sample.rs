//! What a measurement of one server has found.

use std::time::Duration;

use serde::Serialize;

use super::handstamp::Service;
use super::http::{Connection, each};
use super::wrk::Ran;
use crate::Fault;
use crate::statistics::{median, percentile};

/// Figures of one server under one load; times in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Sample {
    pub(crate) per_second: f64,
    /// Processor time of the server for one request.
    pub(crate) cpu: f64,
    /// The same of its database, if that is another process.
    pub(crate) database: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

impl Sample {
    /// Of what wrk saw, and what the server and its database took meanwhile.
    ///
    /// # Errors
    /// Nothing was answered in time.
    pub(crate) fn of_wrk(ran: &Ran, cpu: Duration, database: Duration) -> Result<Self, Fault> {
        if ran.requests == 0 {
            return Err("no request was answered within the time of a measurement".into());
        }
        Ok(Self {
            per_second: ran.requests as f64 * 1e6 / ran.micros,
            cpu: micros_each(cpu, ran.requests),
            database: micros_each(database, ran.requests),
            p50: ran.p50,
            p99: ran.p99,
        })
    }

    /// Does `work` for each number below `count`, with so many clients at once.
    pub(crate) async fn of_each(
        service: &Service,
        clients: u64,
        count: u64,
        work: impl AsyncFn(&mut Connection, u64) -> Result<(), Fault>,
    ) -> Result<Self, Fault> {
        let before = service.process.cpu();
        let sent = each(service.port, clients, count, work).await?;
        Ok(Self {
            per_second: count as f64 / sent.span.as_secs_f64(),
            cpu: micros_each(service.process.cpu().saturating_sub(before), count),
            database: 0.0,
            p50: median(&sent.micros),
            p99: percentile(&sent.micros, 99.0),
        })
    }
}

fn micros_each(time: Duration, requests: u64) -> f64 {
    time.as_secs_f64() * 1e6 / requests as f64
}
