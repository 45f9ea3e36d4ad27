//! How long a program takes to find its session again, in a sealed file.

use std::time::{Duration, Instant};

use handstamp_client::SessionManager;
use handstamp_client::storage::{Protection, SealedFile, SealingKey};

use crate::measure::{Aim, middle, nanos};
use crate::{Failure, ours};

/// How many programs start.
const STARTS: usize = 200;

pub(crate) fn run(aims: &mut Vec<Aim>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("session");
    let storage = || SealedFile::new(&path, Protection::Key(SealingKey::from_bytes([7; 32])));
    runtime.block_on(ours::signed_in(storage()))?;
    let start = || -> Result<Duration, Failure> {
        let begun = Instant::now();
        let manager = SessionManager::builder().storage(storage()).build();
        runtime.block_on(manager.restore())?;
        Ok(begun.elapsed())
    };
    let taken = middle((0..STARTS).map(|_| start()).collect::<Result<_, _>>()?);
    println!("A session is restored from a sealed file in {:.0} µs.", nanos(taken) / 1e3);
    aims.push(Aim {
        what: "restoring from a sealed file, without Argon2",
        measured: nanos(taken) / 1e6,
        at_most: 5.0,
        unit: "ms",
    });
    Ok(())
}
