//! The verifier from outside: tokens by the letter of the standards, the layer, the feed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod claims;
mod forged;
mod tokens;
mod world;
