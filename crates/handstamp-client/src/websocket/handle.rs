//! What the application holds of a connection.

use std::fmt;

use tokio::sync::{mpsc, oneshot};

use super::WebSocketError;
use super::message::{Incoming, Message};
use super::queue::Waiting;

/// What the task of a connection is asked to do.
pub(super) enum Command {
    Send(Message, Reply),
    /// Remember a message under a name, and send it now and after each reconnect.
    Subscribe(String, Message, Reply),
    /// Forget it, and send another one if the connection stands.
    Unsubscribe(String, Option<Message>, Reply),
    Close,
}

pub(super) type Reply = oneshot::Sender<Result<(), WebSocketError>>;

/// A connection that carries the session. Dropping it closes it.
pub struct WebSocket {
    sender: WebSocketSender,
    incoming: Waiting,
}

/// The sending half of a connection. Clones are the same.
#[derive(Clone)]
pub struct WebSocketSender(mpsc::Sender<Command>);

impl WebSocket {
    pub(super) const fn new(commands: mpsc::Sender<Command>, incoming: Waiting) -> Self {
        Self { sender: WebSocketSender(commands), incoming }
    }

    /// What comes next; nothing after [`Incoming::Ended`]. While nobody asks, no more is read from
    /// the network than 64 messages, or twice as many bytes as the largest one may have. May be dropped half-way and called again.
    pub async fn next(&mut self) -> Option<Incoming> {
        self.incoming.next().await
    }

    /// What sends, for other tasks.
    pub fn sender(&self) -> WebSocketSender {
        self.sender.clone()
    }

    /// As [`WebSocketSender::send`].
    ///
    /// # Errors
    /// As there.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), WebSocketError> {
        self.sender.send(message).await
    }

    /// As [`WebSocketSender::subscribe`].
    ///
    /// # Errors
    /// As there.
    pub async fn subscribe(
        &self,
        name: impl Into<String>,
        message: impl Into<Message>,
    ) -> Result<(), WebSocketError> {
        self.sender.subscribe(name, message).await
    }

    /// As [`WebSocketSender::close`].
    pub async fn close(&self) {
        self.sender.close().await;
    }
}

impl WebSocketSender {
    /// Sends a message. It is handed to the network, which is no word of the server's that it came.
    ///
    /// # Errors
    /// [`WebSocketError::Broken`] while there is no connection: it is not kept for later.
    /// [`WebSocketError::Ended`].
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), WebSocketError> {
        self.ask(|reply| Command::Send(message.into(), reply)).await
    }

    /// Sends a message now and after each reconnect, in the order of the first time. The same name
    /// again takes the place of the message before.
    ///
    /// # Errors
    /// [`WebSocketError::Ended`]. While there is no connection it is kept for the next one.
    pub async fn subscribe(
        &self,
        name: impl Into<String>,
        message: impl Into<Message>,
    ) -> Result<(), WebSocketError> {
        self.ask(|reply| Command::Subscribe(name.into(), message.into(), reply)).await
    }

    /// Sends that message no more, and this one now, if one is given and the connection stands.
    ///
    /// # Errors
    /// [`WebSocketError::Ended`].
    pub async fn unsubscribe(
        &self,
        name: impl Into<String>,
        message: Option<Message>,
    ) -> Result<(), WebSocketError> {
        self.ask(|reply| Command::Unsubscribe(name.into(), message, reply)).await
    }

    /// Ends the connection (1000). Does nothing if it has ended.
    pub async fn close(&self) {
        let _ = self.0.send(Command::Close).await;
    }

    async fn ask(&self, command: impl FnOnce(Reply) -> Command) -> Result<(), WebSocketError> {
        let (reply, answer) = oneshot::channel();
        self.0.send(command(reply)).await.map_err(|_| WebSocketError::Ended)?;
        answer.await.unwrap_or(Err(WebSocketError::Ended))
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket").field("is_over", &self.incoming.is_over()).finish()
    }
}

impl fmt::Debug for WebSocketSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketSender").field("is_over", &self.0.is_closed()).finish()
    }
}
