//! Reading server-sent events.

use std::time::Duration;

use reqwest::{RequestBuilder, Response};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(10);

/// One event, as it came.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) data: Value,
}

/// A stream that is read event by event.
pub(crate) struct Stream {
    response: Response,
    text: String,
}

impl Stream {
    /// Opens it, and waits until it has begun.
    pub(crate) async fn open(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let mut stream = Self { response, text: String::new() };
        assert!(stream.more().await, "it greets first");
        stream
    }

    async fn more(&mut self) -> bool {
        let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await;
        let Some(chunk) = chunk.expect("it is silent").unwrap() else { return false };
        self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        true
    }

    /// The next event; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            let Some((block, rest)) = self.text.split_once("\n\n") else {
                match self.more().await {
                    true => continue,
                    false => return None,
                }
            };
            let field = |name: &str| {
                let line = block.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap_or_default().to_owned()
            };
            let event = (!block.starts_with(':')).then(|| Event {
                name: field("event: "),
                id: field("id: "),
                data: serde_json::from_str(&field("data: ")).unwrap(),
            });
            self.text = rest.to_owned();
            if event.is_some() {
                return event;
            }
        }
    }

    /// The next event of this name and about this session. What came about just before the stream
    /// was opened may be told before it.
    pub(crate) async fn hears(&mut self, name: &str, session: &str) -> Event {
        loop {
            let event = self.next().await.expect("the stream goes on");
            if event.name == name && event.data["session_id"] == session {
                return event;
            }
        }
    }

    /// Reads on to the end of the stream.
    pub(crate) async fn closes(mut self) {
        while self.next().await.is_some() {}
    }
}
