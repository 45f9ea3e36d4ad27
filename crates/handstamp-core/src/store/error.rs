//! What can go wrong in a store.

/// A boxed cause.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A fault of the store: never of the request, never the absence of something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store cannot be reached, is full or read-only. **Nothing was changed**, and nothing of this
    /// call will be later either; retrying helps once the cause is gone.
    #[error("the session store is unavailable; nothing was changed")]
    Unavailable(#[source] BoxError),
    /// The reply was lost: the change may have been applied, or may still come. The engine finds out
    /// by its change id whether it is there; where it is not, it says that nobody can tell. A store
    /// that can prove that the change never comes answers [`Unavailable`](Self::Unavailable).
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
