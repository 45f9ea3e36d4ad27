//! Tests of the engine from outside, in one binary.

#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests, helpers included")]

mod answers;
mod cleanup;
mod gate_store;
mod memory_ledger;
mod memory_store;
mod model;
mod nodes;
mod regressions;
mod schedule;
mod sign_in_at_the_limit;
mod suite;
