//! The store on SQLite: what no other store can show, and the contract.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod contract;
mod damage;
mod durable;
mod fixture;
mod full;
mod open;
mod panic;
mod restored;
