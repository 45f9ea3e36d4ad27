//! What goes over a connection, and what is told about it.

use std::fmt;

use tokio_tungstenite::tungstenite;

/// A whole message.
///
/// # Security
/// `Debug` shows its length only: it may be what shows a token.
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

/// What comes from a connection, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Incoming {
    /// A message of the server's.
    Message(Message),
    /// The connection broke. What the server says until [`Restored`](Self::Restored) is missed.
    Broken,
    /// It stands again. Subscriptions are being sent again; whatever else the server knew of the
    /// connection before is yours to say.
    Restored,
    /// It has ended for good. Nothing follows.
    Ended(Ending),
}

/// Why a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Ending {
    /// It was closed here.
    Here,
    /// The server closed it and was done (1000).
    There,
    /// Nobody is signed in any more, or somebody else is.
    SignedOut,
    /// The server does not want it: a code of closing, or the status of a handshake. A token that
    /// was refused had been renewed before.
    Refused {
        /// The code (1002 and on) or the status (below 1000).
        code: u16,
    },
}

impl Message {
    /// How long it is, in bytes.
    pub(super) const fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Message> for tungstenite::Message {
    fn from(message: Message) -> Self {
        match message {
            Message::Text(text) => Self::text(text),
            Message::Binary(bytes) => Self::binary(bytes),
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Binary(bytes) => write!(f, "Binary({} bytes)", bytes.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_a_message() {
        let shown = format!("{:?}", Incoming::Message(Message::from("s3cret")));
        assert_eq!(shown, "Message(Text(6 bytes))");
    }
}
