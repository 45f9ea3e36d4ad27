//! What a holder hears of.

use std::pin::Pin;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use futures_util::stream;
use handstamp_axum::problem::Problem;
use handstamp_core::event::{Action, Event};
use handstamp_core::record::EndReason;
use handstamp_core::{Ending, SessionId, Subject};
use handstamp_protocol::events::{HolderEvent, HolderEventName as Name};
use handstamp_protocol::sessions::Reason;
use http::request::Parts;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::{Instant, interval_at};

use super::places::Place;
use super::{SILENCE, event};
use crate::answer::{reason, time};
use crate::caller::{Holder, refused};
use crate::hub::Told;
use crate::service::Service;
use crate::sse;

/// `GET /sessions/events`. Not activity. The stream is over with the session, not with its token.
///
/// # Errors
/// 429 when the session has 32 streams open already.
pub(crate) async fn events(
    State(service): State<Arc<Service>>,
    parts: Parts,
) -> Result<Response, Problem> {
    // Before the session is judged, so that nothing falls in between.
    let told = service.hub.listen();
    let holder = Holder::onlooking(&parts, &service).await?;
    let not_found = || refused(handstamp_core::SessionError::NotFound);
    let id = holder.session.id().ok_or_else(not_found)?;
    let listener = Listener {
        _place: service.streams.take(id)?,
        id,
        subject: holder.session.user_id(),
        told,
        ended: Box::pin(holder.session.ended()),
        stopping: Box::pin(service.stopping()),
        silence: interval_at(Instant::now() + SILENCE, SILENCE),
        is_over: false,
        service: Arc::clone(&service),
    };
    let greeting = stream::once(std::future::ready(sse::COMMENT.to_owned()));
    let texts = stream::unfold(listener, async |mut listener| {
        let text = listener.next().await?;
        Some((text, listener))
    });
    Ok(sse::answer(&service, futures_util::StreamExt::chain(greeting, texts)))
}

struct Listener {
    _place: Place,
    id: SessionId,
    subject: Option<Subject>,
    told: broadcast::Receiver<Told>,
    ended: Pin<Box<dyn Future<Output = Ending> + Send>>,
    stopping: Pin<Box<dyn Future<Output = ()> + Send>>,
    silence: tokio::time::Interval,
    is_over: bool,
    service: Arc<Service>,
}

impl Listener {
    /// What it is to hear next; `None` when the stream is over.
    async fn next(&mut self) -> Option<String> {
        if self.is_over {
            return None;
        }
        loop {
            tokio::select! {
                () = &mut self.stopping => return None,
                ending = &mut self.ended => {
                    self.is_over = true;
                    return self.own_end(ending);
                }
                told = self.told.recv() => match told {
                    Ok(told) => if let Some(text) = self.tell(&told.event) {
                        return Some(text);
                    },
                    // What was missed is in the list.
                    Err(RecvError::Lagged(_)) => {
                        return Some(event(Name::SessionsChanged.as_str(), None, &self.now(None, None)));
                    }
                    Err(RecvError::Closed) => return None,
                },
                _ = self.silence.tick() => return Some(sse::COMMENT.to_owned()),
            }
        }
    }

    /// What a committed event says to this holder; the end of the own session is told by whoever
    /// waits for it.
    fn tell(&self, happened: &Event) -> Option<String> {
        if !self.concerns(happened) {
            return None;
        }
        let is_own = happened.session == Some(self.id);
        let reason = happened.details.get("reason").and_then(|reason| reason.as_str());
        let body = HolderEvent {
            session_id: happened.session.map(|id| id.to_string()),
            at: time(happened.at),
            reason: reason.filter(|_| is_end(happened)).map(Reason::from),
        };
        let told = |name: Name| event(name.as_str(), None, &body);
        match happened.action {
            Action::SessionRefreshed | Action::SessionRotated => {
                is_own.then(|| told(Name::SessionRefreshed))
            }
            Action::StepUp => {
                is_own.then(|| told(Name::SessionRefreshed) + &told(Name::SessionsChanged))
            }
            Action::SessionEnded if is_own => None,
            Action::SessionEnded => Some(told(Name::SessionEnded) + &told(Name::SessionsChanged)),
            Action::SessionStarted
            | Action::GuestStarted
            | Action::GuestUpgraded
            | Action::SessionSuspended
            | Action::SessionResumed
            | Action::RolesChanged
            | Action::SubjectEnded => Some(told(Name::SessionsChanged)),
            _ => None,
        }
    }

    fn concerns(&self, happened: &Event) -> bool {
        let is_own = happened.session == Some(self.id);
        is_own || (self.subject.is_some() && happened.subject == self.subject)
    }

    /// `None` where it may be good: the stream closes, and whoever comes again is told.
    fn own_end(&self, ending: Ending) -> Option<String> {
        let body = match ending {
            Ending::Unconfirmed => return None,
            Ending::Ended { reason: why, at } => {
                HolderEvent { at: time(at), ..self.now(Some(self.id), Some(why)) }
            }
            _ => self.now(Some(self.id), None),
        };
        Some(event(Name::SessionEnded.as_str(), None, &body))
    }

    fn now(&self, id: Option<SessionId>, why: Option<EndReason>) -> HolderEvent {
        let session_id = id.map(|id| id.to_string());
        HolderEvent { session_id, at: time(self.service.sessions.now()), reason: why.map(reason) }
    }
}

fn is_end(happened: &Event) -> bool {
    matches!(happened.action, Action::SessionEnded | Action::SubjectEnded)
}
