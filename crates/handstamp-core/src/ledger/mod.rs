//! The ledger: what a service keeps beside sessions, as small versioned documents.
//!
//! Service keys, sealed signing keys, webhooks and their deliveries, undo lists, idempotency
//! claims, cursors: each is an [`Entry`] on a shelf. A ledger knows nothing of what they mean; it
//! makes the one decision that must be atomic with the write, whether each entry is still the one
//! that its writer saw.
//!
//! It also keeps figures: events of the audit log are added up once ([`Ledger::roll_up`]), so that
//! a report costs by the time that it goes over, not by what happened in it.

mod entry;
mod extension;
mod lengths;
mod memory;
pub mod points;
pub mod report;
mod shared;
pub mod tally;

pub use entry::{Entry, EntryPage, Expect, Put, Written};
pub use extension::{LedgerError, LedgerExt};
pub use memory::MemoryLedger;
pub use report::{Bucket, Point, Report, Series};

use crate::id::Subject;
use crate::store::{BoxFuture, Page, StoreError};
use crate::time::Timestamp;

/// Keeps small documents, each under a shelf and a key, with a version and perhaps a time at which
/// it is due; and figures over time.
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
/// **Reports.**
/// - **L13** `roll_up` takes each event into the figures once, at most `limit` of them, whoever
///   rolls up at once and wherever a roll-up was cut off; it answers whether there may be more.
/// - **L14** A report says what the events that were rolled up add up to, for each [`Report`] and
///   [`Bucket`]: a bucket goes by the event's time, in UTC.
/// - **L15** A report goes over whole buckets, the latest
///   [`MOST_BUCKETS`](report::MOST_BUCKETS), and has for each at most
///   [`MOST_NAMES`](report::MOST_NAMES) names, the greatest counts first, by name where they are
///   the same.
/// - **L16** `forget` takes a subject's sign-ins out of what is told of addresses, as if their
///   addresses had not been known, and nothing else.
/// - **L17** `trim` removes what is told of addresses in buckets that began before the given time.
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

    /// Adds up events that were not yet, at most `limit`; answers whether there may be more. Call
    /// it again and again: reports are as of the last call.
    fn roll_up(&self, limit: usize) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// The figures of `report` from the bucket that `from` lies in to `to`.
    fn report(
        &self,
        report: Report,
        from: Timestamp,
        to: Timestamp,
        bucket: Bucket,
    ) -> BoxFuture<'_, Result<Series, StoreError>>;

    /// Takes the addresses of `subject` out of the figures. To be called **after** the personal
    /// parts of its events were erased, or the next roll-up brings them back.
    fn forget<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Removes figures of addresses whose bucket began before `before`.
    fn trim(&self, before: Timestamp) -> BoxFuture<'_, Result<(), StoreError>>;
}
