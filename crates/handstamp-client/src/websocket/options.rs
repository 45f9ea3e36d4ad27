//! How a connection shows the session, and when it counts as broken.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::token::Token;

/// Where the access token goes when a connection is made.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub enum Credentials {
    /// Into the header `Authorization` of the handshake (RFC 6750).
    #[default]
    Header,
    /// Into the first message, as [`WebSocketOptions::authenticate`] writes it.
    FirstMessage,
    /// Into a parameter of the query of this name, for servers that know no other way.
    ///
    /// # Security
    /// Addresses end up in logs of servers and proxies, and the token with them.
    DangerouslyInQuery(String),
}

/// How a connection that stands hears of a renewed token.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub enum Renewal {
    /// By a message, as [`WebSocketOptions::authenticate`] writes it.
    #[default]
    InBand,
    /// By a new connection, which takes the place of the old one.
    Reconnect,
    /// Not at all: for servers that look at the token once.
    Untold,
}

/// How connections behave.
#[derive(Clone)]
#[non_exhaustive]
pub struct WebSocketOptions {
    /// Where the access token goes: into the header by default.
    pub credentials: Credentials,
    /// How a renewed token is told: in band by default.
    pub renewal: Renewal,
    /// Writes the message that shows a token: [`authenticate`] by default.
    pub authenticate: Arc<dyn Fn(&Token) -> String + Send + Sync>,
    /// The subprotocols that are offered, best first; none by default.
    pub protocols: Vec<String>,
    /// How long without a sign of life until one is asked for: 30 s by default.
    pub ping_every: Duration,
    /// How long that may take, and how long a message may take to be on its way: 10 s by default.
    /// After that the connection is broken.
    pub pong_within: Duration,
    /// The largest message that is taken, in bytes: 16 MiB by default.
    pub largest_message: usize,
}

impl Default for WebSocketOptions {
    fn default() -> Self {
        Self {
            credentials: Credentials::default(),
            renewal: Renewal::default(),
            authenticate: Arc::new(authenticate),
            protocols: Vec::new(),
            ping_every: Duration::from_secs(30),
            pong_within: Duration::from_secs(10),
            largest_message: 16 * 1024 * 1024,
        }
    }
}

/// The message that shows a token, unless options say otherwise:
/// `{"type":"authenticate","access_token":"…"}`.
pub fn authenticate(token: &Token) -> String {
    // A text is always JSON.
    serde_json::to_string(&Authenticate { kind: "authenticate", access_token: token.expose() })
        .unwrap_or_default()
}

/// Its fields in this order, whatever else a program has made of maps in JSON.
#[derive(Serialize)]
struct Authenticate<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    access_token: &'a str,
}

impl fmt::Debug for WebSocketOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketOptions")
            .field("credentials", &self.credentials)
            .field("renewal", &self.renewal)
            .field("ping_every", &self.ping_every)
            .finish_non_exhaustive()
    }
}
