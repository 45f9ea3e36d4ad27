//! The store on SQLite: what no other store can show, and the contract.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod contract;
mod damage;
mod durable;
mod engine;
mod erased;
mod fixture;
mod full;
mod killed;
mod leaks;
mod model;
mod open;
mod panic;
mod restored;
mod synced;
mod tampered;
mod upgrade;
mod views;
