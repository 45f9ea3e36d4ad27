//! The session service of Handstamp as a library.

pub mod client;
pub mod geo;
pub mod settings;
