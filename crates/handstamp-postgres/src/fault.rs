//! What can go wrong while a job is worked on, and what its caller hears of it.

use std::sync::Arc;

use handstamp_core::store::StoreError;
use handstamp_core::transfer::Standing;

/// A job could not be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// PostgreSQL refused, or is out of reach.
    #[error("the database refused")]
    Sql(#[from] sqlx::Error),
    /// No connection can be made: nothing was asked.
    #[error("the database cannot be reached")]
    Unreached(#[source] Arc<sqlx::Error>),
    /// No answer came in time; the connection is given up.
    #[error("the database did not answer in time")]
    Late,
    /// The server is a replica: what it says may be old.
    #[error("the database is a replica and may be behind")]
    Replica,
    /// The database is being filled, or was left: nobody is served from it.
    #[error("the database is no longer, or not yet, to be served from")]
    NotServed(Standing),
    /// Others changed what the job was decided on; it is decided again.
    #[error("others are changing the same")]
    Raced,
    /// The answer to a commit is lost, and nobody can tell.
    #[error("the answer to a commit was lost")]
    Lost(#[source] Box<Self>),
    /// Something stored is not what this store writes.
    #[error("a stored value cannot be read: {0}")]
    Stored(&'static str),
    /// A group holds what cannot be stored.
    #[error("cannot be stored: {0}")]
    Unfit(&'static str),
    /// The caller's cursor is not one of ours.
    #[error("not a cursor of this list")]
    Cursor,
}

/// What our own functions in the database say where others were faster.
const RACED: &str = "HS001";

impl Fault {
    /// What PostgreSQL calls the fault, if it is its own.
    pub(crate) fn code(&self) -> Option<String> {
        let Self::Sql(sqlx::Error::Database(error)) = self else { return None };
        error.code().map(Into::into)
    }

    /// What PostgreSQL says that its user may not do.
    pub(crate) fn not_permitted(&self) -> Option<String> {
        let Self::Sql(sqlx::Error::Database(error)) = self else { return None };
        (error.code()? == "42501").then(|| error.message().to_owned())
    }

    fn has_code(&self, is_it: impl Fn(&str) -> bool) -> bool {
        self.code().is_some_and(|code| is_it(&code))
    }

    /// Whether what is wrong is in what was to be stored: of text, of a number, or of a size.
    pub(crate) fn is_local(&self) -> bool {
        self.has_code(|code| code.starts_with("22") || matches!(code, "23514" | "54000"))
    }

    /// Whether others were faster, so that another try may do: a serialization failure, a deadlock,
    /// a row that somebody else has made meanwhile.
    pub(crate) fn is_race(&self) -> bool {
        matches!(self, Self::Raced)
            || self.has_code(|code| matches!(code, RACED | "40001" | "40P01" | "23505"))
    }

    /// Whether the server has said no, or was never asked: then nothing has come of it.
    pub(crate) fn is_refusal(&self) -> bool {
        let is_unasked = matches!(
            self,
            Self::Unreached(_) | Self::Sql(sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed)
        );
        is_unasked || (self.code().is_some() && !self.is_broken())
    }

    /// Whether somebody else held a lock for longer than was to be waited for it.
    pub(crate) fn is_of_locks(&self) -> bool {
        self.has_code(|code| code == "55P03")
    }

    /// Whether the connection was refused for the options that it came with: a pooler says that it
    /// knows no such parameter, and the server that it has no such setting or value.
    pub(crate) fn is_of_options(&self) -> bool {
        self.has_code(|code| matches!(code, "08P01" | "22023" | "42704" | "0A000"))
    }

    /// Whether the connection is no good any more; the next one may be. A server that stops or
    /// starts says so by codes of its own.
    pub(crate) fn is_broken(&self) -> bool {
        match self {
            Self::Late | Self::Sql(sqlx::Error::Io(_) | sqlx::Error::Protocol(_)) => true,
            // A pooler says by class 08 that it has lost the server.
            _ => self.has_code(|code| {
                matches!(code, "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25P04" | "40003")
                    || code.starts_with("08")
            }),
        }
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Cursor => Self::BadCursor,
            Fault::Lost(fault) => Self::unknown(fault),
            other => Self::unavailable(other),
        }
    }
}
