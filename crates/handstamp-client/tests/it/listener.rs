//! A server that says whatever a test wants, byte by byte.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) method: String,
    pub(crate) path: String,
    head: String,
    pub(crate) body: String,
}

impl Heard {
    /// The value of a header; nothing if it is not there.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let mut values = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value)
    }
}

pub(crate) struct Listener {
    pub(crate) url: String,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Listener {
    /// Answers each request with what `answer` makes of it.
    pub(crate) async fn start(answer: impl Fn(&Heard) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (answer, log) = (Arc::new(answer), Arc::clone(&heard));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
                tokio::spawn(serve(stream, move |request| {
                    let text = answer(&request);
                    log.lock().unwrap().push(request);
                    text
                }));
            }
        });
        Self { url, heard }
    }

    /// What it was asked so far, in order.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, answer: impl FnOnce(Heard) -> String) {
    let mut text = Vec::new();
    let heard = loop {
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(length @ 1..) => text.extend_from_slice(&chunk[..length]),
            _ => return,
        }
        if let Some(heard) = parse(&String::from_utf8_lossy(&text)) {
            break heard;
        }
    };
    let reply = answer(heard);
    let _ = stream.write_all(reply.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// The request, once all of it is there.
pub(crate) fn parse(text: &str) -> Option<Heard> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut words = head.split(' ');
    let heard = Heard {
        method: words.next()?.to_owned(),
        path: words.next()?.to_owned(),
        head: head.to_owned(),
        body: body.to_owned(),
    };
    let length = heard.header("content-length").map_or(0, |length| length.parse().unwrap());
    (body.len() >= length).then_some(heard)
}

/// An answer with this status, these header lines and this body.
pub(crate) fn reply(status: u16, headers: &[&str], body: &str) -> String {
    let length = format!("Content-Length: {}", body.len());
    let lines: Vec<_> = headers.iter().copied().chain([&*length, "Connection: close"]).collect();
    format!("HTTP/1.1 {status} x\r\n{}\r\n\r\n{body}", lines.join("\r\n"))
}

/// An answer with a body of JSON.
pub(crate) fn json(status: u16, body: &serde_json::Value) -> String {
    reply(status, &["Content-Type: application/json"], &body.to_string())
}
