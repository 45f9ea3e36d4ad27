//! The tower layer that gives every request its session.

use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use handstamp_core::SessionManager;
use http::request::Parts;
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::answer::vary_by_site;
use crate::future::ResponseFuture;
use crate::options::Options;
use crate::problem::complete;
use crate::rejection::SessionRejection;
use crate::site::Verdict;
use crate::slot::SessionSlot;

/// Gives every request that passes its session, and every answer what the session asks for.
///
/// Put it around a router, or around any service whose answers have a body that a `String` can
/// become. A request pays for a look at its cookies; the session is judged when somebody asks for
/// it, with the [`Session`](crate::Session) extractor or [`SessionSlot`]. Before the head of the
/// answer leaves, changes of data are committed; if that fails, the answer becomes a 503. On a
/// 5xx, a panic or a connection that broke off, they are dropped; what `login`, `logout`,
/// `regenerate` or `commit` did stands.
///
/// An answer whose session was read or set has `Cache-Control: no-store` and `Vary: Cookie`;
/// `Set-Cookie` comes once, and only when something changes.
///
/// # Security
/// Requests that may change something are refused with 403 `CSRF_INVALID` unless this site made
/// them: see [`SiteCheck`](crate::site::SiteCheck).
///
/// ```
/// use handstamp_axum::SessionLayer;
/// use handstamp_core::SessionManager;
///
/// fn guarded(sessions: SessionManager) -> axum::Router {
///     let layer = SessionLayer::new(sessions).sign_in_path("/login");
///     axum::Router::new().layer(layer)
/// }
/// ```
#[derive(Clone)]
pub struct SessionLayer {
    options: Arc<Options>,
}

impl SessionLayer {
    /// A layer over these sessions.
    pub fn new(sessions: SessionManager) -> Self {
        Self { options: Arc::new(Options::new(sessions)) }
    }

    /// Where guards send a browser in which nobody is signed in, with `return_to` in the query.
    /// Default: nowhere; the answer is a 401.
    #[must_use]
    pub fn sign_in_path(self, path: impl Into<String>) -> Self {
        self.with(|options| options.sign_in = Some(path.into()))
    }

    /// Where guards send a browser whose sign-in is not fresh enough, with `return_to` in the
    /// query. Default: nowhere; the answer is a 403 `STEP_UP_REQUIRED`.
    #[must_use]
    pub fn step_up_path(self, path: impl Into<String>) -> Self {
        self.with(|options| options.step_up = Some(path.into()))
    }

    /// Lets requests from other sites pass and only logs them, as a warning with the event name
    /// `malicious_csrf`. Default: they are refused.
    ///
    /// # Security
    /// For trying the check out on a live site, not for staying there.
    #[must_use]
    pub fn log_only_site_check(self) -> Self {
        self.with(|options| options.is_site_check_log_only = true)
    }

    /// Lets requests pass the cross-site check that this says yes to. Default: none.
    ///
    /// For requests whose authority is a header that browsers never add by themselves, such as
    /// `Authorization: Bearer`, where the same router also serves cookies.
    ///
    /// # Security
    /// What is exempt must not be acted on by the authority of the cookie: another site's page may
    /// have made the request, and the browser adds the cookie all the same.
    #[must_use]
    pub fn exempt(self, is_exempt: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        self.with(|options| options.exempt = Some(Arc::new(is_exempt)))
    }

    /// How to tell the client's address, which is kept with its session. Default: it is not told.
    ///
    /// With axum it is in the extensions of a request when the server was made with
    /// `into_make_service_with_connect_info`:
    ///
    /// ```
    /// # fn layer(layer: handstamp_axum::SessionLayer) -> handstamp_axum::SessionLayer {
    /// use std::net::SocketAddr;
    /// use axum::extract::ConnectInfo;
    ///
    /// layer.client_ip(|head| Some(head.extensions.get::<ConnectInfo<SocketAddr>>()?.0.ip()))
    /// # }
    /// ```
    ///
    /// # Security
    /// Believe `X-Forwarded-For` only from a proxy of your own, and only its right-most entry
    /// that is not yours.
    #[must_use]
    pub fn client_ip(self, ip: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        self.with(|options| options.client_ip = Some(Arc::new(ip)))
    }

    fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(Arc::make_mut(&mut self.options));
        self
    }
}

impl std::fmt::Debug for SessionLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionLayer").finish_non_exhaustive()
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService { inner, options: Arc::clone(&self.options) }
    }
}

/// A service inside a [`SessionLayer`].
#[derive(Clone)]
pub struct SessionService<S> {
    inner: S,
    options: Arc<Options>,
}

impl<S: std::fmt::Debug> std::fmt::Debug for SessionService<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionService").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for SessionService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: From<String>,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let verdict = self.options.judge(&head);
        if let Some(refused) = self.options.refuse(verdict, &head) {
            return ResponseFuture::answered(refused);
        }
        let slot = SessionSlot::read(&self.options, &head);
        head.extensions.insert(slot.clone());
        let future = self.inner.call(Request::from_parts(head, body));
        ResponseFuture::new(future, slot, verdict != Verdict::Safe)
    }
}

impl Options {
    /// The answer to a request that is not shown to be made by this site.
    fn refuse<B: From<String>>(&self, verdict: Verdict, head: &Parts) -> Option<Response<B>> {
        let Verdict::Refused(why) = verdict else { return None };
        let (method, path) = (&head.method, head.uri.path());
        let is_let = self.is_site_check_log_only;
        tracing::warn!(event = "malicious_csrf", %method, path, is_let, "cross-site check: {why}");
        (!is_let).then(|| {
            let mut response = SessionRejection::from(why).respond();
            complete(&mut response, || self.manager.now());
            vary_by_site(&mut response);
            response
        })
    }
}
