//! Follows the revocation feed: a snapshot first, then the stream, for as long as it is asked to.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use handstamp_protocol::feed::{Cursor, FeedEventName, FeedLine, Heartbeat};
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;

use crate::clock::Clock;
use crate::keys::Keys;
use crate::revocations::{Revocations, StaleSnapshot};
use crate::service::{Service, ServiceError};
use crate::sse::{Event, Parser, SseError};

/// By how much two clocks may run apart: one part in so many (500 ppm, the most that NTP slews).
const DRIFT: u32 = 2000;

/// How a follower behaves in time.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How long to wait before the first try after a failure: 100 ms by default. Doubled for each
    /// further failure.
    pub first_retry: Duration,
    /// The longest wait between tries: 2 s by default, so that a service that comes back is heard
    /// within the lease.
    pub longest_retry: Duration,
    /// A stream that is silent for so long is given up: 3 s by default, three heartbeats.
    pub silence: Duration,
    /// How long one stream is followed before it is opened again: 10 min by default. The moments
    /// that a service tells count from the opening, and its clock may run faster than ours.
    pub stream: Duration,
    /// How often the keys are read again: 5 min by default. What a service withdraws is refused
    /// after so long.
    pub keys: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first_retry: Duration::from_millis(100),
            longest_retry: Duration::from_secs(2),
            silence: Duration::from_secs(3),
            stream: Duration::from_secs(600),
            keys: Duration::from_secs(300),
        }
    }
}

/// Keeps [`Revocations`] and [`Keys`] up to date.
pub struct Follower {
    service: Service,
    keys: Arc<Keys>,
    revocations: Arc<Revocations>,
    clock: Arc<dyn Clock>,
    pace: Pace,
}

/// Why a round of following ended.
#[derive(Debug, thiserror::Error)]
enum FeedError {
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error(transparent)]
    Stream(#[from] SseError),
    #[error(transparent)]
    Stale(#[from] StaleSnapshot),
    #[error("the log no longer reaches back to where we were")]
    Gap,
    #[error("the feed broke off")]
    Ended,
    #[error("the feed has been silent for too long")]
    Silent,
    #[error("the feed told what cannot be understood")]
    Broken,
}

impl From<reqwest::Error> for FeedError {
    fn from(error: reqwest::Error) -> Self {
        Self::Service(error.into())
    }
}

impl Follower {
    /// Follows the feed of `service` at the default pace.
    pub fn new(
        service: Service,
        keys: Arc<Keys>,
        revocations: Arc<Revocations>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { service, keys, revocations, clock, pace: Pace::default() }
    }

    /// The same at another pace.
    #[must_use]
    pub fn with_pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// Follows for ever; drop or abort it to stop. Failures are logged and tried again: while they
    /// last the lease runs out, and every check is an error.
    pub async fn run(self) -> Infallible {
        let (never, _) = tokio::join!(self.follow(), self.read_keys());
        never
    }

    async fn read_keys(&self) -> Infallible {
        loop {
            if let Err(error) = self.keys.refresh(&*self.clock).await {
                log("the keys in force stay", &error);
            }
            let are_awaited = self.keys.are_awaited();
            let pause = if are_awaited { self.pace.longest_retry } else { self.pace.keys };
            tokio::time::sleep(pause).await;
        }
    }

    async fn follow(&self) -> Infallible {
        let mut retry = Retry::new(self.pace);
        let mut needs_snapshot = true;
        loop {
            if let Err(error) = self.round(&mut needs_snapshot, &mut retry).await {
                log("the revocation feed is tried again", &error);
                tokio::time::sleep(retry.pause()).await;
            }
        }
    }

    /// Follows one stream, after a snapshot where one is needed.
    async fn round(&self, needs_snapshot: &mut bool, retry: &mut Retry) -> Result<(), FeedError> {
        if *needs_snapshot {
            let asked_at = self.clock.elapsed();
            self.revocations.restart(&self.service.snapshot().await?, asked_at)?;
            *needs_snapshot = false;
        }
        let result = self.stream(retry).await;
        *needs_snapshot = matches!(result, Err(FeedError::Gap));
        result
    }

    async fn stream(&self, retry: &mut Retry) -> Result<(), FeedError> {
        let cursor = self.revocations.cursor().unwrap_or_default();
        let asked_at = self.clock.elapsed();
        let mut response = self.open(&cursor).await?;
        let mut parser = Parser::default();
        while self.clock.elapsed().saturating_sub(asked_at) < self.pace.stream {
            let chunk = tokio::time::timeout(self.pace.silence, response.chunk()).await;
            let chunk = chunk.map_err(|_| FeedError::Silent)??.ok_or(FeedError::Ended)?;
            for event in parser.push(&chunk)? {
                self.take(&event, asked_at)?;
                retry.reset();
            }
        }
        Ok(())
    }

    async fn open(&self, cursor: &Cursor) -> Result<Response, FeedError> {
        let opening = tokio::time::timeout(self.pace.silence, self.service.stream(cursor)).await;
        let response = match opening.map_err(|_| FeedError::Silent)? {
            Err(ServiceError::Status(410)) => return Err(FeedError::Gap),
            response => response?,
        };
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let is_stream = kind.is_some_and(|kind| kind.starts_with("text/event-stream"));
        is_stream.then_some(response).ok_or(FeedError::Broken)
    }

    fn take(&self, event: &Event, asked_at: Duration) -> Result<(), FeedError> {
        match FeedEventName::from(&*event.name) {
            FeedEventName::Lines => {
                let lines = event.data.lines().map(serde_json::from_str::<FeedLine>);
                let lines = lines.collect::<Result<Vec<_>, _>>().map_err(|_| FeedError::Broken)?;
                self.revocations.apply(&cursor_of(event)?, &lines, self.clock.elapsed());
            }
            FeedEventName::Heartbeat => {
                let heartbeat: Heartbeat =
                    serde_json::from_str(&event.data).map_err(|_| FeedError::Broken)?;
                self.revocations.renew(&cursor_of(event)?, self.read_at(&heartbeat, asked_at));
            }
            _ => {}
        }
        Ok(())
    }

    /// When the service began the read that a heartbeat tells of, by our clock: not later than it
    /// was, and never in the future.
    fn read_at(&self, heartbeat: &Heartbeat, asked_at: Duration) -> Duration {
        let at = Duration::from_millis(heartbeat.at_ms);
        asked_at.saturating_add(at - at / DRIFT).min(self.clock.elapsed())
    }
}

fn cursor_of(event: &Event) -> Result<Cursor, FeedError> {
    Cursor::parse(&event.id).ok_or(FeedError::Broken)
}

/// Waits between tries, each twice as long as the one before.
struct Retry {
    pace: Pace,
    next: Duration,
}

impl Retry {
    const fn new(pace: Pace) -> Self {
        Self { pace, next: pace.first_retry }
    }

    fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = pause.saturating_mul(2).min(self.pace.longest_retry);
        pause
    }

    const fn reset(&mut self) {
        self.next = self.pace.first_retry;
    }
}

fn log(message: &str, error: &dyn std::error::Error) {
    let cause = std::iter::successors(error.source(), |error| error.source()).last();
    tracing::warn!(%error, cause = cause.map(ToString::to_string), "{message}");
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Follower");
        shown.field("service", &self.service).field("pace", &self.pace).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_begin_anew_after_success() {
        let mut retry = Retry::new(Pace::default());
        let waits: Vec<_> = (0..6).map(|_| retry.pause().as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 2000]);
        retry.reset();
        assert_eq!(retry.pause().as_millis(), 100);
    }
}
