//! Sign-ins and refreshes, each durable before it is answered.

use std::cell::RefCell;
use std::path::Path;

use serde::Serialize;

use super::handstamp::{self, Service};
use super::http::each;
use super::options::Options;
use super::sample::Sample;
use crate::Fault;

/// How many people do it at once: changes that wait together are one batch.
const CLIENTS: u64 = 64;

/// Each round of both.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Changes {
    pub(crate) begin: Vec<Sample>,
    pub(crate) refresh: Vec<Sample>,
}

/// Measures both, round by round.
pub(crate) async fn measure(program: &Path, options: &Options) -> Result<Changes, Fault> {
    let mut changes = Changes::default();
    for round in 0..options.rounds() {
        eprintln!("  round {} of {}", round + 1, options.rounds());
        let service = Service::start(program).await?;
        let count = if options.quick { 1_000 } else { 20_000 };
        changes.begin.push(begins(&service, count).await?);
        changes.refresh.push(refreshes(&service, count).await?);
    }
    Ok(changes)
}

async fn begins(service: &Service, count: u64) -> Result<Sample, Fault> {
    Sample::of_each(service, CLIENTS, count, async |connection, number| {
        service.with_tokens(connection, &format!("begin-{number}")).await.map(drop)
    })
    .await
}

/// Many sessions in turn, so that no refresh comes within the grace time of the one before it more
/// often than it would in life.
async fn refreshes(service: &Service, count: u64) -> Result<Sample, Fault> {
    let tokens = RefCell::new(Vec::new());
    each(service.port, CLIENTS, count, async |connection, number| {
        let begun = service.with_tokens(connection, &format!("refresh-{number}")).await?;
        tokens.borrow_mut().push(begun.refresh);
        Ok(())
    })
    .await?;
    let tokens = tokens.into_inner();
    Sample::of_each(service, CLIENTS, count, async |connection, number| {
        let token = tokens.get(usize::try_from(number)?).ok_or("a token is missing")?;
        handstamp::refresh(connection, token).await.map(drop)
    })
    .await
}
