//! The engine of Handstamp: ids, tokens, heads and records, policy, the session manager and its
//! events, the store contract with a memory store, and the suite that tests stores against it.
//!
//! No HTTP, no SQL, and no clock of its own. Applications depend on `handstamp`, which re-exports
//! this crate.

pub mod chain;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod data;
mod encoding;
pub mod event;
pub mod head;
pub mod id;
pub mod key;
pub mod random;
pub mod record;
pub mod roles;
pub mod store;
pub mod time;
pub mod token;
