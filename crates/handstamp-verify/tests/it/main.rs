//! The verifier from outside: tokens by the letter of the standards, the layer, the feed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod claims;
#[cfg(feature = "http")]
mod feed;
mod forged;
mod layer;
#[cfg(feature = "http")]
mod script;
mod tokens;
mod verifier;
mod world;
