//! The calls under `/sessions`.

mod begin;
mod ends;
mod lists;
mod methods;
mod refresh;
mod service_calls;
mod status;
mod why;

pub(super) use begin::{begin, guest};
pub(crate) use ends::{done, end, label, logout, logout_all, revoke};
pub(super) use lists::{my_session_logs, my_sessions};
pub(super) use refresh::refresh;
pub(super) use service_calls::{failures, introspect, step_up};
pub(super) use status::status;
pub(super) use why::{csrf, told, why, why_one};
