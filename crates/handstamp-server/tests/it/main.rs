//! The service over HTTP, on port 0, on the embedded store, asked by a real client; and its parts
//! from outside.

// The configuration of clippy allows these in tests, not in what tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod admin;
mod audit;
mod begin;
mod bodies;
mod bounds;
mod browser;
mod callers;
mod connections;
mod csrf;
mod dashboard;
mod draw;
mod ends;
mod erase;
mod events;
mod feed;
mod figures;
mod forward;
mod fuzzed;
mod headers;
mod holder;
mod mine;
mod problems;
mod proxies;
mod races;
mod random;
mod refresh;
mod services;
mod short_way;
mod signed;
mod sly;
mod streams;
mod telemetry;
mod webhooks;
mod wire;
mod world;
