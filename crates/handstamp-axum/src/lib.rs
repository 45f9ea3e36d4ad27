//! Sessions for axum and any tower service.

mod client;
pub mod cookies;
mod negotiate;
mod return_to;
pub mod site;

pub use return_to::ReturnTo;
