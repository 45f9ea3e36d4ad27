//! Why what a store holds cannot be taken elsewhere.

use crate::store::StoreError;

/// A transfer cannot begin or go on. Each variant says in one line what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// A store is out of reach or refuses. Nothing that was taken is lost; running it again goes on
    /// from there.
    #[error("a store does not answer; run it again, and it goes on from there")]
    Store(#[from] StoreError),
    /// A store does not let its user do that, as it says. Retrying helps once it does.
    #[error("a store refuses: {0}")]
    NotPermitted(String),
    /// The store that is to be filled holds something else. Retrying never helps.
    #[error("the destination holds other data; name one that is new and empty")]
    NotEmpty,
    /// The store that is to be filled is not being filled, or not by this run: it is served from,
    /// or another run has taken it over. Running it again helps where that has come to nothing.
    #[error("another run fills the destination, or it is served from by now; nothing is written")]
    NotFilling,
    /// The store that is to be left was filled and never finished. Retrying never helps.
    #[error("the source is itself the unfinished copy of another store; finish that one first")]
    Unfinished,
    /// The store was left for good, and the other one is not the one it was left for.
    #[error("the source was left for another copy, which is in use; copy from that one")]
    Left,
    /// Somebody serves from the store that is to be left: `2 processes serve`. Retrying helps once
    /// they have stopped.
    #[error(
        "{0} from the source; stop them (one that was killed counts for a minute) and \
             run it again"
    )]
    InUse(String),
    /// Something cannot be held by the other store. Retrying helps once it is changed or gone.
    #[error("the destination cannot hold {row}: {why}")]
    Unfit {
        /// Which row.
        row: String,
        /// Why not.
        why: &'static str,
    },
    /// What was taken is not what is there. Running it again takes it again.
    #[error("the destination differs in {0}")]
    Differs(String),
    /// Events are not yet added up. Running it again helps.
    #[error("figures of the source do not yet include its last events; run it again")]
    NotRolledUp,
}
