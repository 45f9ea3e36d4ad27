//! The session service of Handstamp as a library.

mod body;
pub mod client;
pub mod geo;
mod idempotency;
pub mod risk;
pub(crate) mod seal;
mod service_keys;
pub mod settings;
pub mod webhooks;

pub use service_keys::{NewKey, Scope, ServiceKey, ServiceKeys};
