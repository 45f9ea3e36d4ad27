//! The session service, as a verifier asks it over HTTP.

use std::sync::Arc;
use std::time::Duration;

use handstamp_protocol::feed::{Cursor, Snapshot};
use handstamp_protocol::{Secret, paths};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, StatusCode, redirect};

use crate::claims::Expected;
use crate::clock::{Clock, SystemClock};
use crate::feed::Follower;
use crate::key::KeySet;
use crate::keys::{BoxError, BoxFuture, DEFAULT_INTERVAL, FetchKeys, Keys};
use crate::revocations::Revocations;
use crate::verifier::{DEFAULT_CACHE_BYTES, Liveness, Verifier};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a whole answer may take, but for the stream.
const ANSWER: Duration = Duration::from_secs(10);
/// How large a snapshot may be, in bytes: some millions of ended sessions.
const MAX_SNAPSHOT: usize = 256 * 1024 * 1024;

/// Where the session service is, and the key that opens its feed.
///
/// # Security
/// Redirects are not followed, so the key goes to nobody else. Over plain HTTP it can be read on
/// the way: use HTTPS beyond the own machine.
#[derive(Clone, Debug)]
pub struct Service {
    client: Client,
    base: Arc<str>,
    authorization: HeaderValue,
}

/// The service cannot be asked, or its answer is of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The base URL is not one of HTTP, or the key is no text for a header. Retrying never helps.
    #[error("the address or the key of the service is not usable")]
    Settings,
    /// The connection failed or broke off. Retrying helps when the service is back.
    #[error("the service could not be reached")]
    Connection(#[source] reqwest::Error),
    /// It answered with another status: 401 and 403 mean that the key is not good for the feed.
    #[error("the service answered with status {0}")]
    Status(u16),
    /// It answered what cannot be understood.
    #[error("the answer of the service cannot be understood")]
    Answer,
}

impl From<reqwest::Error> for ServiceError {
    fn from(error: reqwest::Error) -> Self {
        Self::Connection(error.without_url())
    }
}

impl Service {
    /// The service at `base_url` (`https://id.example.com`). `service_key` needs the scope `feed`.
    ///
    /// # Errors
    /// [`ServiceError::Settings`].
    pub fn new(base_url: &str, service_key: &Secret) -> Result<Self, ServiceError> {
        let client = Client::builder().redirect(redirect::Policy::none()).connect_timeout(CONNECT);
        Self::with_client(client.build()?, base_url, service_key)
    }

    /// The same through a client of the caller's, for proxies and certificates of its own. It
    /// should follow no redirects.
    ///
    /// # Errors
    /// [`ServiceError::Settings`].
    pub fn with_client(
        client: Client,
        base_url: &str,
        service_key: &Secret,
    ) -> Result<Self, ServiceError> {
        let url = reqwest::Url::parse(base_url).map_err(|_| ServiceError::Settings)?;
        let is_http = matches!(url.scheme(), "http" | "https");
        if !is_http || url.query().is_some() || url.fragment().is_some() {
            return Err(ServiceError::Settings);
        }
        let header = HeaderValue::try_from(format!("Bearer {}", service_key.expose()));
        let mut authorization = header.map_err(|_| ServiceError::Settings)?;
        authorization.set_sensitive(true);
        Ok(Self { client, base: base_url.trim_end_matches('/').into(), authorization })
    }

    /// A verifier of this service's tokens, and what keeps it informed: spawn
    /// [`Follower::run`](crate::feed::Follower::run), then wait for
    /// [`ready`](crate::Verifier::ready).
    ///
    /// Lease 5 s, keys read again at most every 30 s, 64 MiB of checked tokens. For anything else
    /// put the parts together: [`Keys::fetched`], [`Revocations::new`], [`Verifier::with`],
    /// [`Follower::new`].
    pub fn verifier(self, expected: Expected) -> (Verifier, Follower) {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let keys = Arc::new(Keys::fetched(Arc::new(self.clone()), DEFAULT_INTERVAL));
        let revocations = Arc::new(Revocations::default());
        let verifier = Verifier::with(
            expected,
            Arc::clone(&keys),
            Liveness::Feed(Arc::clone(&revocations)),
            Arc::clone(&clock),
            DEFAULT_CACHE_BYTES,
        );
        (verifier, Follower::new(self, keys, revocations, clock))
    }

    /// All that still matters of what has ended.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot, ServiceError> {
        let request = self.authorized(paths::FEED_SNAPSHOT).timeout(ANSWER);
        let text = body(ok(request.send().await?)?, MAX_SNAPSHOT).await?;
        serde_json::from_slice(&text).map_err(|_| ServiceError::Answer)
    }

    /// The stream of what comes after `cursor`. [`ServiceError::Status`] of 410 means that a
    /// snapshot is needed first.
    pub(crate) async fn stream(&self, cursor: &Cursor) -> Result<Response, ServiceError> {
        let request = self.authorized(paths::FEED_REVOCATIONS).query(&[("after", cursor.as_str())]);
        ok(request.header(ACCEPT, "text/event-stream").send().await?)
    }

    fn authorized(&self, path: &str) -> RequestBuilder {
        self.get(path).header(AUTHORIZATION, self.authorization.clone())
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.base))
    }

    async fn keys(&self) -> Result<Vec<u8>, ServiceError> {
        let request = self.get(paths::JWKS).timeout(ANSWER);
        body(ok(request.send().await?)?, KeySet::MAX_LEN).await
    }
}

impl FetchKeys for Service {
    fn fetch(&self) -> BoxFuture<'_, Result<Vec<u8>, BoxError>> {
        Box::pin(async { self.keys().await.map_err(Into::into) })
    }
}

fn ok(response: Response) -> Result<Response, ServiceError> {
    match response.status() {
        StatusCode::OK => Ok(response),
        status => Err(ServiceError::Status(status.as_u16())),
    }
}

async fn body(mut response: Response, most: usize) -> Result<Vec<u8>, ServiceError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if bytes.len() + chunk.len() > most {
            return Err(ServiceError::Answer);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_not_of_http_is_refused() {
        for bad in ["", "id.example.com", "ftp://id", "file:///x", "http://id/?a=1", "http://id/#a"]
        {
            let service = Service::new(bad, &Secret::new("hsk_x"));
            assert!(matches!(service, Err(ServiceError::Settings)), "{bad}");
        }
        let split = Service::new("http://id", &Secret::new("a\r\nHost: b"));
        assert!(matches!(split, Err(ServiceError::Settings)));
    }

    #[test]
    fn s80_debug_shows_no_key() {
        let service = Service::new("http://127.0.0.1:1/", &Secret::new("hsk_secret")).unwrap();
        assert!(!format!("{service:?}").contains("hsk_secret"));
    }
}
