//! What can go wrong while a job is worked on, and what its caller hears of it.

use handstamp_core::store::StoreError;
use rusqlite::ErrorCode;

/// A job could not be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// SQLite refused; the transaction is rolled back.
    #[error("the database refused")]
    Sql(#[from] rusqlite::Error),
    /// The commit was cut off between the log and the disk.
    #[error("the commit was cut off")]
    Torn(#[source] rusqlite::Error),
    /// Something stored is not what this store writes.
    #[error("a stored value cannot be read: {0}")]
    Stored(&'static str),
    /// A group holds what cannot be stored.
    #[error("cannot be stored: {0}")]
    Unfit(&'static str),
    /// The caller's cursor is not one of ours.
    #[error("not a cursor of this list")]
    Cursor,
    /// A thread of the store is gone or panicked.
    #[error("a thread of the store panicked")]
    Panicked,
}

impl Fault {
    /// What a failed `COMMIT` means. Only where the log was written and its sync failed may the
    /// change come back after a crash; every other failure leaves nothing behind.
    pub(crate) fn of_commit(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::SystemIoFailure) => Self::Torn(error),
            _ => Self::Sql(error),
        }
    }

    /// Whether something stored is damaged, which concerns only those who ask for it.
    pub(crate) fn is_damage(&self) -> bool {
        let Self::Sql(error) = self else { return matches!(self, Self::Stored(_)) };
        error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt)
    }

    /// Whether it may be the fault of one group, so that the others deserve another try.
    pub(crate) fn is_local(&self) -> bool {
        let Self::Sql(error) = self else { return !matches!(self, Self::Torn(_)) };
        !matches!(
            error.sqlite_error_code(),
            Some(
                ErrorCode::DiskFull
                    | ErrorCode::ReadOnly
                    | ErrorCode::SystemIoFailure
                    | ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked
                    | ErrorCode::CannotOpen
                    | ErrorCode::OutOfMemory
                    | ErrorCode::NotADatabase
            )
        )
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Cursor => Self::BadCursor,
            Fault::Torn(error) => Self::unknown(error),
            other => Self::unavailable(other),
        }
    }
}
