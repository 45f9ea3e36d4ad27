//! The answer on its way out: changes committed, then the headers that the session asks for.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use handstamp_core::{CommitFuture, Finish};
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
            // Nothing is left to commit when changes are dropped.
            let _ = session.finish(false);
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

/// What is left to do once the handler has answered.
enum Next<B> {
    Answer(Response<B>),
    Commit { commit: CommitFuture, slot: SessionSlot, response: Response<B> },
}

/// The handler has answered: its changes are to be committed, or there are none.
fn after<B: From<String>>(
    mut response: Response<B>,
    slot: Option<SessionSlot>,
    is_judged: bool,
) -> Next<B> {
    if is_judged {
        answer::vary_by_site(&mut response);
    }
    let Some(slot) = slot else { return Next::Answer(response) };
    let is_ok = !response.status().is_server_error();
    match slot.opened().map(|session| session.finish(is_ok)) {
        Some(Finish::Commit(commit)) => Next::Commit { commit, slot, response },
        Some(Finish::Nothing) | None => Next::Answer(answer::seal(response, &slot)),
    }
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
            let response = ready!(future.poll(cx))?;
            match after(response, open.0.take(), *is_judged) {
                Next::Answer(response) => {
                    state.set(State::Answered { response: None });
                    return Poll::Ready(Ok(response));
                }
                Next::Commit { commit, slot, response } => {
                    state.set(State::Committing { commit, slot, response: Some(response) });
                }
            }
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
    let response = match outcome {
        Ok(()) => response,
        Err(error) => SessionRejection::from(error).respond(),
    };
    answer::seal(response, slot)
}
