//! How soon everybody who watches has seen a change.

use std::time::{Duration, Instant};

use handstamp_client::MemoryStorage;
use tokio::sync::mpsc;

use crate::measure::{Aim, middle, nanos};
use crate::{Failure, ours};

/// How many tasks watch.
const WATCHERS: usize = 1000;
/// How many changes are made.
const CHANGES: usize = 201;

pub(crate) fn run(aims: &mut Vec<Aim>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let taken = middle(runtime.block_on(changes())?);
    println!("{WATCHERS} watchers have seen a change after {:.0} µs.", nanos(taken) / 1e3);
    aims.push(Aim {
        what: "until 1,000 watchers have seen a change",
        measured: nanos(taken) / 1e6,
        at_most: 1.0,
        unit: "ms",
    });
    Ok(())
}

async fn changes() -> Result<Vec<Duration>, Failure> {
    let manager = ours::signed_in(MemoryStorage::new()).await?;
    let (saw, mut seen) = mpsc::unbounded_channel();
    for _ in 0..WATCHERS {
        let (mut watch, saw) = (manager.watch(), saw.clone());
        tokio::spawn(async move {
            while watch.changed().await.is_ok() {
                drop(watch.borrow_and_update().session().cloned());
                let _ = saw.send(());
            }
        });
    }
    let mut taken = Vec::new();
    for number in 0..CHANGES {
        let begun = Instant::now();
        manager.update(|session| session.user.name = Some(number.to_string())).await?;
        for _ in 0..WATCHERS {
            seen.recv().await;
        }
        taken.push(begun.elapsed());
    }
    Ok(taken)
}
