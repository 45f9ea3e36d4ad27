//! The bare handler: an axum router that gives one answer, byte for byte that of the service.

use std::fs;
use std::path::Path;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::Response;
use axum::routing::any;
use axum::serve::ListenerExt;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use super::http::Answer;
use crate::Fault;

/// An answer as a file holds it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Stored {
    path: String,
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// What hyper writes by itself.
const BY_THE_SERVER: [HeaderName; 4] = [
    http::header::CONNECTION,
    http::header::CONTENT_LENGTH,
    http::header::DATE,
    http::header::TRANSFER_ENCODING,
];

impl Stored {
    /// What was answered when `path` was asked for.
    pub(crate) fn new(path: &str, answer: &Answer) -> Result<Self, Fault> {
        let kept = answer.headers().iter().filter(|(name, _)| !BY_THE_SERVER.contains(name));
        let pair = |(name, value): (&HeaderName, &HeaderValue)| {
            Ok::<_, Fault>((name.to_string(), value.to_str()?.to_owned()))
        };
        Ok(Self {
            path: path.to_owned(),
            status: answer.status().as_u16(),
            headers: kept.map(pair).collect::<Result<_, _>>()?,
            body: String::from_utf8(answer.body().to_vec())?,
        })
    }

    pub(crate) fn write(&self, file: &Path) -> Result<(), Fault> {
        Ok(fs::write(file, serde_json::to_string(self)?)?)
    }

    fn router(self) -> Result<Router, Fault> {
        let status = StatusCode::from_u16(self.status)?;
        let mut headers = HeaderMap::new();
        for (name, value) in self.headers {
            headers.append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
        let body = Bytes::from(self.body);
        let handler = move || async move {
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            response
        };
        let path = self.path.split('?').next().unwrap_or_default();
        Ok(Router::new().route(path, any(handler)).route("/healthz", any(async || "ok")))
    }
}

/// Serves the answer in `file` until the process is ended.
pub(crate) fn serve(file: &Path, port: u16) -> Result<(), Fault> {
    let stored: Stored = serde_json::from_slice(&fs::read(file)?)?;
    let router = stored.router()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
        let listener = listener.tap_io(|stream| {
            // Without it every second answer might wait for an acknowledgement.
            let _ = stream.set_nodelay(true);
        });
        Ok(axum::serve(listener, router).await?)
    })
}
