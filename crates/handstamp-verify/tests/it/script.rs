//! A session service on a port of its own that says what a test tells it to.

use std::sync::{Arc, Mutex};

use handstamp_protocol::feed::Snapshot;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The service. What it was asked for the stream comes out of `streams`.
pub(crate) struct Script {
    pub(crate) url: String,
    shared: Arc<Shared>,
    streams: UnboundedReceiver<Asked>,
}

#[derive(Default)]
struct Shared {
    /// The whole answer to requests for a snapshot.
    snapshot: Mutex<String>,
    /// The whole answer to requests for keys.
    keys: Mutex<String>,
    /// The heads of requests for keys and snapshots.
    heads: Mutex<Vec<String>>,
}

/// A request for the stream: its head, and the connection to answer on.
pub(crate) struct Asked {
    pub(crate) head: String,
    socket: TcpStream,
}

/// A whole answer with a body of JSON.
pub(crate) fn answer(status: u16, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    )
}

impl Script {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, streams) = unbounded_channel();
        let shared = Arc::<Shared>::default();
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Arc::clone(&serving), sender.clone()));
            }
        });
        Self { url, shared, streams }
    }

    /// Answers requests for a snapshot with this one from now on.
    pub(crate) fn snapshot(&self, snapshot: &Snapshot) {
        self.snapshot_raw(answer(200, &serde_json::to_string(snapshot).unwrap()));
    }

    pub(crate) fn snapshot_raw(&self, answer: String) {
        *self.shared.snapshot.lock().unwrap() = answer;
    }

    /// Answers requests for keys with this set.
    pub(crate) fn keys(&self, set: &str) {
        *self.shared.keys.lock().unwrap() = answer(200, set);
    }

    /// The heads of the requests for this path so far.
    pub(crate) fn heads(&self, path: &str) -> Vec<String> {
        let heads = self.shared.heads.lock().unwrap();
        heads.iter().filter(|head| head.starts_with(&format!("GET {path} "))).cloned().collect()
    }

    /// The next request for the stream.
    pub(crate) async fn asked(&mut self) -> Asked {
        self.streams.recv().await.unwrap()
    }
}

impl Asked {
    /// Answers with an open stream.
    pub(crate) async fn open(self) -> Open {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                    connection: close\r\n\r\n";
        let mut open = Open { socket: self.socket };
        open.send(head).await;
        open
    }

    /// Answers with a status and closes.
    pub(crate) async fn refuse(mut self, status: u16) {
        self.socket.write_all(answer(status, "{}").as_bytes()).await.unwrap();
    }
}

/// A stream; dropped, it breaks off.
pub(crate) struct Open {
    socket: TcpStream,
}

impl Open {
    pub(crate) async fn send(&mut self, text: &str) {
        self.socket.write_all(text.as_bytes()).await.unwrap();
    }
}

async fn serve(mut socket: TcpStream, shared: Arc<Shared>, streams: UnboundedSender<Asked>) {
    let Some(head) = head(&mut socket).await else { return };
    let answer = match head.split(' ').nth(1).unwrap_or_default() {
        "/.well-known/jwks.json" => Some(shared.keys.lock().unwrap().clone()),
        "/feed/snapshot" => Some(shared.snapshot.lock().unwrap().clone()),
        path if path.starts_with("/feed/revocations") => {
            let _ = streams.send(Asked { head, socket });
            return;
        }
        _ => None,
    };
    shared.heads.lock().unwrap().push(head);
    let _ = socket.write_all(answer.unwrap_or_default().as_bytes()).await;
}

async fn head(socket: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(socket.read_u8().await.ok()?);
    }
    String::from_utf8(bytes).ok()
}
