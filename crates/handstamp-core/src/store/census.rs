//! How many records there are.

/// What [`SessionStore::census`](super::SessionStore::census) counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Census {
    /// Records that are not tombstones. Those whose time is over, or whose head has ended them, are
    /// among them until somebody has written so.
    pub live: u64,
    /// Tombstones, which wait for their purge.
    pub ended: u64,
}
