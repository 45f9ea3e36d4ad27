//! What one process measures, and the line of JSON that it prints.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use handstamp::random::SeededRng;
use handstamp::store::Found;
use handstamp::{KeyRing, PostgresStore, SessionConfig, SessionManager};
use http::HeaderValue;
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

use super::options::{Measured, Served, What, Who};
use super::{crowd, raw};
use crate::child::cpu_time;
use crate::drive::{self, Until, drive};
use crate::million::fill;
use crate::peers::{plain, tower_sessions};
use crate::{Fault, peers};

/// What a child has found. What it did not measure is 0.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// From the first request to the last answer, divided by their number.
    pub(crate) nanos: f64,
    /// Processor time of the whole process meanwhile, divided likewise.
    pub(crate) cpu_nanos: f64,
    /// Durable changes per second.
    pub(crate) changes: f64,
    /// The same where each is the first of its page after a checkpoint.
    pub(crate) first_changes: f64,
}

/// Sessions of a cold read: far more than the smallest cache holds.
const COLD: u64 = 20_000;

/// Clients of durable writes.
const WRITERS: usize = 32;

/// Measures what the options tell and prints it.
pub(crate) fn measure(measured: &Measured) -> Result<(), Fault> {
    let runtime = runtime(measured.clients)?;
    let sample = runtime.block_on(async {
        match (measured.who, measured.what) {
            (Who::Raw, What::Cold) => raw::round_trip(measured, COLD).await,
            (Who::Raw, _) => raw::batches(measured).await,
            (_, What::Cold) => cold(measured, COLD).await,
            (_, What::Many) => many(measured).await,
            (_, what) => requests(measured, what).await,
        }
    })?;
    println!("{}", serde_json::to_string(&sample)?);
    runtime.shutdown_timeout(Duration::from_secs(10));
    Ok(())
}

fn runtime(clients: usize) -> Result<Runtime, Fault> {
    let mut builder = match clients {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    Ok(builder.worker_threads(2).enable_all().build()?)
}

async fn router(who: Who, what: What, url: &str) -> Result<Router, Fault> {
    let router = match who {
        Who::PassThrough | Who::Raw => plain::pass_through(),
        Who::Handstamp => {
            peers::handstamp::router(what.case(), PostgresStore::open(url).await?, keys()?)?
        }
        Who::TowerSessions => tower_sessions::on_postgres(what.case(), url).await?,
    };
    // As every server does before it serves.
    Ok(router.with_state(()))
}

/// Two nodes have one ring: every child draws the same.
fn keys() -> Result<KeyRing, Fault> {
    Ok(KeyRing::generate_with(&SeededRng::new(1))?)
}

const fn path(what: What) -> &'static str {
    match what {
        What::Read => "/read",
        What::Write => "/write",
        What::Touch => "/touch",
        _ => "/untouched",
    }
}

async fn requests(measured: &Measured, what: What) -> Result<Sample, Fault> {
    let router = router(measured.who, what, &measured.url).await?;
    let mut cookies = Vec::new();
    for client in 0..measured.clients {
        cookies.push(drive::begin(&router, &format!("/begin/{client}")).await?);
    }
    timed(&router, path(what), &cookies, Duration::from_millis(measured.millis)).await
}

/// Sends requests for a quarter of the time without counting, then for all of it.
async fn timed(
    router: &Router,
    path: &'static str,
    cookies: &[HeaderValue],
    span: Duration,
) -> Result<Sample, Fault> {
    drive(router, path, cookies, Until::Time(Instant::now() + span / 4)).await?;
    let cpu = cpu_time();
    let ran = drive(router, path, cookies, Until::Time(Instant::now() + span)).await?;
    let cpu = cpu_time().saturating_sub(cpu);
    let nanos = ran.nanos_each();
    Ok(Sample {
        nanos,
        cpu_nanos: cpu.as_nanos() as f64 / ran.requests as f64,
        changes: 1e9 / nanos,
        ..Sample::default()
    })
}

/// Our engine on this database, with a cache of the smallest size.
async fn small(url: &str) -> Result<SessionManager, Fault> {
    const NEVER: Duration = Duration::from_secs(86_400 * 365);
    let config = SessionConfig::default().edit().cache_bytes(1 << 20).cleanup_every(NEVER);
    let store = PostgresStore::open(url).await?;
    Ok(SessionManager::builder(store, config.build()?, keys()?).build())
}

/// Loads one session after another of more than the cache holds.
async fn cold(measured: &Measured, sessions: u64) -> Result<Sample, Fault> {
    let manager = small(&measured.url).await?;
    let cookies = fill::begin(&manager, sessions).await?;
    let nanos = loads(&manager, &cookies, Duration::from_millis(measured.millis)).await?;
    Ok(Sample { nanos, ..Sample::default() })
}

async fn loads(
    manager: &SessionManager,
    cookies: &[fill::Cookie],
    span: Duration,
) -> Result<f64, Fault> {
    let (start, mut count) = (Instant::now(), 0_u64);
    // A step that is prime to the number of sessions comes by all of them before it repeats one.
    let mut places = (0..cookies.len()).map(|place| place * 7919 % cookies.len()).cycle();
    while start.elapsed() < span {
        let place = places.next().ok_or("there are no sessions")?;
        manager.load(std::str::from_utf8(&cookies[place])?).await?;
        count += 1;
    }
    Ok(start.elapsed().as_nanos() as f64 / count as f64)
}

/// Sessions in use among many: far more than the smallest cache holds.
const IN_USE: u64 = 20_000;

/// Reads from the store by one client, then durable writes by many, each to a session of its own. The
/// first write of a page after a checkpoint logs all of it, so each session in use is written once
/// before.
async fn many(measured: &Measured) -> Result<Sample, Fault> {
    let in_use = measured.sessions.min(IN_USE);
    let manager = small(&measured.url).await?;
    let cookies = Arc::new(fill::begin(&manager, in_use).await?);
    crowd::multiply(&measured.url, measured.sessions / in_use).await?;
    let span = Duration::from_millis(measured.millis);
    let nanos = reads(&manager, &cookies, span).await?;
    let first_changes = writes(&manager, &cookies, Until::Count(in_use)).await?;
    let changes = writes(&manager, &cookies, Until::Time(Instant::now() + span)).await?;
    Ok(Sample { nanos, changes, first_changes, ..Sample::default() })
}

/// Whatever the cache holds: few sessions fit into the smallest one.
async fn reads(
    manager: &SessionManager,
    cookies: &[fill::Cookie],
    span: Duration,
) -> Result<f64, Fault> {
    let mut ids = Vec::new();
    for cookie in cookies.iter().step_by(cookies.len().div_ceil(1000)) {
        let session = manager.load(std::str::from_utf8(cookie)?).await?;
        ids.push(session.record().ok_or("a session has a record")?.id);
    }
    let (start, mut count) = (Instant::now(), 0_usize);
    while start.elapsed() < span {
        let id = ids[count * 7919 % ids.len()];
        let answer = manager.store().load(&[id]).await?;
        if !matches!(answer.found[..], [Found::Record(_)]) {
            return Err("a session is not there".into());
        }
        count += 1;
    }
    Ok(start.elapsed().as_nanos() as f64 / count as f64)
}

async fn writes(
    manager: &SessionManager,
    cookies: &Arc<Vec<fill::Cookie>>,
    until: Until,
) -> Result<f64, Fault> {
    let (start, mut tasks) = (Instant::now(), tokio::task::JoinSet::new());
    for writer in 0..WRITERS {
        let (manager, cookies) = (manager.clone(), Arc::clone(cookies));
        tasks.spawn(async move {
            let mut count = 0;
            loop {
                let number = writer + count * WRITERS;
                let is_over = match until {
                    Until::Time(end) => Instant::now() >= end,
                    Until::Count(all) => number as u64 >= all,
                };
                if is_over {
                    return Ok::<_, Fault>(count);
                }
                let place = number * 7919 % cookies.len();
                let session = manager.load(std::str::from_utf8(&cookies[place])?).await?;
                session.set(peers::COUNT, &count)?;
                session.commit().await?;
                count += 1;
            }
        });
    }
    let mut changes = 0;
    while let Some(done) = tasks.join_next().await {
        changes += done??;
    }
    Ok(changes as f64 / start.elapsed().as_secs_f64())
}

/// Serves a router over HTTP until it is ended.
pub(crate) fn serve(served: &Served) -> Result<(), Fault> {
    runtime(1)?.block_on(async {
        let router = router(served.who, What::Read, &served.url).await?;
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, served.port)).await?;
        Ok(axum::serve(listener, router).await?)
    })
}
