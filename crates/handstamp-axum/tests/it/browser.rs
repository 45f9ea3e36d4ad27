//! A browser: keeps cookies, navigates, posts forms.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::{ACCEPT, CONTENT_TYPE, COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap().to_owned()
    }

    pub(crate) fn set_cookies(&self) -> Vec<&str> {
        self.all(SET_COOKIE.as_str())
    }

    /// All lines of one header.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|line| line.to_str().unwrap()).collect()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.all(name).first().copied().unwrap_or_default()
    }
}

/// A browser with its own cookies, in front of one router.
#[derive(Clone)]
pub(crate) struct Browser {
    pub(crate) app: Router,
    pub(crate) jar: BTreeMap<String, String>,
}

impl Browser {
    pub(crate) fn new(app: &Router) -> Self {
        Self { app: app.clone(), jar: BTreeMap::new() }
    }

    /// The value of the session cookie.
    pub(crate) fn cookie(&self) -> Option<&str> {
        self.jar.get("__Host-handstamp").map(String::as_str)
    }

    /// Navigates to `path`.
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        let request = Request::get(path).header(ACCEPT, "text/html,*/*;q=0.8");
        let request = request.header("sec-fetch-mode", "navigate");
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Calls `path` as a script of this site does.
    pub(crate) async fn call(&mut self, method: Method, path: &str) -> Answer {
        let request =
            Request::builder().method(method).uri(path).header(ACCEPT, "application/json");
        let request = request.header("sec-fetch-site", "same-origin");
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Posts without a body, as a script of this site does.
    pub(crate) async fn post(&mut self, path: &str) -> Answer {
        self.call(Method::POST, path).await
    }

    /// Posts a form of this site.
    pub(crate) async fn submit(&mut self, path: &str, fields: &str) -> Answer {
        let request = Request::post(path).header("sec-fetch-site", "same-origin");
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(fields.to_owned())).unwrap()).await
    }

    /// Sends any request, with the cookies, and keeps those that come back.
    pub(crate) async fn send(&mut self, request: Request<Body>) -> Answer {
        let request = self.with_cookies(request);
        let answer = answer(&self.app, request).await;
        for line in answer.set_cookies() {
            self.keep(line);
        }
        answer
    }

    /// Adds the cookies to a request.
    pub(crate) fn with_cookies(&self, mut request: Request<Body>) -> Request<Body> {
        let pairs: Vec<_> =
            self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !pairs.is_empty() {
            request.headers_mut().insert(COOKIE, pairs.join("; ").parse().unwrap());
        }
        request
    }

    fn keep(&mut self, line: &str) {
        let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
        let (name, value) = pair.split_once('=').unwrap();
        if attributes.contains("Max-Age=0") {
            self.jar.remove(name);
        } else {
            self.jar.insert(name.to_owned(), value.to_owned());
        }
    }
}

/// Sends one request, as it is.
pub(crate) async fn answer(app: &Router, request: Request<Body>) -> Answer {
    let (head, body) = app.clone().oneshot(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8(bytes.to_vec()).unwrap();
    Answer { status: head.status, headers: head.headers, body }
}

/// A body of one piece, made by a task while the client reads.
pub(crate) fn streaming(piece: impl Future<Output = &'static str> + Send + 'static) -> Response {
    let (mut sender, body) = http_body_util::channel::Channel::<Bytes>::new(1);
    tokio::spawn(async move {
        let text = piece.await;
        let _ = sender.send_data(Bytes::from_static(text.as_bytes())).await;
    });
    Response::new(Body::new(body))
}
