//! The store on PostgreSQL: the contract, and what several nodes, a lost answer and a server that
//! stops bring about.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod agreeing;
mod at_once;
mod contract;
mod cut_off;
mod engine;
mod following;
mod given_up;
mod histories;
mod left;
mod lost;
mod model;
mod nodes;
mod open;
mod restored;
mod servers;
mod surviving;
mod tables;
mod taken;
mod unreadable;
mod views;
