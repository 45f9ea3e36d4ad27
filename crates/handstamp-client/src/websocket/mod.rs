//! WebSockets that carry the session: through renewals of its tokens, through a change of network,
//! and not beyond a sign-out.

mod dial;
mod handle;
mod line;
mod message;
mod options;
mod queue;
mod verdict;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, ClientBuilder};
use url::Url;

use crate::address::{AddressError, Plain};
use crate::backend::CONNECT;
use crate::error::AuthError;
use crate::http::{self, HttpClient, HttpError};
use crate::manager::SessionManager;

use dial::Dialer;
pub use handle::{WebSocket, WebSocketSender};
pub use message::{Ending, Incoming, Message};
pub use options::{Credentials, Renewal, WebSocketOptions, authenticate};

/// Makes WebSocket connections (RFC 6455) that carry the session.
///
/// A connection shows the access token in its handshake, is told in band when the token was
/// renewed, and is made anew when it breaks, with waits that double and are spread: subscriptions
/// are sent again, in order. Where a server refuses the token it is renewed once. A connection ends
/// with the session, and [`Incoming`] says what happens to it.
///
/// # Security
/// Goes to the origins named here, by scheme, host and port, and to no other; redirects are not
/// followed. `ws://`, where anybody can read along, is for the own machine only. No token is part
/// of an address unless [`Credentials::DangerouslyInQuery`] says so. The crate below writes whole
/// frames to the log, a token that is sent in band among them, if an application turns the level
/// `trace` of `tungstenite` on.
#[derive(Clone)]
pub struct WebSocketClient {
    http: HttpClient,
    plain: Plain,
    options: Arc<WebSocketOptions>,
}

/// There is no connection, or a message did not go out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebSocketError {
    /// There is no session to show, or not there.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// Not an address of a WebSocket: another scheme, a fragment, a password.
    #[error("not the address of a WebSocket")]
    Address,
    /// `ws://` to another machine: the token could be read on the way.
    #[error("without TLS nothing is sent to {0}")]
    Plain(String),
    /// The server could not be reached, failed, or is too busy. Retrying helps.
    #[error("the connection could not be made")]
    Passing {
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
        /// What happened.
        #[source]
        cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The server answered with this status instead of opening a WebSocket. A 401 is one for a
    /// token that was just renewed. The session stays.
    #[error("the server answered with status {status}")]
    Refused {
        /// The status.
        status: u16,
    },
    /// The connection is broken just now; the message was not sent. After
    /// [`Incoming::Restored`] it can be.
    #[error("the connection is broken just now")]
    Broken,
    /// The connection has ended for good.
    #[error("the connection has ended")]
    Ended,
}

impl WebSocketError {
    const fn passing() -> Self {
        Self::Passing { retry_after: None, cause: None }
    }
}

impl WebSocketClient {
    /// A client that connects to these origins: `wss://live.example.com`. `https://…` means the
    /// same. Through the proxies that the environment names, but for origins on this machine.
    ///
    /// # Errors
    /// [`HttpError::Origin`], [`HttpError::Plain`], and [`HttpError::Request`] where there can be
    /// no HTTP client.
    pub fn new(manager: SessionManager, origins: &[&str]) -> Result<Self, HttpError> {
        Self::at(manager, origins, Plain::Here)
    }

    /// The same for origins that need not be `wss`.
    ///
    /// # Errors
    /// As [`new`](Self::new), but for [`HttpError::Plain`].
    ///
    /// # Security
    /// Without TLS whoever is on the way has the tokens. For networks that encrypt by themselves.
    pub fn dangerously_plain(manager: SessionManager, origins: &[&str]) -> Result<Self, HttpError> {
        Self::at(manager, origins, Plain::Anywhere)
    }

    /// The same through a client of the caller's, for proxies and certificates of its own. It must
    /// speak HTTP/1.1 only (`http1_only`), follow no redirects and keep no cookies.
    ///
    /// # Errors
    /// [`HttpError::Origin`] and [`HttpError::Plain`].
    pub fn with_client(
        client: Client,
        manager: SessionManager,
        origins: &[&str],
    ) -> Result<Self, HttpError> {
        let origins: Vec<_> = origins.iter().map(|text| as_http(text)).collect();
        let origins: Vec<_> = origins.iter().map(String::as_str).collect();
        let http = HttpClient::with_client(client, manager, &origins)?;
        Ok(Self { http, plain: Plain::Here, options: Arc::default() })
    }

    fn at(manager: SessionManager, origins: &[&str], plain: Plain) -> Result<Self, HttpError> {
        let origins: Vec<_> = origins.iter().map(|text| as_http(text)).collect();
        let origins: Vec<_> = origins.iter().map(String::as_str).collect();
        let settings = |builder: ClientBuilder| builder.http1_only().connect_timeout(CONNECT);
        let http = HttpClient::at(manager, http::read(&origins, plain)?, settings)?;
        Ok(Self { http, plain, options: Arc::default() })
    }

    /// How its connections behave from now on.
    #[must_use]
    pub fn with_options(mut self, options: WebSocketOptions) -> Self {
        self.options = Arc::new(options);
        self
    }

    /// Connects, with a token that is renewed first if need be. Once it stands the connection looks
    /// after itself, until it is closed or dropped.
    ///
    /// # Errors
    /// [`WebSocketError`], at once: nothing is tried again before a connection stood, but for a
    /// token that is refused, which is renewed once.
    pub async fn connect_websocket(&self, address: &str) -> Result<WebSocket, WebSocketError> {
        let url = checked(address, self.plain)?;
        if !self.http.is_allowed(&url) {
            return Err(AuthError::Origin(url.origin().ascii_serialization()).into());
        }
        let dialer = Dialer::new(self.http.clone(), url, Arc::clone(&self.options));
        let dialed = dialer.dial().await?;
        Ok(line::start(dialer, dialed))
    }
}

/// The address of HTTP at which a WebSocket is asked for.
fn checked(address: &str, plain: Plain) -> Result<Url, WebSocketError> {
    let url = Url::parse(&as_http(address)).map_err(|_| WebSocketError::Address)?;
    let is_http = matches!(url.scheme(), "http" | "https") && url.has_host();
    let has_user = !url.username().is_empty() || url.password().is_some();
    if !is_http || has_user || url.fragment().is_some() {
        return Err(WebSocketError::Address);
    }
    match plain.check(&url) {
        Err(AddressError::Plain(origin)) => Err(WebSocketError::Plain(origin)),
        _ => Ok(url),
    }
}

/// An address of WebSockets as one of HTTP, which is what it begins as; any other as it is.
fn as_http(address: &str) -> String {
    let secure = address.strip_prefix("wss://").map(|rest| format!("https://{rest}"));
    let plain = || address.strip_prefix("ws://").map(|rest| format!("http://{rest}"));
    secure.or_else(plain).unwrap_or_else(|| address.to_owned())
}

impl fmt::Debug for WebSocketClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketClient")
            .field("http", &self.http)
            .field("options", &self.options)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a13_without_tls_only_the_own_machine_is_an_address() {
        for good in [
            "wss://live.example.com/feed?of=orders",
            "https://live.example.com",
            "ws://127.0.0.1:80/",
            "ws://localhost",
            "ws://[::1]:8080/",
        ] {
            assert!(checked(good, Plain::Here).is_ok(), "{good}");
        }
        for plain in ["ws://live.example.com/", "http://10.0.0.1/", "ws://localhost.evil.test/"] {
            let refused = checked(plain, Plain::Here);
            assert!(matches!(refused, Err(WebSocketError::Plain(_))), "{plain}");
            assert!(checked(plain, Plain::Anywhere).is_ok(), "{plain}");
        }
        for bad in ["", "live.example.com", "ftp://a", "wss://a/#b", "wss://u:p@a/", "wss://"] {
            assert!(matches!(checked(bad, Plain::Here), Err(WebSocketError::Address)), "{bad}");
        }
    }
}
