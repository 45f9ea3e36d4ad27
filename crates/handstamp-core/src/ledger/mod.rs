//! The ledger: what a service keeps beside sessions, as small versioned documents.
//!
//! Service keys, sealed signing keys, webhooks and their deliveries, undo lists, idempotency
//! claims, cursors: each is an [`Entry`] on a shelf. A ledger knows nothing of what they mean; it
//! makes the one decision that must be atomic with the write, whether each entry is still the one
//! that its writer saw.

mod entry;
mod extension;
mod memory;
mod shared;

pub use entry::{Entry, EntryPage, Expect, Put, Written};
pub use extension::{LedgerError, LedgerExt};
pub use memory::MemoryLedger;

use crate::store::{BoxFuture, Page, StoreError};
use crate::time::Timestamp;

/// Keeps small documents, each under a shelf and a key, with a version and perhaps a time at which
/// it is due.
///
/// # Contract
///
/// Each clause has one test in [`conformance`](crate::conformance) of the same number.
///
/// **Entries.**
/// - **L01** `get` answers what the last applied put wrote, body and due time; absence is `None`.
///   Shelves know nothing of each other.
/// - **L02** A put that expects [`Expect::Absent`] applies where nothing is; otherwise the write is
///   [`Written::Conflict`] with what is there.
/// - **L03** A put that expects [`Expect::Version`] applies to that version and to no other, and
///   not to nothing.
/// - **L04** A put that expects [`Expect::Any`] applies whatever is there.
/// - **L05** A put without a body removes the entry; removing nothing is no fault.
/// - **L06** A write is applied whole or not at all; a conflict names its first put that does not
///   fit. An empty write changes nothing.
/// - **L07** A version is greater than every version given before, also under a key whose entry
///   was removed: a version seen once never means anything else.
/// - **L08** What cannot be kept (a second put for one key, a name or a body that is too long,
///   a name that is empty or holds a NUL) is [`Written::Invalid`], and nothing is written.
///
/// **Lists.**
/// - **L09** `list` gives the entries of a shelf whose keys begin with the prefix, in the byte
///   order of the keys, page by page; what is there all the time is listed once, whatever comes
///   and goes.
/// - **L10** `due` lists entries of a shelf whose due time is at or before the given time, earliest
///   first, at most `limit`; an entry without one is never due, and a put moves it.
///
/// **Surviving.**
/// - **L11** Concurrent writes are each atomic: increments by read, write and retry sum up.
/// - **L12** What was acknowledged is there after the ledger is opened again, unless it keeps
///   nothing beyond the process.
///
/// # Errors
/// Every call may answer a [`StoreError`]: a fault of the system, never of the request.
pub trait Ledger: Send + Sync + 'static {
    /// The entry under `key` of `shelf`.
    fn get<'a>(
        &'a self,
        shelf: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Entry>, StoreError>>;

    /// The entries of `shelf` whose keys begin with `prefix`, by key. A page goes on after the key
    /// in [`Page::after`], which need not be there any more.
    fn list<'a>(
        &'a self,
        shelf: &'a str,
        prefix: &'a str,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<EntryPage, StoreError>>;

    /// Entries of `shelf` that are due at `before`, earliest first.
    fn due<'a>(
        &'a self,
        shelf: &'a str,
        before: Timestamp,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>>;

    /// Applies all of `puts`, or nothing.
    fn write(&self, puts: Vec<Put>) -> BoxFuture<'_, Result<Written, StoreError>>;
}
