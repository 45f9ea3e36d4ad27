//! The client as its holders use it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod files;
mod kept;
#[cfg(feature = "keyring")]
mod keyring;
mod refresh;
mod signing;
mod world;
