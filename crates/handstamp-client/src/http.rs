//! Requests that carry the session, to the origins that it is meant for and to no others.

use std::fmt;
use std::sync::Arc;

use reqwest::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderValue, LOCATION,
    PROXY_AUTHORIZATION, TRANSFER_ENCODING, USER_AGENT,
};
use reqwest::{Client, Method, Request, Response, StatusCode, redirect};
use url::Url;

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
/// Token and cookies go to the origins named here, by scheme, host and port. A redirect to another
/// one is followed without them, and without any `Authorization` or `Cookie` of the caller's.
#[derive(Clone)]
pub struct HttpClient {
    client: Client,
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
}

impl From<reqwest::Error> for HttpError {
    fn from(error: reqwest::Error) -> Self {
        Self::Request(error)
    }
}

impl HttpClient {
    /// A client of its own that sends the session to these origins: `https://api.example.com`.
    ///
    /// # Errors
    /// [`HttpError::Origin`], and [`HttpError::Request`] where there can be no HTTP client.
    pub fn new(manager: SessionManager, origins: &[&str]) -> Result<Self, HttpError> {
        let client = Client::builder().redirect(redirect::Policy::none()).build()?;
        Self::with_client(client, manager, origins)
    }

    /// The same through a client of the caller's. It must follow no redirects by itself
    /// (`redirect::Policy::none()`) and keep no cookies.
    ///
    /// # Errors
    /// [`HttpError::Origin`].
    pub fn with_client(
        client: Client,
        manager: SessionManager,
        origins: &[&str],
    ) -> Result<Self, HttpError> {
        let origins = origins.iter().map(|text| {
            let origin = Url::parse(text).ok().map(|url| url.origin());
            let origin = origin.filter(url::Origin::is_tuple);
            origin.ok_or_else(|| HttpError::Origin((*text).to_owned()))
        });
        Ok(Self { client, manager, origins: origins.collect::<Result<_, _>>()? })
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
        for _ in 0..=HOPS {
            let again = next.try_clone();
            let response = self.send_one(next).await?;
            let Some(target) = target_of(&response) else { return Ok(response) };
            match again.map(|request| redirected(request, response.status(), target)) {
                Some(request) => next = request,
                None => return Ok(response),
            }
        }
        Err(HttpError::TooManyRedirects)
    }

    async fn send_one(&self, mut request: Request) -> Result<Response, HttpError> {
        if !self.is_allowed(request.url()) {
            return Ok(self.client.execute(request).await?);
        }
        let again = if may_be_sent_twice(&request) { request.try_clone() } else { None };
        let generation = self.put_on(&mut request).await?.generation;
        let response = self.execute(request).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let Some(mut again) = again else {
            // Whoever comes next is to have a better token.
            self.manager.inner.join_refresh(generation);
            return Ok(told_so(response));
        };
        match self.manager.inner.renewed_token(generation).await {
            Ok(_) => {
                self.put_on(&mut again).await?;
                self.execute(again).await
            }
            Err(_) => Ok(response),
        }
    }

    /// Puts the session onto a request, as it is then; answers with it.
    pub(crate) async fn put_on(&self, request: &mut Request) -> Result<Arc<Session>, AuthError> {
        if !self.is_allowed(request.url()) {
            return Err(not_to(request.url()));
        }
        self.manager.token().await?;
        let session = self.manager.inner.session().ok_or(AuthError::NotAuthenticated)?;
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
        Ok(session)
    }

    /// Sends a request and notes what its answer means for the session.
    pub(crate) async fn execute(&self, request: Request) -> Result<Response, HttpError> {
        let url = request.url().clone();
        let response = self.client.execute(request).await?;
        let changes = AuthCookies::parse_from_headers(&url, response.headers());
        let noted = async {
            self.manager.update_cookies(changes).await?;
            self.manager.mark_api_call(url.host_str()).await
        };
        if let Err(error) = noted.await {
            tracing::warn!(%error, "what an answer means for the session could not be kept");
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
