//! Guards as layers, for a whole router: `require::user()`, `require::role("editor")`, …
//!
//! They belong inside the [`SessionLayer`](crate::SessionLayer), which means before it in the
//! chain of `layer` calls; with axum best as `route_layer`.
//!
//! ```
//! use axum::{Router, routing::get};
//! use handstamp_axum::{SessionLayer, require};
//! use handstamp_core::SessionManager;
//!
//! fn app(sessions: SessionManager) -> Router {
//!     Router::new()
//!         .route("/account", get(|| async { "yours alone" }))
//!         .route_layer(require::user())
//!         .route("/", get(|| async { "for everybody" }))
//!         .layer(SessionLayer::new(sessions).sign_in_path("/login"))
//! }
//! ```

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use handstamp_core::{Session, SessionError};
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::rule::{Case, Rule};
use crate::rejection::SessionRejection;
use crate::slot::SessionSlot;

/// Lets pass only who is signed in as a user; others as
/// [`RequireUser`](crate::RequireUser) has it.
pub const fn user() -> RequireLayer {
    RequireLayer(Rule::User)
}

/// Lets pass only who has the role `name`; others get 403 `FORBIDDEN`.
pub fn role(name: impl Into<Arc<str>>) -> RequireLayer {
    RequireLayer(Rule::Role(name.into()))
}

/// Lets pass only who has a role that the configuration gives the permission `name`; others get
/// 403 `FORBIDDEN`.
pub fn permission(name: impl Into<Arc<str>>) -> RequireLayer {
    RequireLayer(Rule::Permission(name.into()))
}

/// Lets pass only who signed in or stepped up within the last `seconds`; others get 403
/// `STEP_UP_REQUIRED` or are sent to the step-up page.
pub const fn fresh(seconds: u64) -> RequireLayer {
    RequireLayer(Rule::Fresh(Duration::from_secs(seconds)))
}

/// Lets a request that may change something pass only with the session's CSRF token in the header
/// `X-CSRF-Token`; others get 403 `CSRF_INVALID`. No body is read: for forms there is
/// [`CsrfForm`](crate::CsrfForm).
pub const fn csrf() -> RequireLayer {
    RequireLayer(Rule::Csrf)
}

/// Guards a service.
#[derive(Clone, Debug)]
pub struct RequireLayer(Rule);

impl<S> Layer<S> for RequireLayer {
    type Service = RequireService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireService { inner, rule: self.0.clone() }
    }
}

/// A service inside a guard.
#[derive(Clone, Debug)]
pub struct RequireService<S> {
    inner: S,
    rule: Rule,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for RequireService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    ResBody: From<String>,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = RequireFuture<S, ReqBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        // The clone takes the place of the service that was polled ready.
        let next = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, next);
        let held = Held { inner, rule: self.rule.clone(), request };
        RequireFuture { state: State::Judging { held: Some(held), load: None } }
    }
}

struct Held<S, ReqBody> {
    inner: S,
    rule: Rule,
    request: Request<ReqBody>,
}

type Load = Pin<Box<dyn Future<Output = Result<Session, SessionError>> + Send>>;

pin_project! {
    /// The future of a [`RequireService`]: boxed only where the store has to be asked.
    pub struct RequireFuture<S, ReqBody>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        state: State<S, ReqBody, S::Future>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, ReqBody, F> {
        Judging { held: Option<Held<S, ReqBody>>, load: Option<Load> },
        Passed { #[pin] future: F },
    }
}

impl<S, ReqBody, ResBody> Future for RequireFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: From<String>,
{
    type Output = Result<Response<ResBody>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        if let StateProjection::Judging { held, load } = state.as_mut().project() {
            let Some(waiting) = held else { return Poll::Pending };
            let session = ready!(waiting.poll_session(load, cx));
            let Some(held) = held.take() else { return Poll::Pending };
            match session.and_then(|(session, slot)| held.pass(&session, &slot)) {
                Ok(future) => state.set(State::Passed { future }),
                Err(refused) => return Poll::Ready(Ok(refused.respond())),
            }
        }
        match state.project() {
            StateProjection::Passed { future } => future.poll(cx),
            StateProjection::Judging { .. } => Poll::Pending,
        }
    }
}

impl<S, ReqBody> Held<S, ReqBody> {
    /// The session: at once where the near cache can judge it, else after asking the store.
    fn poll_session(
        &self,
        load: &mut Option<Load>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(Session, SessionSlot), SessionRejection>> {
        let Some(slot) = self.request.extensions().get::<SessionSlot>() else {
            return Poll::Ready(Err(SessionRejection::NoLayer));
        };
        if load.is_none()
            && let Some(session) = slot.load_cached()
        {
            return Poll::Ready(Ok((session, slot.clone())));
        }
        let load = load.get_or_insert_with(|| {
            let slot = slot.clone();
            Box::pin(async move { slot.load().await })
        });
        let session = ready!(load.as_mut().poll(cx));
        Poll::Ready(session.map(|session| (session, slot.clone())).map_err(Into::into))
    }

    /// Calls the service if the rule lets it.
    fn pass(mut self, session: &Session, slot: &SessionSlot) -> Result<S::Future, SessionRejection>
    where
        S: Service<Request<ReqBody>>,
    {
        let (head, body) = self.request.into_parts();
        self.rule.judge(&Case { session, slot, head: &head })?;
        Ok(self.inner.call(Request::from_parts(head, body)))
    }
}
