//! What operators hear of: every event of the audit log.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use futures_util::stream;
use handstamp_axum::problem::Problem;
use handstamp_core::event::{Action, Event};
use handstamp_core::{Ending, SessionError, Subject};
use http::{HeaderMap, StatusCode};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::{Instant, interval_at};

use super::{SILENCE, event};
use crate::answer::{Reader, log_entry};
use crate::body::bad;
use crate::caller::{Operator, refused};
use crate::hub::{self, Place, Told};
use crate::service::Service;
use crate::sse;

const LAST_EVENT_ID: &str = "last-event-id";

/// Tells that events were missed, and how many.
const LAGGED: &str = "lagged";

/// `GET /admin/events`. With `Last-Event-ID` it begins with what came after that one.
///
/// # Errors
/// 400 for a `Last-Event-ID` that is none, or ahead of the log: an older database may have been put
/// in the place of the one that it is from, and whoever waited on would hear nothing.
pub(crate) async fn admin_events(
    State(service): State<Arc<Service>>,
    operator: Operator,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let told = service.hub.listen();
    let last = place(&headers)?;
    let mut waiting = VecDeque::new();
    if let Some(place) = last {
        if !hub::has(&service.sessions, place).await.map_err(refused)? {
            return Err(unknown_place());
        }
        waiting.extend(hub::after_place(&service.sessions, place).await.map_err(refused)?);
    }
    let listener = Listener {
        told,
        is_behind: last.is_some(),
        last,
        waiting,
        of: Credential::new(&operator),
        stopping: Box::pin(service.stopping()),
        silence: interval_at(Instant::now() + SILENCE, SILENCE),
        service: Arc::clone(&service),
    };
    let greeting = stream::once(std::future::ready(sse::COMMENT.to_owned()));
    let texts = stream::unfold(listener, async |mut listener| {
        let text = listener.next().await?;
        Some((text, listener))
    });
    Ok(sse::answer(&service, futures_util::StreamExt::chain(greeting, texts)))
}

fn place(headers: &HeaderMap) -> Result<Option<Place>, Problem> {
    let Some(value) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    let place = value.to_str().ok().and_then(|text| text.parse().ok());
    place.map(Some).ok_or_else(unknown_place)
}

fn unknown_place() -> Problem {
    bad(StatusCode::BAD_REQUEST, "Last-Event-ID is of no event of this log")
}

/// What an operator acts by, and how it comes to its end.
struct Credential {
    subject: Option<Subject>,
    key: Option<Arc<str>>,
    ended: Pin<Box<dyn Future<Output = Ending> + Send>>,
}

impl Credential {
    fn new(operator: &Operator) -> Self {
        let key = operator.name.strip_prefix("service:").map(Arc::from);
        match &operator.holder {
            Some(holder) => {
                holder.session.not_activity();
                let ended = Box::pin(holder.session.ended());
                Self { subject: holder.session.user_id(), key, ended }
            }
            None => Self { subject: None, key, ended: Box::pin(std::future::pending()) },
        }
    }

    /// Whether an event may have taken the right to listen: whoever still has it comes again.
    fn is_doubted_by(&self, happened: &Event) -> bool {
        let is_own = self.subject.is_some() && happened.subject == self.subject;
        is_own && matches!(happened.action, Action::RolesChanged | Action::SubjectDisabled)
    }
}

struct Listener {
    told: broadcast::Receiver<Told>,
    /// Whether the log may hold more than waits.
    is_behind: bool,
    /// What was told last.
    last: Option<Place>,
    waiting: VecDeque<Told>,
    of: Credential,
    stopping: Pin<Box<dyn Future<Output = ()> + Send>>,
    silence: tokio::time::Interval,
    service: Arc<Service>,
}

impl Listener {
    /// What it is to hear next; `None` when the stream is over.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(told) = self.waiting.pop_front() {
                match self.tell(&told) {
                    Some(text) => return Some(text),
                    None => continue,
                }
            }
            if self.is_behind {
                self.read_on().await.ok()?;
                continue;
            }
            tokio::select! {
                () = &mut self.stopping => return None,
                _ = &mut self.of.ended => return None,
                told = self.told.recv() => match told {
                    Ok(told) if self.of.is_doubted_by(&told.event) => return None,
                    Ok(told) => self.waiting.push_back(told),
                    Err(RecvError::Lagged(missed)) => {
                        self.is_behind = self.last.is_some();
                        let body = serde_json::json!({ "missed": missed });
                        return Some(event(LAGGED, None, &body));
                    }
                    Err(RecvError::Closed) => return None,
                },
                _ = self.silence.tick() => {
                    if !may_go_on(&self.service, self.of.key.clone()).await {
                        return None;
                    }
                    return Some(sse::COMMENT.to_owned());
                }
            }
        }
    }

    /// Reads what came after the last that was told.
    async fn read_on(&mut self) -> Result<(), SessionError> {
        if let Some(last) = self.last {
            let read = hub::after_place(&self.service.sessions, last).await?;
            self.is_behind = !read.is_empty();
            self.waiting.extend(read);
        }
        Ok(())
    }

    /// The text of an event; `None` for one that was told from the log before.
    fn tell(&mut self, told: &Told) -> Option<String> {
        let Told { place, event: happened } = told;
        if self.last.is_some_and(|last| place.is_told_by(last)) {
            return None;
        }
        self.last = Some(*place);
        let name = happened.action.to_string();
        let entry = log_entry(happened, Reader::Operator);
        Some(event(&name, Some(&place.to_string()), &entry))
    }
}

/// Whether a key that the stream was opened with is still good. A store that does not answer says
/// nothing of it.
async fn may_go_on(service: &Service, key: Option<Arc<str>>) -> bool {
    match key {
        Some(key) => service.keys.is_good(&key).await.unwrap_or(true),
        None => true,
    }
}
