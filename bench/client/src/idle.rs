//! What it costs to keep watch over a session when there is nothing to do.

use std::time::Duration;

use handstamp_client::MemoryStorage;

use crate::measure::Aim;
use crate::tokens::waits;
use crate::{Failure, ours};

/// How often monitoring looks at what is kept, if nothing is due before.
const POLL: Duration = Duration::from_secs(300);

pub(crate) fn run(span: Duration, aims: &mut Vec<Aim>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (kept, idle) = runtime.block_on(async {
        let idle = count(span).await;
        let manager = ours::signed_in(MemoryStorage::new()).await?;
        let _monitoring = manager.initialize_session_monitoring().await?;
        Ok::<_, Failure>((count(span).await, idle))
    })?;
    let (ours, polls) = (kept.saturating_sub(idle), span.as_secs().div_ceil(POLL.as_secs()));
    println!("Watching over a session for {} s wakes the process {ours} times.", span.as_secs());
    aims.push(Aim {
        what: "wake-ups while nothing is due, for each look at what is kept, one every 300 s",
        measured: ours as f64 / polls.max(1) as f64,
        at_most: 1.0,
        unit: "wake-ups",
    });
    Ok(())
}

/// How often this process is woken in a while.
async fn count(span: Duration) -> u64 {
    let before = waits();
    tokio::time::sleep(span).await;
    waits() - before
}
