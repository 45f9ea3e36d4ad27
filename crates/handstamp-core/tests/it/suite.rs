//! The engine's suite on the memory store.

use crate::memory_store::Memory;

handstamp_core::engine_suite!(|| Memory);
