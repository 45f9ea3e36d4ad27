//! The handshake (RFC 6455, 4.1), over the HTTP client that requests go through as well: the same
//! proxies, certificates and allow-list.

use std::sync::Arc;

use futures_util::SinkExt;
use reqwest::header::{
    AUTHORIZATION, CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use reqwest::{Method, Request, Response, StatusCode};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::{client::generate_key, derive_accept_key};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use url::Url;

use super::WebSocketError;
use super::message::Message;
use super::options::{Credentials, WebSocketOptions};
use crate::backend::{BackendError, failure};
use crate::http::{HttpClient, HttpError, carry};
use crate::manager::Inner;
use crate::session::Session;

/// How much is read and written at a time, in bytes: many connections are quiet most of the time.
const BUFFER: usize = 8 * 1024;

pub(super) type Stream = WebSocketStream<reqwest::Upgraded>;

/// Makes connections to one address.
#[derive(Clone)]
pub(super) struct Dialer {
    http: HttpClient,
    url: Url,
    pub(super) options: Arc<WebSocketOptions>,
}

/// A connection, and the session that it was made with.
pub(super) struct Dialed {
    pub(super) stream: Stream,
    pub(super) session: Arc<Session>,
}

impl Dialer {
    pub(super) const fn new(http: HttpClient, url: Url, options: Arc<WebSocketOptions>) -> Self {
        Self { http, url, options }
    }

    pub(super) fn inner(&self) -> &Arc<Inner> {
        &self.http.manager().inner
    }

    /// The server's name.
    pub(super) fn host(&self) -> Option<&str> {
        self.url.host_str()
    }

    /// Connects; once more with a renewed token if the present one is refused.
    pub(super) async fn dial(&self) -> Result<Dialed, WebSocketError> {
        let session = self.inner().usable().await?;
        let answer = self.handshake(&session).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return self.opened(session, answer).await;
        }
        let session = self.inner().renewed(&session).await?;
        let answer = self.handshake(&session).await?;
        self.opened(session, answer).await
    }

    /// Asks for a WebSocket. Whatever is answered but one is an error, except a 401.
    async fn handshake(&self, session: &Session) -> Result<Response, WebSocketError> {
        let key = generate_key();
        let mut request = Request::new(Method::GET, self.url.clone());
        self.ask(&key, request.headers_mut())?;
        carry(session, &mut request)?;
        self.show(session, &mut request);
        let answer = self.in_time(self.http.execute(request, session)).await?.map_err(of_http)?;
        let is_good = answer.status() == StatusCode::UNAUTHORIZED
            || answer.status() == StatusCode::SWITCHING_PROTOCOLS
                && is_accepted(answer.headers(), &key, &self.options.protocols);
        if is_good { Ok(answer) } else { Err(refusal(&answer)) }
    }

    fn ask(&self, key: &str, headers: &mut HeaderMap) -> Result<(), WebSocketError> {
        let mut set = |name: HeaderName, value: &str| {
            let value = HeaderValue::from_str(value).map_err(|_| WebSocketError::Address)?;
            headers.insert(name, value);
            Ok::<_, WebSocketError>(())
        };
        set(CONNECTION, "Upgrade")?;
        set(UPGRADE, "websocket")?;
        set(SEC_WEBSOCKET_VERSION, "13")?;
        set(SEC_WEBSOCKET_KEY, key)?;
        match self.options.protocols.is_empty() {
            true => Ok(()),
            false => set(SEC_WEBSOCKET_PROTOCOL, &self.options.protocols.join(", ")),
        }
    }

    /// Moves the token to where it belongs.
    fn show(&self, session: &Session, request: &mut Request) {
        if self.options.credentials == Credentials::Header {
            return;
        }
        request.headers_mut().remove(AUTHORIZATION);
        if let Credentials::DangerouslyInQuery(name) = &self.options.credentials {
            request.url_mut().query_pairs_mut().append_pair(name, session.token().expose());
        }
    }

    /// The connection behind an answer.
    async fn opened(
        &self,
        session: Arc<Session>,
        answer: Response,
    ) -> Result<Dialed, WebSocketError> {
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(refusal(&answer));
        }
        let raw = answer.upgrade().await.map_err(|error| of_http(error.into()))?;
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(BUFFER)
            .max_message_size(Some(self.options.largest_message))
            .max_frame_size(Some(self.options.largest_message));
        let mut stream = WebSocketStream::from_raw_socket(raw, Role::Client, Some(config)).await;
        if self.options.credentials == Credentials::FirstMessage {
            let first = Message::Text((self.options.authenticate)(session.token()));
            let sent = self.in_time(stream.send(first.into())).await?;
            sent.map_err(|_| WebSocketError::passing())?;
        }
        Ok(Dialed { stream, session })
    }

    async fn in_time<T>(&self, work: impl Future<Output = T>) -> Result<T, WebSocketError> {
        let inner = self.inner();
        tokio::select! {
            done = work => Ok(done),
            () = inner.clock.sleep(inner.config.answer_within) => Err(WebSocketError::passing()),
        }
    }
}

fn of_http(error: HttpError) -> WebSocketError {
    match error {
        HttpError::Auth(error) => error.into(),
        // The address may have the token in it.
        HttpError::Request(error) => WebSocketError::Passing {
            retry_after: None,
            cause: Some(Box::new(error.without_url())),
        },
        _ => WebSocketError::passing(),
    }
}

/// What an answer means that opens no WebSocket.
fn refusal(answer: &Response) -> WebSocketError {
    let status = answer.status().as_u16();
    // One that opens it and does not follow the rules, or that leads elsewhere, is not from our
    // server at all, or from one that is not what it says.
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS || answer.status().is_redirection() {
        return WebSocketError::Refused { status };
    }
    match failure(answer) {
        BackendError::Transient { retry_after, cause } => {
            WebSocketError::Passing { retry_after, cause }
        }
        _ => WebSocketError::Refused { status },
    }
}

/// Whether the server agreed, to what it was asked and to nothing else (RFC 6455, 4.1).
fn is_accepted(headers: &HeaderMap, key: &str, offered: &[String]) -> bool {
    let value = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let has = |name: HeaderName, word: &str| {
        let words = value(name).into_iter().flat_map(|text| text.split(','));
        words.map(str::trim).any(|it| it.eq_ignore_ascii_case(word))
    };
    let is_offered = |chosen: &str| offered.iter().any(|it| it == chosen.trim());
    has(UPGRADE, "websocket")
        && has(CONNECTION, "upgrade")
        && value(SEC_WEBSOCKET_ACCEPT) == Some(&derive_accept_key(key.as_bytes()))
        && !headers.contains_key(SEC_WEBSOCKET_EXTENSIONS)
        && value(SEC_WEBSOCKET_PROTOCOL).is_none_or(is_offered)
}
