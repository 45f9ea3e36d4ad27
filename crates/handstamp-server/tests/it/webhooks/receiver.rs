//! A receiver that answers by a script and keeps what it heard.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// What came in.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Heard {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub(super) fn id(&self) -> String {
        self.header("webhook-id").to_owned()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// What happened, by its name.
    pub(super) fn name(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }

    /// Whether one of its signatures is that of `secret`, as the specification says.
    pub(super) fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        let (id, at) = (self.header("webhook-id"), self.header("webhook-timestamp"));
        mac.update(format!("{id}.{at}.").as_bytes());
        mac.update(&self.body);
        let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        self.header("webhook-signature").split(' ').any(|given| given == expected)
    }
}

/// How one request is answered.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// With this status.
    Status(u16),
    /// With this status and header.
    With(u16, &'static str, String),
    /// With 200 and a body without an end.
    Endless,
    /// With 204, once the receiver is let go.
    Held,
}

struct Inner {
    script: Mutex<VecDeque<Reply>>,
    otherwise: Mutex<Reply>,
    heard: watch::Sender<Vec<Heard>>,
    is_let_go: watch::Sender<bool>,
}

/// A receiver. Answers 204 unless told otherwise.
#[derive(Clone)]
pub(super) struct Receiver {
    inner: Arc<Inner>,
    port: u16,
}

impl Receiver {
    pub(super) async fn start() -> Self {
        let inner = Arc::new(Inner {
            script: Mutex::default(),
            otherwise: Mutex::new(Reply::Status(204)),
            heard: watch::Sender::default(),
            is_let_go: watch::Sender::new(false),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let app = Router::new().fallback(answer).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { inner, port }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// Answers the next requests so.
    pub(super) fn script(&self, replies: impl IntoIterator<Item = Reply>) {
        self.inner.script.lock().unwrap().extend(replies);
    }

    /// Answers so whatever the script does not say.
    pub(super) fn otherwise(&self, reply: Reply) {
        *self.inner.otherwise.lock().unwrap() = reply;
    }

    /// Answers what is held.
    pub(super) fn let_go(&self) {
        self.inner.is_let_go.send_replace(true);
    }

    pub(super) fn heard(&self) -> Vec<Heard> {
        self.inner.heard.borrow().clone()
    }

    pub(super) fn count(&self) -> usize {
        self.inner.heard.borrow().len()
    }

    /// Waits until `count` requests came in.
    pub(super) async fn hears(&self, count: usize) {
        let mut heard = self.inner.heard.subscribe();
        heard.wait_for(|heard| heard.len() >= count).await.unwrap();
    }

    /// Forgets what came in so far.
    pub(super) fn forget(&self) {
        self.inner.heard.send_modify(Vec::clear);
    }
}

async fn answer(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Response {
    let scripted = inner.script.lock().unwrap().pop_front();
    let reply = scripted.unwrap_or_else(|| inner.otherwise.lock().unwrap().clone());
    inner.heard.send_modify(|all| all.push(Heard { headers, body }));
    let status = |status| StatusCode::from_u16(status).unwrap();
    match reply {
        Reply::Status(code) => status(code).into_response(),
        Reply::With(code, name, value) => (status(code), [(name, value)]).into_response(),
        Reply::Endless => {
            let chunk = || Ok::<_, std::convert::Infallible>(Bytes::from_static(&[b'x'; 4096]));
            Body::from_stream(stream::repeat_with(chunk)).into_response()
        }
        Reply::Held => {
            let _ = inner.is_let_go.subscribe().wait_for(|is_let_go| *is_let_go).await;
            StatusCode::NO_CONTENT.into_response()
        }
    }
}
