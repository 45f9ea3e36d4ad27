//! The feed for verifiers: what no longer is good, as it is committed.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use handstamp_axum::problem::Problem;
use handstamp_protocol::feed::{Cursor, FeedLine, FeedQuery, heartbeat_event, lines_event};
use http::StatusCode;
use http::header::CACHE_CONTROL;
use tokio::sync::watch;

use crate::body::bad;
use crate::caller::{Feed, ServiceCaller};
use crate::feed::{Portion, Progress};
use crate::json::Body;
use crate::query::Query;
use crate::service::Service;
use crate::service_keys::ServiceKey;
use crate::sse;

/// The least time between two heartbeats. The log is read each second, and more often while
/// something is committed.
const BETWEEN: Duration = Duration::from_millis(500);

/// How many lines one event tells: the longest of them stay far under what a reader takes.
const LINES: usize = 1_024;

/// `GET /feed/revocations`.
pub(crate) async fn revocations(
    State(service): State<Arc<Service>>,
    ServiceCaller(key, _): ServiceCaller<Feed>,
    Query(query): Query<FeedQuery>,
) -> Result<Response, Problem> {
    let taken_up = service.feed.elapsed();
    if query.after.as_ref().is_some_and(|after| Cursor::parse(after.as_str()).is_none()) {
        return Err(bad(StatusCode::BAD_REQUEST, "after is no cursor of this feed"));
    }
    let told = service.feed.place(query.after.as_ref()).ok_or_else(gone)?;
    let mut progress = service.feed.progress();
    progress.mark_changed();
    let follower = Follower {
        key,
        heard: Progress::heard(told),
        taken_up,
        beat_at: None,
        stopping: Box::pin(service.stopping()),
        progress,
        service: Arc::clone(&service),
    };
    let texts = stream::unfold(follower, async |mut follower| {
        let text = follower.next().await?;
        Some((text, follower))
    });
    Ok(sse::answer(&service, texts))
}

fn gone() -> Problem {
    bad(StatusCode::GONE, "what came after this cursor is not held any more: take a snapshot")
}

/// `GET /feed/snapshot`.
pub(crate) async fn snapshot(
    State(service): State<Arc<Service>>,
    _: ServiceCaller<Feed>,
) -> Result<Response, Problem> {
    let snapshot = service.feed.snapshot().await?;
    Ok(([(CACHE_CONTROL, "no-store")], Body(snapshot)).into_response())
}

/// One who follows.
struct Follower {
    service: Arc<Service>,
    key: Arc<ServiceKey>,
    progress: watch::Receiver<Progress>,
    /// What it has heard.
    heard: Progress,
    /// When its request was taken up.
    taken_up: Duration,
    /// The beginning of the read that the last heartbeat told of.
    beat_at: Option<Duration>,
    stopping: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Follower {
    /// What it is to hear next; `None` when the stream is over: the service stops, the key was
    /// revoked, or it fell too far behind.
    async fn next(&mut self) -> Option<String> {
        loop {
            tokio::select! {
                biased;
                () = &mut self.stopping => return None,
                changed = self.progress.changed() => changed.ok()?,
            }
            self.progress.mark_unchanged();
            let Portion { lines, progress } = self.service.feed.since(self.heard)?;
            let mut text = self.tell(&lines, progress);
            if let Some(at_ms) = self.beat(progress) {
                if !may_go_on(&self.service, &self.key).await {
                    return None;
                }
                text += &heartbeat_event(&self.service.feed.cursor(progress), at_ms);
            }
            if !text.is_empty() {
                return Some(text);
            }
        }
    }

    /// The events of `lines`. All but the last carry the cursor before them, so that who is cut off
    /// in between hears them again.
    fn tell(&mut self, lines: &[FeedLine], progress: Progress) -> String {
        let feed = &self.service.feed;
        let last = lines.chunks(LINES).count().saturating_sub(1);
        let events = lines.chunks(LINES).enumerate().map(|(index, lines)| {
            let at = if index == last { progress } else { self.heard };
            lines_event(&feed.cursor(at), lines)
        });
        let text = events.collect();
        self.heard = progress;
        text
    }

    /// How long after the request was taken up the read began that found all of this; `None` when
    /// it began before, or no heartbeat is due.
    fn beat(&mut self, progress: Progress) -> Option<u64> {
        let began = progress.began.filter(|began| *began >= self.taken_up)?;
        let next = self.beat_at.map(|at| at + BETWEEN);
        if next.is_some_and(|next| began < next) {
            return None;
        }
        self.beat_at = Some(began);
        u64::try_from((began - self.taken_up).as_millis()).ok()
    }
}

/// Whether the key is still good. A store that does not answer says nothing of it, and no heartbeat
/// is sent either.
async fn may_go_on(service: &Service, key: &ServiceKey) -> bool {
    service.keys.is_good(&key.id).await.unwrap_or(true)
}
