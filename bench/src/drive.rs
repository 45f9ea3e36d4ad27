//! Sends requests through a router, from several clients at once, and takes the time.

use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderValue, Request, StatusCode};
use tower::ServiceExt;

use crate::Fault;

/// When a client stops.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// At this time.
    Time(Instant),
    /// After so many requests.
    Count(u64),
}

/// The most requests between two looks at the clock.
const LONGEST_BURST: u64 = 64;

/// A burst longer than this is too long.
const BURST_TIME: Duration = Duration::from_millis(1);

/// What came of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ran {
    pub(crate) requests: u64,
    pub(crate) nanos: u128,
}

impl Ran {
    pub(crate) fn nanos_each(self) -> f64 {
        self.nanos as f64 / self.requests.max(1) as f64
    }
}

/// Sends requests for `path`, one client for each cookie.
pub(crate) async fn drive(
    router: &Router,
    path: &'static str,
    cookies: &[HeaderValue],
    until: Until,
) -> Result<Ran, Fault> {
    let start = Instant::now();
    let requests = match cookies {
        [cookie] => client(router.clone(), request(path, cookie)?, until).await?,
        _ => several(router, path, cookies, until).await?,
    };
    Ok(Ran { requests, nanos: start.elapsed().as_nanos() })
}

async fn several(
    router: &Router,
    path: &'static str,
    cookies: &[HeaderValue],
    until: Until,
) -> Result<u64, Fault> {
    let mut clients = tokio::task::JoinSet::new();
    for cookie in cookies {
        clients.spawn(client(router.clone(), request(path, cookie)?, until));
    }
    let mut requests = 0;
    while let Some(done) = clients.join_next().await {
        requests += done??;
    }
    Ok(requests)
}

/// Sends requests in bursts that are short in time, and lets the other clients have their turn in
/// between: those whose answers never wait would otherwise keep their thread for themselves.
async fn client(router: Router, template: Request<()>, until: Until) -> Result<u64, Fault> {
    let (mut sent, mut burst) = (0, 1);
    loop {
        let begun = Instant::now();
        for _ in 0..burst {
            let response = router.clone().oneshot(copy(&template)).await?;
            if response.status() != StatusCode::OK {
                return Err(format!("a request was answered {}", response.status()).into());
            }
        }
        sent += burst;
        let now = Instant::now();
        let (is_over, left) = match until {
            Until::Time(end) => (now >= end, u64::MAX),
            Until::Count(count) => (sent >= count, count.saturating_sub(sent)),
        };
        if is_over {
            return Ok(sent);
        }
        let is_short = now - begun < BURST_TIME;
        burst = if is_short { burst * 2 } else { burst / 2 };
        burst = burst.clamp(1, LONGEST_BURST.min(left));
        tokio::task::yield_now().await;
    }
}

fn request(path: &'static str, cookie: &HeaderValue) -> Result<Request<()>, Fault> {
    Ok(Request::get(path).header(COOKIE, cookie).body(())?)
}

fn copy(template: &Request<()>) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = template.uri().clone();
    *request.headers_mut() = template.headers().clone();
    request
}

/// Begins a session at `path` and answers the cookie that comes back.
pub(crate) async fn begin(router: &Router, path: &str) -> Result<HeaderValue, Fault> {
    let request = Request::get(path).body(Body::empty())?;
    let response = router.clone().oneshot(request).await?;
    let cookie = response.headers().get(SET_COOKIE).ok_or("no cookie was set")?;
    let pair = cookie.to_str()?.split(';').next().unwrap_or_default();
    Ok(HeaderValue::from_str(pair)?)
}
