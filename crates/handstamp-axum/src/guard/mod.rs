//! Guards: who may go on, as rules that extractors and layers share.

mod extract;
pub mod require;
mod rule;

pub use extract::{RequireFresh, RequireRole, RequireUser, RoleName};
