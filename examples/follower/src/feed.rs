//! The feed: takes whom the service knows, and tells of orders that nobody made.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use handstamp::client::{AuthBackend, HandstampBackend, Token};
use handstamp_protocol::status::Status;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};

/// How often an order is made up.
const EVERY: Duration = Duration::from_secs(2);
/// What closes a connection whose token is not good.
const UNAUTHORIZED: u16 = 4401;

/// Serves whoever comes.
pub(crate) async fn serve(address: &str, service: HandstampBackend) -> std::io::Result<()> {
    let (listener, service) = (TcpListener::bind(address).await?, Arc::new(service));
    loop {
        let (stream, _) = listener.accept().await?;
        let service = Arc::clone(&service);
        tokio::spawn(async move { welcome(stream, &service).await });
    }
}

async fn welcome(stream: TcpStream, service: &HandstampBackend) -> Result<(), Error> {
    let mut token = None;
    let look = |request: &Request, answer: Response| {
        token = bearer(request);
        Ok(answer)
    };
    let mut socket = tokio_tungstenite::accept_hdr_async(stream, look).await?;
    match token {
        Some(token) if is_live(service, &token).await => tell(&mut socket, service).await,
        _ => refuse(&mut socket).await,
    }
}

fn bearer(request: &Request) -> Option<Token> {
    let value = request.headers().get("authorization")?.to_str().ok()?;
    value.strip_prefix("Bearer ").map(Token::new)
}

/// Whether the service knows the session of this token. In earnest: `handstamp-verify`, which asks
/// nobody.
async fn is_live(service: &HandstampBackend, token: &Token) -> bool {
    matches!(service.status(token.clone()).await, Ok(Status::Active(_)))
}

async fn refuse(socket: &mut WebSocketStream<TcpStream>) -> Result<(), Error> {
    let frame = CloseFrame { code: UNAUTHORIZED.into(), reason: "".into() };
    socket.close(Some(frame)).await
}

/// Tells of orders once they are subscribed to, and takes each token that is shown.
async fn tell(
    socket: &mut WebSocketStream<TcpStream>,
    service: &HandstampBackend,
) -> Result<(), Error> {
    let (mut topic, mut number) = (None, 0);
    let mut due = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            heard = socket.next() => match heard.transpose()? {
                Some(Message::Text(text)) => match read(&text) {
                    Some(Asked::Authenticate(token)) if !is_live(service, &token).await => {
                        return refuse(socket).await;
                    }
                    Some(Asked::Subscribe(to)) => topic = Some(to),
                    _ => {}
                },
                Some(_) => {}
                None => return Ok(()),
            },
            _ = due.tick() => if let Some(topic) = &topic {
                socket.send(Message::text(format!("{topic} {number}"))).await?;
                number += 1;
            },
        }
    }
}

enum Asked {
    Authenticate(Token),
    Subscribe(String),
}

fn read(text: &str) -> Option<Asked> {
    let message: Value = serde_json::from_str(text).ok()?;
    let part = |name: &str| Some(message[name].as_str()?.to_owned());
    match part("type")?.as_str() {
        "authenticate" => Some(Asked::Authenticate(part("access_token")?.into())),
        "subscribe" => part("to").map(Asked::Subscribe),
        _ => None,
    }
}
