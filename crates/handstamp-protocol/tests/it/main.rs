//! The wire, as files tell it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod golden;
#[cfg(feature = "schema")]
mod schemas;
