//! The wire of Handstamp: types, paths and error codes. serde only.
//!
//! One file per noun. What a caller sends (`…Request`, `…Query`) refuses fields that it does not
//! know, so that a misspelt one is an error and not a default; what the service answers is read
//! tolerantly, so that an older client lives with a newer service. A code, reason or kind that
//! this version does not know is kept as its text (`Other`).
//!
//! Durations are whole seconds, in fields that end in `_in` or `_seconds`; points in time are
//! [`Time`]; tokens are [`Secret`], which no `Debug` shows.
//!
//! # Features
//! - `schema`: every type is a `schemars::JsonSchema`.

mod names;

pub mod admin;
pub mod analytics;
pub mod csrf;
pub mod events;
pub mod failures;
pub mod feed;
pub mod headers;
pub mod health;
pub mod introspect;
pub mod logs;
pub mod object;
pub mod page;
pub mod paths;
pub mod policy;
pub mod problem;
pub mod refresh;
pub mod secret;
pub mod service_keys;
pub mod sessions;
pub mod status;
pub mod step_up;
pub mod subjects;
pub mod time;
pub mod tokens;
pub mod verify;
pub mod webhooks;
pub mod why;

pub use object::Object;
pub use problem::{ErrorCode, Problem};
pub use secret::Secret;
pub use time::Time;
