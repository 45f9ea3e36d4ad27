//! What tests of sessions need: a clock that is set by hand, seeded random bytes, and a store
//! decorator that holds, fails and counts calls.
//!
//! Nothing in here sleeps, and nothing in here belongs into a program that serves people.

mod call;
mod gate;
mod held;
mod machine;
mod shared;
mod store;

pub use call::{Call, Counts, Failure, When};
pub use gate::GateStore;
pub use held::Held;
pub use machine::ManualMachine;
pub use shared::{MemoryNode, SharedMemory};

pub use crate::random::SeededRng;
pub use crate::time::ManualClock;
