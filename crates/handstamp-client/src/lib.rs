//! Handstamp for whoever holds a session: a command line, a desktop program, a bot, the core of an
//! app.
//!
//! A [`SessionManager`] keeps one account signed in, across restarts and beside other processes:
//! tokens in a sealed file, renewed once however many tasks and processes need it, a state to
//! watch, a sign-out that reaches the server even if it takes until tomorrow.
//!
//! What cannot be reached, read or understood never signs anybody out: only the server's own word
//! about the present tokens does.
//!
//! # Features
//! - `reqwest` (default): the session service over HTTP, any OAuth 2 token endpoint, and requests
//!   that carry the session.
//! - `websocket`: connections that carry the session and outlive a change of network.
//! - `keyring`: the key of the file in the keyring of the operating system.
//! - `testing`: a clock that is set by hand, a server that plays a script.

#[cfg(all(any(target_os = "linux", target_os = "android"), feature = "reqwest"))]
mod alarm;
mod clock;
mod error;
mod fail;
mod random;
mod state;
mod token;
mod wiped;

pub mod accounts;
#[cfg(feature = "reqwest")]
pub mod address;
pub mod backend;
pub mod guard;
#[cfg(feature = "reqwest")]
pub mod http;
pub mod manager;
pub mod refresh;
pub mod session;
pub mod storage;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(feature = "websocket")]
pub mod websocket;

use std::pin::Pin;

pub use accounts::{AccountName, Accounts};
pub use backend::{AuthBackend, BackendError, Granted};
#[cfg(feature = "reqwest")]
pub use backend::{HandstampBackend, OauthBackend};
pub use clock::{Clock, SystemClock};
pub use error::AuthError;
pub use guard::{Guard, Verdict};
pub use manager::{ClientConfig, SessionManager, SignedOut};
pub use random::NoRandom;
pub use refresh::Outcome;
pub use session::{
    AuthCookies, AuthTokens, CookieChanges, LinkedHealth, LinkedSession, Margins, Session,
    SessionMetadata, UserInfo,
};
pub use state::{AuthEvent, AuthState};
pub use storage::{MemoryStorage, Protection, SealedFile, Storage, StorageError};
pub use token::Token;

/// A future in a box, so that traits with asynchronous functions can be objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The guide, whose programs are compiled.
#[cfg(all(doctest, feature = "reqwest"))]
#[doc = include_str!("../../../docs/guides/client.md")]
mod guide {}
