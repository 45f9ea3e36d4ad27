//! The client as its holders use it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

#[cfg(feature = "reqwest")]
mod another;
#[cfg(unix)]
mod drives;
mod files;
mod kept;
#[cfg(feature = "keyring")]
mod keyring;
#[cfg(all(unix, feature = "reqwest"))]
mod killed;
#[cfg(feature = "reqwest")]
mod listener;
mod lost;
mod meanwhile;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(all(unix, feature = "reqwest"))]
mod periods;
#[cfg(all(unix, feature = "reqwest"))]
mod processes;
mod refresh;
#[cfg(feature = "reqwest")]
mod requests;
mod several;
mod signing;
mod unkept;
#[cfg(feature = "websocket")]
mod websocket;
#[cfg(feature = "reqwest")]
mod wire;
mod world;
