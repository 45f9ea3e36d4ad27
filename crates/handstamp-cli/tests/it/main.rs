//! The program as somebody runs it: processes, their output and their exit codes.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod completions;
mod config;
mod copied;
#[cfg(feature = "demo")]
mod demo;
#[cfg(feature = "holder")]
mod holder;
mod keys;
mod killed;
mod nodes;
mod operate;
mod restored;
mod serve;
mod usage;
mod world;
