//! What can go wrong in a store.

/// A boxed cause.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A fault of the store: never of the request, never the absence of something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store cannot be reached, is full or read-only. **Nothing was changed**; retrying helps
    /// once the cause is gone.
    #[error("the session store is unavailable; nothing was changed")]
    Unavailable(#[source] BoxError),
    /// The reply was lost: the change may or may not have been applied. The engine finds out by
    /// its change id.
    #[error("the session store did not answer; the change may have been applied")]
    Unknown(#[source] BoxError),
    /// The store does not have this filter; retrying never helps.
    #[error("the session store has no filter by {0}")]
    Unsupported(&'static str),
    /// The cursor is not one that this store gave; retrying never helps.
    #[error("not a cursor of this list")]
    BadCursor,
}

impl StoreError {
    /// [`StoreError::Unavailable`] with this cause.
    pub fn unavailable(cause: impl Into<BoxError>) -> Self {
        Self::Unavailable(cause.into())
    }

    /// [`StoreError::Unknown`] with this cause.
    pub fn unknown(cause: impl Into<BoxError>) -> Self {
        Self::Unknown(cause.into())
    }
}
