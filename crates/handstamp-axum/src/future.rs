//! The answer on its way out: changes committed, then the headers that the session asks for.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use handstamp_core::{CommitFuture, Leaving, Opened};
use http::Response;
use pin_project_lite::pin_project;

use crate::answer;
use crate::rejection::SessionRejection;
use crate::slot::SessionSlot;

pin_project! {
    /// The future of a [`SessionService`](crate::SessionService): not boxed.
    pub struct ResponseFuture<F, B> {
        #[pin]
        state: State<F, B>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, B> {
        Handling { #[pin] future: F, open: Open, is_judged: bool },
        Committing { commit: CommitFuture, slot: SessionSlot, response: Option<Response<B>> },
        Answered { response: Option<Response<B>> },
    }
}

/// The slot of a request whose handler has not answered yet. Dropped before it has, by a panic,
/// an error, or because the connection broke off, it drops the changes too.
struct Open(Option<SessionSlot>);

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(session) = self.0.as_ref().and_then(SessionSlot::opened) {
            session.abandon();
        }
    }
}

impl<F, B> ResponseFuture<F, B> {
    /// Waits for `future`; `is_judged` when it depended on where the request was made.
    pub(crate) const fn new(future: F, slot: SessionSlot, is_judged: bool) -> Self {
        Self { state: State::Handling { future, open: Open(Some(slot)), is_judged } }
    }

    /// Answers at once.
    pub(crate) const fn answered(response: Response<B>) -> Self {
        Self { state: State::Answered { response: Some(response) } }
    }
}

/// The handler has answered: what is to be committed before the answer leaves, or it is complete.
fn after<B: From<String>>(response: &mut Response<B>, slot: &SessionSlot) -> Option<CommitFuture> {
    let is_ok = !response.status().is_server_error();
    match slot.opened().map(|session| session.leave(is_ok)) {
        Some(Leaving::After(commit)) => return Some(commit),
        Some(Leaving::Now(outgoing)) => answer::seal(response, slot, Some(&outgoing)),
        None => answer::seal(response, slot, None),
    }
    None
}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: From<String>,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        if let StateProjection::Handling { future, open, is_judged } = state.as_mut().project() {
            let mut response = ready!(future.poll(cx))?;
            if *is_judged {
                answer::vary_by_site(&mut response);
            }
            let slot = open.0.take();
            let commit = slot.as_ref().and_then(|slot| after(&mut response, slot));
            let (Some(commit), Some(slot)) = (commit, slot) else {
                state.set(State::Answered { response: None });
                return Poll::Ready(Ok(response));
            };
            state.set(State::Committing { commit, slot, response: Some(response) });
        }
        let response = match state.project() {
            StateProjection::Answered { response } => response.take(),
            StateProjection::Committing { commit, slot, response } => {
                let outcome = ready!(Pin::new(commit).poll(cx));
                response.take().map(|response| committed(outcome, response, slot))
            }
            StateProjection::Handling { .. } => None,
        };
        response.map_or(Poll::Pending, |response| Poll::Ready(Ok(response)))
    }
}

/// The answer after the commit; one that failed replaces it.
fn committed<B: From<String>>(
    outcome: Result<(), handstamp_core::SessionError>,
    response: Response<B>,
    slot: &SessionSlot,
) -> Response<B> {
    let mut response = match outcome {
        Ok(()) => response,
        Err(error) => SessionRejection::from(error).respond(),
    };
    let outgoing = slot.opened().map(Opened::outgoing);
    answer::seal(&mut response, slot, outgoing.as_ref());
    response
}
