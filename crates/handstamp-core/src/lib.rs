//! The engine of Handstamp: ids, tokens, heads and records, policy, the session manager and its
//! events, the store contract with a memory store, and the suite that tests stores against it.
//!
//! No HTTP, no SQL, and no clock of its own. Applications depend on `handstamp`, which re-exports
//! this crate.

mod cache;
pub mod chain;
mod coherence;
mod commit;
pub mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod csrf;
pub mod data;
mod delta;
mod encoding;
mod engine;
pub mod error;
pub mod event;
pub mod head;
pub mod id;
pub mod key;
pub mod ledger;
mod manager;
pub mod policy;
pub mod random;
pub mod record;
pub mod roles;
mod session;
pub mod sign_in;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
pub mod text;
pub mod time;
pub mod token;
mod touch;
pub mod transfer;
pub mod verdict;
mod watch;

pub use coherence::Following;
pub use config::SessionConfig;
pub use engine::{Bulk, Cleaned, Engine, RefreshCase, Refreshed};
pub use error::{Refused, SessionError};
pub use id::{SessionId, Subject};
pub use key::KeyRing;
pub use manager::{
    Begun, CacheLooks, ClockOffset, Erased, Exported, Listed, ListedPage, LogCheck, Retained,
    Retention, SessionManager, SessionManagerBuilder, SignInFailure, Why,
};
pub use session::{
    CommitFuture, CookieAction, CookieValue, Ending, Finish, Leaving, Opened, Outgoing, Presented,
    RequestInfo, Session,
};
pub use sign_in::SignIn;
pub use token::AccessClaim;
