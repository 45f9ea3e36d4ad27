//! The other end of a WebSocket, played by the test.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use handstamp_client::SessionManager;
use handstamp_client::websocket::{Incoming, WebSocket, WebSocketClient, WebSocketOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

use crate::listener::{Heard, parse, reply};
use crate::world::World;

/// Where connections come in. They wait until the test takes them.
pub(super) struct Door(TcpListener);

impl Door {
    pub(super) async fn open() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    /// The same door once more, after it was shut.
    pub(super) async fn open_again(at: SocketAddr) -> Self {
        Self(TcpListener::bind(at).await.unwrap())
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    pub(super) fn url(&self) -> String {
        format!("ws://{}/feed", self.address())
    }

    pub(super) fn origin(&self) -> String {
        format!("ws://{}", self.address())
    }

    /// The next one that knocks, and what it asks for.
    pub(super) async fn knock(&self) -> (TcpStream, Heard) {
        let (mut stream, _) = self.0.accept().await.unwrap();
        let mut text = Vec::new();
        loop {
            let mut chunk = [0; 4096];
            let length = stream.read(&mut chunk).await.unwrap();
            assert_ne!(length, 0, "gone before it asked");
            text.extend_from_slice(&chunk[..length]);
            if let Some(heard) = parse(&String::from_utf8_lossy(&text)) {
                return (stream, heard);
            }
        }
    }

    /// Lets the next one in.
    pub(super) async fn accept(&self) -> Peer {
        let (stream, heard) = self.knock().await;
        Peer::welcome(stream, heard).await
    }

    /// Answers the next one with something else.
    pub(super) async fn refuse(&self, status: u16, headers: &[&str]) -> Heard {
        let (mut stream, heard) = self.knock().await;
        stream.write_all(reply(status, headers, "").as_bytes()).await.unwrap();
        heard
    }
}

/// What a server says to open a WebSocket.
pub(super) fn agreement(heard: &Heard) -> String {
    let accept = derive_accept_key(heard.header("sec-websocket-key").unwrap().as_bytes());
    format!(
        "HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

/// A connection, from the server's side.
pub(super) struct Peer {
    pub(super) heard: Heard,
    stream: WebSocketStream<TcpStream>,
}

impl Peer {
    async fn welcome(mut stream: TcpStream, heard: Heard) -> Self {
        stream.write_all(agreement(&heard).as_bytes()).await.unwrap();
        let stream = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        Self { heard, stream }
    }

    /// The token of the handshake.
    pub(super) fn token(&self) -> &str {
        self.heard.header("authorization").unwrap().strip_prefix("Bearer ").unwrap()
    }

    /// The next text.
    pub(super) async fn text(&mut self) -> String {
        loop {
            match self.stream.next().await.unwrap().unwrap() {
                Message::Text(text) => return text.as_str().to_owned(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The code with which the client says goodbye.
    pub(super) async fn goodbye(&mut self) -> u16 {
        loop {
            match self.stream.next().await.unwrap().unwrap() {
                Message::Close(frame) => return frame.unwrap().code.into(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub(super) async fn say(&mut self, text: &str) {
        self.stream.send(Message::text(text)).await.unwrap();
    }

    pub(super) async fn close(mut self, code: u16) {
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        self.stream.close(Some(frame)).await.unwrap();
        while let Some(Ok(_)) = self.stream.next().await {}
    }

    /// The bare connection, for what no WebSocket would do.
    pub(super) fn bare(&mut self) -> &mut TcpStream {
        self.stream.get_mut()
    }
}

/// Lets time pass, a tenth of a second each moment, until something is done.
pub(super) async fn meanwhile<T>(world: &World, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(Duration::from_millis(2)) => {
                world.clock.advance(Duration::from_millis(100));
            }
        }
    }
}

pub(super) fn client(manager: &SessionManager, origin: &str) -> WebSocketClient {
    WebSocketClient::new(manager.clone(), &[origin]).unwrap()
}

/// Both ends of a connection with these options.
pub(super) async fn connected_with(
    manager: &SessionManager,
    door: &Door,
    options: WebSocketOptions,
) -> (WebSocket, Peer) {
    let client = client(manager, &door.origin()).with_options(options);
    let url = door.url();
    let (socket, peer) = tokio::join!(client.connect_websocket(&url), door.accept());
    (socket.unwrap(), peer)
}

/// Both ends of a connection.
pub(super) async fn connected(manager: &SessionManager, door: &Door) -> (WebSocket, Peer) {
    connected_with(manager, door, WebSocketOptions::default()).await
}

/// Waits for the reconnect, which takes the application and the server.
pub(super) async fn reconnected(world: &World, socket: &mut WebSocket, door: &Door) -> Peer {
    assert_eq!(socket.next().await, Some(Incoming::Broken));
    let peer = meanwhile(world, door.accept()).await;
    assert_eq!(socket.next().await, Some(Incoming::Restored));
    peer
}

/// The message with this text.
pub(super) fn message(text: &str) -> Option<Incoming> {
    Some(Incoming::Message(text.into()))
}
