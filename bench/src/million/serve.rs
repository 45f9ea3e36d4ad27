//! Requests among many sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use handstamp::SessionManager;
use http::header::COOKIE;
use http::{HeaderValue, Request, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tower::ServiceExt;

use super::World;
use super::fill::{self, Cookie};
use crate::Fault;
use crate::drive::Ran;
use crate::peers::handstamp::routes;
use crate::statistics::percentile;

/// Clients beside a cleanup, and the pause between two requests of one: 2,000 requests a second.
const CLIENTS: usize = 20;
const PAUSE: Duration = Duration::from_millis(10);

/// One request in so many writes.
const WRITES: u64 = 10;

/// How long it is quiet; a smoke run is in a hurry.
const QUIET: Duration = Duration::from_secs(10);
const SHORT_QUIET: Duration = Duration::from_secs(1);

/// In microseconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Latencies {
    pub(crate) requests: usize,
    pub(crate) read_p50: f64,
    pub(crate) read_p99: f64,
    pub(crate) write_p50: f64,
    pub(crate) write_p99: f64,
}

/// Reads sessions at random, one after another.
pub(super) async fn read(router: &Router, cookies: &[Cookie], count: u64) -> Result<Ran, Fault> {
    let mut random = 0x9e37_79b9_7f4a_7c15;
    let start = Instant::now();
    for _ in 0..count {
        let chosen = (next(&mut random) % cookies.len() as u64) as usize;
        answered(router, "/read", line(&cookies[chosen])?).await?;
    }
    Ok(Ran { requests: count, nanos: start.elapsed().as_nanos() })
}

/// Xorshift: where it falls matters, that nobody can tell does not.
const fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn line(cookie: &Cookie) -> Result<HeaderValue, Fault> {
    Ok(HeaderValue::from_bytes(&[b"__Host-handstamp=", cookie.as_slice()].concat())?)
}

async fn answered(router: &Router, path: &'static str, cookie: HeaderValue) -> Result<(), Fault> {
    let request = Request::get(path).header(COOKIE, cookie).body(Body::empty())?;
    let response = router.clone().oneshot(request).await?;
    let is_good = response.status() == StatusCode::OK;
    if is_good { Ok(()) } else { Err(format!("{path} was answered {}", response.status()).into()) }
}

/// Latencies while nothing else happens.
pub(super) async fn quiet(
    manager: &SessionManager,
    world: &World,
    is_smoke_run: bool,
) -> Result<Latencies, Fault> {
    let load = Load::start(manager, world).await?;
    tokio::time::sleep(if is_smoke_run { SHORT_QUIET } else { QUIET }).await;
    load.stop().await
}

/// Latencies while a cleanup runs over what is due `later` milliseconds from now; and how many
/// it ended and purged each second.
pub(super) async fn beside_cleanup(
    manager: &SessionManager,
    world: &World,
    later: i64,
) -> Result<(Latencies, f64), Fault> {
    world.clock.leap(later);
    let load = Load::start(manager, world).await?;
    let start = Instant::now();
    let cleaned = manager.cleanup().await?;
    let spent = start.elapsed();
    Ok((load.stop().await?, cleaned.total() as f64 / spent.as_secs_f64()))
}

/// Requests that come at a steady pace until they are told to stop.
struct Load {
    is_over: Arc<AtomicBool>,
    clients: JoinSet<Result<Taken, Fault>>,
}

/// Microseconds of each request.
#[derive(Default)]
struct Taken {
    reads: Vec<f64>,
    writes: Vec<f64>,
}

impl Load {
    /// Each client begins a session of its own.
    async fn start(manager: &SessionManager, world: &World) -> Result<Self, Fault> {
        let router = routes(manager.clone(), Arc::clone(&world.clock));
        let is_over = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for cookie in fill::begin(manager, CLIENTS as u64).await? {
            clients.spawn(client(router.clone(), cookie, Arc::clone(&is_over)));
        }
        Ok(Self { is_over, clients })
    }

    async fn stop(mut self) -> Result<Latencies, Fault> {
        self.is_over.store(true, Ordering::Relaxed);
        let mut all = Taken::default();
        while let Some(done) = self.clients.join_next().await {
            let taken = done??;
            all.reads.extend(taken.reads);
            all.writes.extend(taken.writes);
        }
        Ok(Latencies {
            requests: all.reads.len() + all.writes.len(),
            read_p50: percentile(&all.reads, 50.0),
            read_p99: percentile(&all.reads, 99.0),
            write_p50: percentile(&all.writes, 50.0),
            write_p99: percentile(&all.writes, 99.0),
        })
    }
}

async fn client(router: Router, cookie: Cookie, is_over: Arc<AtomicBool>) -> Result<Taken, Fault> {
    let cookie = line(&cookie)?;
    let mut taken = Taken::default();
    let mut pace = tokio::time::interval(PAUSE);
    for number in 0_u64.. {
        pace.tick().await;
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        let is_write = number.is_multiple_of(WRITES);
        let start = Instant::now();
        answered(&router, if is_write { "/write" } else { "/read" }, cookie.clone()).await?;
        let micros = start.elapsed().as_secs_f64() * 1e6;
        if is_write { taken.writes.push(micros) } else { taken.reads.push(micros) }
    }
    Ok(taken)
}
