//! What a request behind the layer waits for: usually nothing but the service itself.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use handstamp_protocol::tokens::AccessClaims;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{Gate, Refusal};
use crate::keys::BoxFuture;

pin_project! {
    /// The answer of a service behind a [`VerifyLayer`](super::VerifyLayer).
    pub struct VerifyFuture<S: Service<Request<B>>, B> {
        #[pin]
        step: Step<S, S::Future, S::Response, B>,
    }
}

pin_project! {
    #[project = StepProjection]
    enum Step<S, F, R, B> {
        /// The verdict takes a while: keys are read, or a state is awaited.
        Waiting { verdict: BoxFuture<'static, Result<Arc<AccessClaims>, Refusal>>, held: Option<(Gate, S, Request<B>)> },
        /// The service works.
        Through { #[pin] future: F },
        /// The request was not let in.
        Refused { response: Option<R> },
    }
}

impl<S: Service<Request<B>>, B> VerifyFuture<S, B> {
    pub(super) const fn through(future: S::Future) -> Self {
        Self { step: Step::Through { future } }
    }

    pub(super) const fn refused(response: S::Response) -> Self {
        Self { step: Step::Refused { response: Some(response) } }
    }

    pub(super) fn waiting(gate: Gate, service: S, request: Request<B>) -> Self {
        let (judge, headers) = (gate.clone(), request.headers().clone());
        let verdict = Box::pin(async move { judge.in_time(&headers).await });
        Self { step: Step::Waiting { verdict, held: Some((gate, service, request)) } }
    }
}

impl<S, B, R> Future for VerifyFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<String>,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut step = self.project().step;
        loop {
            match step.as_mut().project() {
                StepProjection::Through { future } => return future.poll(context),
                // A future that has answered is not polled again.
                StepProjection::Refused { response } => {
                    return response.take().map_or(Poll::Pending, |answer| Poll::Ready(Ok(answer)));
                }
                StepProjection::Waiting { verdict, held } => {
                    let verdict = ready!(verdict.as_mut().poll(context));
                    let Some((gate, mut service, mut request)) = held.take() else {
                        return Poll::Pending;
                    };
                    step.set(match verdict {
                        Ok(claims) => {
                            request.extensions_mut().insert(claims);
                            Step::Through { future: service.call(request) }
                        }
                        Err(refusal) => {
                            let answer = refusal.answer(&gate, request.headers());
                            Step::Refused { response: Some(answer) }
                        }
                    });
                }
            }
        }
    }
}
