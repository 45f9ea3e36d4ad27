//! Tells an open page the moment its session ends, wherever that was done.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::{Stream, StreamExt, future, stream};
use handstamp_axum::Session;
use handstamp_core::Ending;

use super::App;
use super::wording;

/// Server-sent events: `watching` at once, `ended` with words when the session has ended.
///
/// Without a session there is nothing to watch, so `ended` comes at once: a page that was asleep
/// while its session ended learns of it when it asks again.
pub(super) async fn watch(
    State(app): State<Arc<App>>,
    session: Session,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    // A page that stands open is not somebody who is active.
    session.not_activity();
    let end = stream::once(words_at_end(app, session)).filter_map(future::ready);
    let watching = Event::default().event("watching").data("yes");
    let events = stream::once(future::ready(watching))
        .chain(end.map(|words| Event::default().event("ended").data(words)));
    Sse::new(events.map(Ok)).keep_alive(KeepAlive::default())
}

/// Why the session ended, once it has; nothing when the program stops before that, or when nobody can say.
async fn words_at_end(app: Arc<App>, session: Session) -> Option<&'static str> {
    if !session.is_authenticated() {
        return Some(wording::refused(&session));
    }
    let ended = session.ended();
    drop(session);
    tokio::select! {
        ending = ended => match ending {
            Ending::Ended { reason, .. } => Some(wording::why(reason)),
            Ending::Suspended => Some(wording::SET_ASIDE),
            Ending::Unconfirmed => None,
            _ => Some(wording::SIGNED_OUT),
        },
        () = app.stopping() => None,
    }
}
