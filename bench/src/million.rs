//! Many sessions in one process: what they weigh, what a read costs among them, what it does to
//! others when they all end, and how soon a server that holds them answers after a start.

pub(crate) mod fill;
mod serve;

use std::sync::Arc;
use std::time::{Duration, Instant};

use handstamp::{KeyRing, SessionConfig, SessionManager, SqliteStore};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::drive::Ran;
use crate::options::{Case, Options, Peer};
use crate::peers::Synchronous;
use crate::peers::handstamp::{Leaping, routes, store as open};
use crate::{Fault, child, disk, spawn};
use fill::Cookie;
pub(crate) use serve::Latencies;

/// What is found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Million {
    pub(crate) sessions: u64,
    /// Sign-ins with a first request that stores four values, per second, NORMAL.
    pub(crate) begun_per_second: f64,
    /// Of database and log, closed: row, indexes, head, event.
    pub(crate) bytes_per_row: f64,
    /// Growth of the process (RSS) while all sessions come into the near cache.
    pub(crate) bytes_per_cached: f64,
    /// What the cache reckons itself.
    pub(crate) reckoned_per_cached: f64,
    /// Cold start: until the store is open, and until the first request is answered.
    pub(crate) open_millis: f64,
    pub(crate) first_answer_millis: f64,
    /// A read of one of so few sessions, chosen at random, and of one of all.
    pub(crate) read_few_nanos: f64,
    pub(crate) read_all_nanos: f64,
    /// Latencies while nothing else happens, while all end, while all are purged.
    pub(crate) quiet: Latencies,
    pub(crate) ending: Latencies,
    pub(crate) purging: Latencies,
    pub(crate) ended_per_second: f64,
    pub(crate) purged_per_second: f64,
}

/// So few are "few" sessions.
const FEW: usize = 1000;

/// How long tombstones are kept here: from the end of all sessions to their purge.
const KEEP: Duration = Duration::from_secs(30 * 86_400);

/// Longer than any session here lives idle, and shorter than tombstones are kept.
const DAYS: i64 = 3 * 86_400_000;

/// Everything that one measurement shares.
struct World {
    folder: TempDir,
    keys: KeyRing,
    config: SessionConfig,
    clock: Arc<Leaping>,
}

impl World {
    fn new() -> Result<Self, Fault> {
        const NEVER: Duration = Duration::from_secs(86_400 * 365);
        let config = SessionConfig::default().edit();
        let config = config.cache_bytes(16 << 30).cleanup_every(NEVER).keep_tombstones(KEEP);
        Ok(Self {
            folder: disk::scratch()?,
            keys: KeyRing::generate()?,
            config: config.build()?,
            clock: Leaping::new(),
        })
    }

    async fn store(&self, synchronous: Synchronous) -> Result<SqliteStore, Fault> {
        open(self.folder.path(), synchronous).await
    }

    fn manager(&self, store: SqliteStore) -> SessionManager {
        let manager = SessionManager::builder(store, self.config.clone(), self.keys.clone());
        manager.clock(Arc::clone(&self.clock)).build()
    }
}

/// Measures with `count` sessions.
pub(crate) async fn measure(count: u64) -> Result<Million, Fault> {
    let world = World::new()?;
    let start = Instant::now();
    let cookies = {
        let manager = world.manager(world.store(Synchronous::Normal).await?);
        let cookies = fill::begin(&manager, count).await?;
        manager.shutdown().await?;
        cookies
    };
    let begun_per_second = count as f64 / start.elapsed().as_secs_f64();
    say("sessions have begun", start);
    let row_bytes = closed_bytes(&world).await?;

    let start = Instant::now();
    let store = world.store(Synchronous::Full).await?;
    let open_millis = millis(start);
    let manager = world.manager(store);
    let router = routes(manager.clone(), Arc::clone(&world.clock));
    serve::read(&router, &cookies[..1], 1).await?;
    let first_answer_millis = millis(start);

    let before = disk::resident_bytes();
    fill::cache(&manager, &cookies).await?;
    let grown = disk::resident_bytes().saturating_sub(before);
    let (cached, reckoned) = manager.cache_usage();
    say("sessions are cached", start);
    let (few, all) = reads(&router, &cookies).await?;

    let quiet = serve::quiet(&manager, &world, count < 100_000).await?;
    let (ending, ended_per_second) = serve::beside_cleanup(&manager, &world, DAYS).await?;
    say("sessions have ended", start);
    let keep = i64::try_from(KEEP.as_millis())?;
    let (purging, purged_per_second) = serve::beside_cleanup(&manager, &world, keep).await?;
    say("sessions are purged", start);
    Ok(Million {
        sessions: count,
        begun_per_second,
        bytes_per_row: row_bytes as f64 / count as f64,
        bytes_per_cached: grown as f64 / cached.max(1) as f64,
        reckoned_per_cached: reckoned as f64 / cached.max(1) as f64,
        open_millis,
        first_answer_millis,
        read_few_nanos: few,
        read_all_nanos: all,
        quiet,
        ending,
        purging,
        ended_per_second,
        purged_per_second,
    })
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

fn say(what: &str, since: Instant) {
    eprintln!("  {what} ({:.0} s)", since.elapsed().as_secs_f64());
}

/// Bytes on disk, once the last of the old connections is gone.
async fn closed_bytes(world: &World) -> Result<u64, Fault> {
    for _ in 0..600 {
        // The lock is free as soon as everything is written back.
        if world.store(Synchronous::Normal).await.is_ok() {
            return disk::bytes_in(world.folder.path());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err("the store was not closed".into())
}

/// Nanoseconds per read, among few and among all: in turn, the medians.
async fn reads(router: &axum::Router, cookies: &[Cookie]) -> Result<(f64, f64), Fault> {
    let (mut few, mut all) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        few.push(Ran::nanos_each(
            serve::read(router, &cookies[..FEW.min(cookies.len())], READS).await?,
        ));
        all.push(Ran::nanos_each(serve::read(router, cookies, READS).await?));
    }
    Ok((crate::statistics::median(&few), crate::statistics::median(&all)))
}

/// Reads in one measurement.
const READS: u64 = 200_000;

/// Runs the child.
pub(crate) fn run(options: &Options) -> Result<Million, Fault> {
    let count = options.count.unwrap_or(if options.quick { 5_000 } else { 1_000_000 });
    let mut arguments = child::arguments(Peer::HandstampFull, Case::Million, 2);
    arguments.extend(["--count".into(), count.to_string()]);
    spawn::child(&spawn::itself()?, &arguments)
}
