//! The server's clock, which all processes go by: theirs may be wrong, each in its own way.

use std::time::Instant;

use handstamp_core::time::{SystemClock, Timestamp};

use crate::fault::Fault;
use crate::link::Link;
use crate::rows::Columns;

/// Both factors are of one type: of two, a schema of others could bring the operator.
const ASK: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000.0)::BIGINT";

/// How often it is asked when it is read; the quickest answer is the best.
const TIMES: usize = 3;

/// What it says now.
pub(crate) async fn ask(link: &Link) -> Result<Timestamp, Fault> {
    let rows = link.rows(|| sqlx::query(ASK)).await?;
    Columns::of(rows.first().ok_or(Fault::Stored("clock"))?).time("clock")
}

/// Reads it, to be carried on here. It is right to within half a round trip.
pub(crate) async fn read(link: &Link) -> Result<SystemClock, Fault> {
    let mut best = None;
    for _ in 0..TIMES {
        let asked = Instant::now();
        let said = ask(link).await?;
        let took = asked.elapsed();
        let clock = SystemClock::showing(said.plus(took / 2));
        if best.as_ref().is_none_or(|(least, _)| took < *least) {
            best = Some((took, clock));
        }
    }
    let (_, clock) = best.ok_or(Fault::Stored("clock"))?;
    Ok(clock)
}
