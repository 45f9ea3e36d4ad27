//! A WebSocket that follows a feed: through renewals of its token and restarts of the feed, which
//! is here as well, for want of another one.
//!
//! ```text
//! $ handstamp serve --set guests.enabled=true
//! $ cargo run -p example-follower -- feed
//! $ cargo run -p example-follower
//! orders 0
//! orders 1
//! ```

mod feed;

use std::io::{Write, stdout};

use handstamp::client::websocket::{Incoming, Message, WebSocketClient};
use handstamp::client::{HandstampBackend, Protection, SealedFile, SessionManager};

const SERVICE: &str = "http://127.0.0.1:7070";
const FEED: &str = "127.0.0.1:7071";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    match std::env::args().nth(1).as_deref() {
        Some("feed") => feed::serve(FEED, HandstampBackend::new(SERVICE)?).await?,
        _ => follow().await?,
    }
    Ok(())
}

async fn follow() -> Result<(), Box<dyn std::error::Error>> {
    // For its owner only, and not sealed. In earnest: a key from a keyring or a secret manager.
    let manager = SessionManager::builder()
        .storage(SealedFile::new("follower.session", Protection::Plain))
        .backend(HandstampBackend::new(SERVICE)?)
        .build();
    if manager.session().await?.is_none() {
        manager.login_as_guest().await?;
    }
    let origin = format!("ws://{FEED}");
    let client = WebSocketClient::new(manager, &[&origin])?;
    let mut socket = client.connect_websocket(&format!("{origin}/feed")).await?;
    socket.subscribe("orders", r#"{"type":"subscribe","to":"orders"}"#).await?;
    while let Some(incoming) = socket.next().await {
        match incoming {
            Incoming::Message(Message::Text(text)) => writeln!(stdout(), "{text}")?,
            Incoming::Broken => writeln!(stdout(), "one moment")?,
            Incoming::Restored => writeln!(stdout(), "here again")?,
            Incoming::Ended(why) => writeln!(stdout(), "over: {why:?}")?,
            _ => {}
        }
    }
    Ok(())
}
