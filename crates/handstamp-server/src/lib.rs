//! The session service of Handstamp as a library.

mod access;
mod answer;
mod audit;
mod body;
mod caller;
pub mod client;
mod connections;
mod dashboard;
mod error;
mod feed;
mod front;
pub mod geo;
mod hub;
mod idempotency;
mod issue;
mod json;
mod limits;
mod local;
mod metrics;
mod openapi;
mod path;
mod query;
mod request;
mod ring;
pub mod risk;
mod routes;
pub(crate) mod seal;
mod serve;
mod service;
mod service_keys;
pub mod settings;
mod sse;
mod telemetry;
mod undo;
pub mod webhooks;
mod work;

pub use error::StartError;
pub use local::answer_locally;
pub use metrics::{Measured, StoreFigures};
pub use ring::recognise;
pub use serve::{Listeners, LocalListener, SOCKET, serve};
pub use service::{Foundation, Service, router};
pub use service_keys::{NewKey, Scope, ServiceKey, ServiceKeys};

/// The guide, whose program is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guides/webhooks.md")]
mod guide {}
