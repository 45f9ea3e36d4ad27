//! A tower layer that lets nobody in without a good access token.

mod future;

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use handstamp_protocol::feed::Cursor;
use handstamp_protocol::tokens::AccessClaims;
use handstamp_protocol::{ErrorCode, Problem, headers};
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use tower_layer::Layer;
use tower_service::Service;

pub use future::VerifyFuture;

use crate::error::VerifyError;
use crate::verifier::Verifier;

/// How long a request may wait for the state that it demands, by default.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(2);

/// Lets requests with a good access token through, and puts what it says into their extensions,
/// as `Arc<AccessClaims>`.
///
/// Everybody else gets `application/problem+json`: 401 with `WWW-Authenticate` without a good
/// token, 403 without the role, 503 while the revocation feed is not heard, and 400 for two
/// `Authorization` headers or another scheme than `Bearer`. A request with `Handstamp-Min` waits
/// until the verifier has that state, 2 s at most.
///
/// # Security
/// Tokens are read from the `Authorization` header only, never from a URL, a body or a cookie
/// (RFC 6750 §2.1).
#[derive(Clone, Debug)]
pub struct VerifyLayer {
    gate: Gate,
}

impl VerifyLayer {
    /// A layer that asks `verifier`.
    pub fn new(verifier: Verifier) -> Self {
        Self { gate: Gate { verifier, roles: Arc::new([]), wait: DEFAULT_WAIT } }
    }

    /// Demands a role as well; every one that is named, if this is called again.
    #[must_use]
    pub fn require_role(mut self, role: impl Into<String>) -> Self {
        self.gate.roles = self.gate.roles.iter().cloned().chain([role.into()]).collect();
        self
    }

    /// How long a request may wait for the state that it demands: 2 s by default.
    #[must_use]
    pub const fn wait_at_most(mut self, wait: Duration) -> Self {
        self.gate.wait = wait;
        self
    }
}

impl<S> Layer<S> for VerifyLayer {
    type Service = Verified<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Verified { inner, gate: self.gate.clone() }
    }
}

/// A service behind a [`VerifyLayer`].
#[derive(Clone, Debug)]
pub struct Verified<S> {
    inner: S,
    gate: Gate,
}

impl<S, B, R> Service<Request<B>> for Verified<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = VerifyFuture<S, B>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The service that was polled ready takes the request; its clone waits for the next.
        let clone = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, clone);
        let gate = &self.gate;
        match gate.at_once(request.headers()) {
            Some(Ok(claims)) => {
                request.extensions_mut().insert(claims);
                VerifyFuture::through(ready.call(request))
            }
            Some(Err(refusal)) => VerifyFuture::refused(refusal.answer(gate, request.headers())),
            None => VerifyFuture::waiting(gate.clone(), ready, request),
        }
    }
}

/// Who is let in.
#[derive(Clone, Debug)]
struct Gate {
    verifier: Verifier,
    roles: Arc<[String]>,
    wait: Duration,
}

impl Gate {
    /// The verdict, where it takes no waiting.
    fn at_once(&self, headers: &HeaderMap) -> Option<Result<Arc<AccessClaims>, Refusal>> {
        if headers.contains_key(headers::MIN) {
            return None;
        }
        let verdict = bearer(headers).and_then(|token| self.check(self.verifier.check(token)));
        match verdict {
            Err(Refusal::Verify(VerifyError::UnknownKey | VerifyError::NoKeys)) => None,
            verdict => Some(verdict),
        }
    }

    /// The verdict, however long it takes.
    async fn in_time(&self, headers: &HeaderMap) -> Result<Arc<AccessClaims>, Refusal> {
        let token = bearer(headers)?;
        // The token first: strangers do not get to wait.
        let claims = self.check(self.verifier.verify(token).await)?;
        let Some(cursor) = demanded(headers)? else { return Ok(claims) };
        self.verifier.at_least(&cursor, self.wait).await?;
        self.check(self.verifier.check(token))
    }

    fn check(
        &self,
        claims: Result<Arc<AccessClaims>, VerifyError>,
    ) -> Result<Arc<AccessClaims>, Refusal> {
        let claims = claims?;
        let has_all = self.roles.iter().all(|role| claims.has_role(role));
        if has_all { Ok(claims) } else { Err(VerifyError::Forbidden.into()) }
    }
}

/// Why a request is not let in.
#[derive(Debug)]
enum Refusal {
    /// It shows nothing.
    Nobody,
    /// What it shows cannot be understood.
    Unreadable(&'static str),
    /// What it shows is not good.
    Verify(VerifyError),
}

impl From<VerifyError> for Refusal {
    fn from(error: VerifyError) -> Self {
        Self::Verify(error)
    }
}

impl Refusal {
    fn answer<R: From<String>>(&self, gate: &Gate, headers: &HeaderMap) -> Response<R> {
        let (now, id) = (gate.verifier.now(), request_id(headers));
        let problem = match self {
            Self::Nobody => Problem::new(ErrorCode::SessionNotFound, "no access token", now, id),
            Self::Unreadable(what) => Problem::new(ErrorCode::BadRequest, *what, now, id),
            Self::Verify(error) => error.problem(now, id),
        };
        respond(&problem)
    }
}

fn respond<R: From<String>>(problem: &Problem) -> Response<R> {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let mut response = Response::new(serde_json::to_string(problem).unwrap_or_default().into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(headers::PROBLEM_JSON));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let challenge = match status {
        StatusCode::UNAUTHORIZED => "Bearer error=\"invalid_token\"",
        StatusCode::FORBIDDEN => "Bearer error=\"insufficient_scope\"",
        StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            return response;
        }
        _ => "Bearer error=\"invalid_request\"",
    };
    headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    response
}

/// The token of the one `Authorization` header.
fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Refusal::Nobody)?;
    if values.next().is_some() {
        return Err(Refusal::Unreadable("more than one Authorization header"));
    }
    let other = || Refusal::Unreadable("the Authorization header is not of the scheme Bearer");
    let value = value.to_str().map_err(|_| other())?.trim_ascii();
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(other());
    }
    let token = token.trim_ascii();
    if token.is_empty() { Err(Refusal::Nobody) } else { Ok(token) }
}

/// The state that the caller demands.
fn demanded(headers: &HeaderMap) -> Result<Option<Cursor>, Refusal> {
    let Some(value) = headers.get(headers::MIN) else { return Ok(None) };
    let cursor = value.to_str().ok().and_then(Cursor::parse);
    cursor.map(Some).ok_or(Refusal::Unreadable("Handstamp-Min is no cursor"))
}

/// The request's own id, where it has a plain one.
fn request_id(headers: &HeaderMap) -> &str {
    let id = headers.get(headers::REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if id.len() <= 64 && id.bytes().all(is_plain) { id } else { "" }
}
