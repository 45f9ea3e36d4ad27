//! The web layer over a real engine and the memory store, through whole routers.

// The configuration of clippy allows these in tests, not in what tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod attacks;
mod bad_input;
mod browser;
mod changes;
mod csrf;
mod ended;
mod flash;
mod guards;
mod headers;
mod manager;
mod sign_in;
mod store_down;
mod tower_services;
mod traffic;
mod unwinding;
mod watched;
mod world;
