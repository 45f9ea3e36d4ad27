//! The service over HTTP, on port 0, on the embedded store, asked by a real client; and its parts
//! from outside.

mod admin;
mod begin;
mod callers;
mod ends;
mod mine;
mod refresh;
mod services;
mod webhooks;
mod world;
