//! The program as somebody runs it: processes, their output and their exit codes.
#![cfg(feature = "serve")]

mod completions;
mod config;
mod keys;
mod usage;
mod world;
