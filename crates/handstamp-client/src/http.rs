//! Requests that carry the session, to the origins that it is meant for and to no others.

use std::fmt;
use std::sync::Arc;

use reqwest::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderValue, LOCATION,
    PROXY_AUTHORIZATION, TRANSFER_ENCODING, USER_AGENT,
};
use reqwest::{Client, ClientBuilder, Method, Request, Response, StatusCode};
use url::Url;

use crate::address::{AddressError, Plain, Ways};
use crate::backend::bearer;
use crate::error::AuthError;
use crate::manager::SessionManager;
use crate::session::{AuthCookies, Session};

/// How many redirects are followed.
const HOPS: usize = 10;
/// Says that a request may be sent twice and counts once.
const IDEMPOTENCY_KEY: &str = handstamp_protocol::headers::IDEMPOTENCY_KEY;

/// An HTTP client that sends the session along.
///
/// Each request gets the access token, the cookies that its origin set, and the session's
/// `User-Agent` where it has none of its own. Cookies of the answer are kept; the use is noted. A
/// 401 has the tokens renewed and the request sent once more, if that is safe: its body can be sent
/// again, and its method is idempotent (RFC 9110, 9.2.2) or it has an `Idempotency-Key`. Otherwise
/// the 401 says so by [`NotSentAgain`]. A 403 is an answer like any other.
///
/// # Security
/// Token and cookies go to the origins named here, by scheme, host and port; without TLS to this
/// machine only, and there through no proxy. A redirect to another
/// one is followed without them, and without any `Authorization` or `Cookie` of the caller's, and
/// so is everything after it: whoever is not named here chooses no request that carries them. A
/// request is not sent again for another user than the one it was meant for.
#[derive(Clone)]
pub struct HttpClient {
    ways: Ways,
    manager: SessionManager,
    origins: Arc<[url::Origin]>,
}

/// Among the extensions of a 401: the tokens are being renewed, and the request was not sent again,
/// because it could count twice or its body is gone. Whoever knows better sends it again himself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotSentAgain;

/// A request did not come about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// There is no session to send, or not to there.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The server could not be reached, or its answer broke off.
    #[error("the request failed")]
    Request(#[source] reqwest::Error),
    /// It was redirected over and over.
    #[error("redirected more than {HOPS} times")]
    TooManyRedirects,
    /// What was given as an origin is none.
    #[error("not an origin: {0}")]
    Origin(String),
    /// An origin of another machine is not `https`: whoever is on the way could read the tokens.
    #[error("without TLS nothing is sent to {0}")]
    Plain(String),
}

impl From<reqwest::Error> for HttpError {
    fn from(error: reqwest::Error) -> Self {
        Self::Request(error)
    }
}

impl HttpClient {
    /// A client of its own that sends the session to these origins: `https://api.example.com`.
    /// Through the proxies that the environment names, but for origins on this machine.
    ///
    /// # Errors
    /// [`HttpError::Origin`], [`HttpError::Plain`], and [`HttpError::Request`] where there can be
    /// no HTTP client.
    pub fn new(manager: SessionManager, origins: &[&str]) -> Result<Self, HttpError> {
        Self::at(manager, read(origins, Plain::Here)?, |builder| builder)
    }

    /// The same for origins that need not be `https`.
    ///
    /// # Errors
    /// As [`new`](Self::new), but for [`HttpError::Plain`].
    ///
    /// # Security
    /// Over plain HTTP whoever is on the way has the tokens. For networks that encrypt by
    /// themselves.
    pub fn dangerously_plain(manager: SessionManager, origins: &[&str]) -> Result<Self, HttpError> {
        Self::at(manager, read(origins, Plain::Anywhere)?, |builder| builder)
    }

    /// The same through a client of the caller's. It must follow no redirects by itself
    /// (`redirect::Policy::none()`) and keep no cookies.
    ///
    /// # Errors
    /// [`HttpError::Origin`] and [`HttpError::Plain`].
    pub fn with_client(
        client: Client,
        manager: SessionManager,
        origins: &[&str],
    ) -> Result<Self, HttpError> {
        let urls = read(origins, Plain::Here)?;
        Ok(Self { ways: Ways::through(client), manager, origins: origins_of(&urls) })
    }

    pub(crate) fn at(
        manager: SessionManager,
        urls: Vec<Url>,
        settings: impl Fn(ClientBuilder) -> ClientBuilder,
    ) -> Result<Self, HttpError> {
        let origins = origins_of(&urls);
        Ok(Self { ways: Ways::to(&urls, settings)?, manager, origins })
    }

    /// Puts the session onto a request, for whoever sends it himself. Renews the tokens first if
    /// need be.
    ///
    /// # Errors
    /// [`AuthError::Origin`] if the request goes elsewhere; as [`SessionManager::token`].
    pub async fn authorize(&self, request: &mut Request) -> Result<(), AuthError> {
        self.put_on(request).await.map(drop)
    }

    /// Sends a request, follows its redirects, and sends it once more where the token was refused.
    ///
    /// # Errors
    /// [`HttpError`]. A 401 that stays one is an answer.
    pub async fn send(&self, request: Request) -> Result<Response, HttpError> {
        if !self.is_allowed(request.url()) {
            return Err(not_to(request.url()).into());
        }
        let mut next = request;
        let mut has_left = false;
        for _ in 0..=HOPS {
            has_left |= !self.is_allowed(next.url());
            let again = next.try_clone();
            let response = match has_left {
                true => self.ways.client(next.url()).execute(next).await?,
                false => self.send_one(next).await?,
            };
            let Some(target) = target_of(&response) else { return Ok(response) };
            match again.map(|request| redirected(request, response.status(), target)) {
                Some(request) => next = request,
                None => return Ok(response),
            }
        }
        Err(HttpError::TooManyRedirects)
    }

    async fn send_one(&self, mut request: Request) -> Result<Response, HttpError> {
        let again = if may_be_sent_twice(&request) { request.try_clone() } else { None };
        let session = self.put_on(&mut request).await?;
        let response = self.execute(request, &session).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let Some(mut again) = again else {
            // Whoever comes next is to have a better token.
            self.manager.inner.renew_later(&session);
            return Ok(told_so(response));
        };
        match self.manager.inner.renewed(&session).await {
            Ok(session) => {
                carry(&session, &mut again)?;
                self.execute(again, &session).await
            }
            Err(_) => Ok(response),
        }
    }

    /// Puts the session onto a request, as it is then; answers with it.
    async fn put_on(&self, request: &mut Request) -> Result<Arc<Session>, AuthError> {
        if !self.is_allowed(request.url()) {
            return Err(not_to(request.url()));
        }
        let session = self.manager.inner.usable().await?;
        carry(&session, request)?;
        Ok(session)
    }

    /// Sends a request and notes what its answer means for the session that it carries.
    pub(crate) async fn execute(
        &self,
        request: Request,
        session: &Session,
    ) -> Result<Response, HttpError> {
        let url = request.url().clone();
        let response = self.ways.client(&url).execute(request).await?;
        let changes = AuthCookies::parse_from_headers(&url, response.headers());
        let changes = Some(&changes).filter(|changes| !changes.is_empty());
        match self.manager.inner.note_use(session, url.host_str(), changes).await {
            Ok(()) => {}
            // Whoever is signed in now has nothing to do with it.
            Err(error) if matches!(error, AuthError::Replaced) || error.needs_sign_in() => {}
            Err(error) => {
                tracing::warn!(%error, "what an answer means for the session could not be kept");
            }
        }
        Ok(response)
    }

    /// Whose session it sends.
    #[cfg(feature = "websocket")]
    pub(crate) const fn manager(&self) -> &SessionManager {
        &self.manager
    }

    pub(crate) fn is_allowed(&self, url: &Url) -> bool {
        self.origins.contains(&url.origin())
    }
}

/// Reads origins.
pub(crate) fn read(origins: &[&str], plain: Plain) -> Result<Vec<Url>, HttpError> {
    let read = origins.iter().map(|text| {
        let none = || HttpError::Origin((*text).to_owned());
        let url = Url::parse(text).map_err(|_| none())?;
        if !url.origin().is_tuple() {
            return Err(none());
        }
        match plain.check(&url) {
            Err(AddressError::Plain(origin)) => Err(HttpError::Plain(origin)),
            _ => Ok(url),
        }
    });
    read.collect()
}

fn origins_of(urls: &[Url]) -> Arc<[url::Origin]> {
    urls.iter().map(Url::origin).collect()
}

/// Writes a session's credentials onto a request.
pub(crate) fn carry(session: &Session, request: &mut Request) -> Result<(), AuthError> {
    let value = bearer(session.token()).ok_or(AuthError::NotAuthenticated)?;
    let cookies = session.cookies.header(request.url());
    let headers = request.headers_mut();
    headers.insert(AUTHORIZATION, value);
    if let Some(mut cookies) = cookies.and_then(|text| HeaderValue::try_from(text).ok()) {
        cookies.set_sensitive(true);
        headers.insert(COOKIE, cookies);
    }
    let agent = session.metadata.user_agent.as_deref();
    if let Some(agent) = agent.and_then(|agent| HeaderValue::from_str(agent).ok()) {
        headers.entry(USER_AGENT).or_insert(agent);
    }
    Ok(())
}

fn told_so(mut response: Response) -> Response {
    response.extensions_mut().insert(NotSentAgain);
    response
}

fn not_to(url: &Url) -> AuthError {
    AuthError::Origin(url.origin().ascii_serialization())
}

fn may_be_sent_twice(request: &Request) -> bool {
    request.method().is_idempotent() || request.headers().contains_key(IDEMPOTENCY_KEY)
}

/// Where an answer leads, if it leads elsewhere.
fn target_of(response: &Response) -> Option<Url> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    let target = response.url().join(location).ok()?;
    matches!(target.scheme(), "http" | "https").then_some(target)
}

/// The request that follows a redirect (RFC 9110, 15.4). Credentials are put on anew, or not.
fn redirected(mut request: Request, status: StatusCode, target: Url) -> Request {
    let becomes_get = match status.as_u16() {
        303 => request.method() != Method::HEAD,
        301 | 302 => request.method() == Method::POST,
        _ => false,
    };
    if becomes_get {
        *request.method_mut() = Method::GET;
        *request.body_mut() = None;
        for name in [CONTENT_TYPE, CONTENT_LENGTH, TRANSFER_ENCODING] {
            request.headers_mut().remove(name);
        }
    }
    for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
        request.headers_mut().remove(name);
    }
    *request.url_mut() = target;
    request
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("origins", &self.origins).finish_non_exhaustive()
    }
}
