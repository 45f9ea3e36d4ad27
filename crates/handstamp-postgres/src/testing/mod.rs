//! What tests on PostgreSQL need: a server of their own, databases in it, and a way to it that loses
//! what it is told to lose.
//!
//! PostgreSQL must be installed as on Debian. Nothing in here belongs into a program that serves
//! people.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests, which fail by panics"
)]

mod database;
mod pooler;
mod proxy;
mod server;

pub use database::{Database, shared_folder};
pub use pooler::Pooler;
pub use proxy::{Loses, Proxy};
pub use server::{LOCKED, Server};

/// Runs something on a runtime of its own.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}
