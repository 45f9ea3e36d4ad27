//! Taking everything that a store holds to another store: live, resumable, and held against what
//! was taken.
//!
//! [`Portable`] is what a store shows of itself for that: its tables as plain rows, its audit log
//! batch by batch. [`Transfer`] does the taking, and knows no store.
//!
//! A store is served from, filled or left, never two of them ([`Standing`]); each is a mark in the
//! store itself, checked wherever it counts. So a store that was left serves nobody, whoever starts
//! a service on it by mistake, and nobody who signed out on the new one is signed in on the old one.

mod error;
mod log;
mod pass;
mod portable;
mod row;
mod table;

pub use error::TransferError;
pub use pass::{Mode, Part, Report, Transfer};
pub use portable::{Basis, Chain, Portable, Range, Standing, Stretch, Transferred};
pub use row::{Row, Value};
pub use table::{BATCHES, Column, EVENTS, Kind, LEDGER, MARK, SESSIONS, TABLES, Table};
