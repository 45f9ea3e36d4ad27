//! The store contract: what the engine asks of whatever keeps its records.
//!
//! A store is small: it loads, commits batches, lists, and forgets. It decides nothing about
//! tokens or lifetimes. The one decision it makes is the one that must be atomic with the write:
//! whether a head allows a session to begin or go on.

mod census;
mod cursor;
mod error;
mod filter;
mod group;
mod memory;
pub mod rules;
mod shared;

use std::future::Future;
use std::pin::Pin;

pub use census::Census;
pub use cursor::Cursor;
pub use error::StoreError;
pub use filter::{EventFilter, EventPage, Filter, Page, RecordPage};
pub use group::{
    Applied, Batch, EpochRule, Group, HeadChange, HeadTarget, Outcome, RecordChange, Refusal,
    Remake,
};
pub use memory::MemoryStore;

use crate::chain::{ChainEnd, Cut, SealedBatch, Sealer};
use crate::event::Event;
use crate::head::{Deployment, Head};
use crate::id::{PartitionKey, SessionId, Subject};
use crate::record::Record;
use crate::time::{SystemClock, Timestamp};

/// A boxed future, as store calls answer: one box per batch.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a store remembers about itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Meta {
    /// Spreads subjects over partitions; drawn when the store was made, never changed.
    pub partition_key: PartitionKey,
    /// Whose chain this process writes.
    pub writer: u32,
}

/// What a store promises of an acknowledged commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// Gone with the process.
    Memory,
    /// Survives the process, not a power failure.
    Process,
    /// On disk before it is acknowledged.
    Synced,
}

/// What a store declares about itself; the conformance suite tests what is declared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capabilities {
    /// What an acknowledged commit survives.
    pub durability: Durability,
    /// Whether several processes may use the same data at once.
    pub is_shared: bool,
    /// Whether [`Filter`]s beyond subject, id and state work in [`SessionStore::scan`].
    pub has_filters: bool,
    /// Whether groups tied by [`Group::only_if`] are one transaction, rather than in order.
    pub is_transactional: bool,
}

/// A record with the head that decides about it.
#[derive(Clone, PartialEq, Debug)]
pub struct Loaded {
    /// The record; may be a tombstone.
    pub record: Record,
    /// The head of its subject; `None` for a session without a subject.
    pub head: Option<Head>,
}

/// What stands under one id.
#[derive(Clone, PartialEq, Debug)]
pub enum Found {
    /// A record, perhaps a tombstone.
    Record(Box<Loaded>),
    /// Nothing.
    Missing,
    /// Something that cannot be read; the text says what. All other ids are served.
    Corrupt(String),
}

/// The answer to [`SessionStore::load`].
#[derive(Clone, PartialEq, Debug)]
pub struct LoadAnswer {
    /// What stands under each id, in the order asked for.
    pub found: Vec<Found>,
    /// The deployment's head.
    pub deployment: Deployment,
}

/// One line of the change log: what other processes and verifiers must hear of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// A record was inserted or replaced.
    Session {
        /// Which.
        id: SessionId,
        /// Its version now.
        version: u64,
        /// Its generation now.
        generation: u32,
        /// The first generation whose access tokens are good:
        /// [`Record::min_generation`].
        min_generation: u32,
        /// Whether it is a tombstone now.
        is_ended: bool,
    },
    /// A subject's head changed.
    Subject {
        /// Whose.
        subject: Subject,
        /// Its version now.
        version: u64,
        /// Its epoch now.
        epoch: u64,
    },
    /// The deployment's head changed.
    Deployment {
        /// Its epoch now.
        epoch: u64,
    },
}

/// A page of the change log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Changes {
    /// The changes after the cursor, oldest first.
    pub changes: Vec<Change>,
    /// Where the next page begins.
    pub cursor: Cursor,
    /// The log no longer reaches back to the cursor, or has lost what it told before it: whoever
    /// follows must start afresh.
    pub has_gap: bool,
}

/// A device binding: a key that a session is bound to, beside its record so that neither write
/// undoes the other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Binding {
    /// Counts replaces; the first is 1.
    pub version: u64,
    /// What the binding layer keeps, at most 4,096 bytes.
    pub body: Vec<u8>,
}

/// What came of [`SessionStore::bind`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BindOutcome {
    /// The binding is as asked.
    Applied,
    /// Another version is there, or none.
    Conflict(Option<Binding>),
    /// There is no such session, or it has ended.
    Missing,
}

/// Keeps records, heads and events.
///
/// # Contract
///
/// Each clause has one test in [`conformance`](crate::conformance) of the same number. "Live"
/// below means: not a tombstone. How groups are decided (C05–C18) is there as pure functions in
/// [`rules`].
///
/// **Loading.**
/// - **C01** `load` answers in the order asked for, one [`Found`] per id, repeats included;
///   absence is [`Found::Missing`], never an error.
/// - **C02** What was applied is read back unchanged, every field, by the next `load` (read your
///   writes). `load` gives the head of the record's subject as it is at that moment, and the
///   deployment's.
/// - **C03** A record that cannot be read is [`Found::Corrupt`]; the others are served.
///   (Shown by stores that have a way to damage a record.)
///
/// **Committing.**
/// - **C04** A batch answers one [`Outcome`] per group, in order. A group is applied whole (record,
///   head, events, change log) or not at all.
/// - **C05** An insert of an id that is there, tombstones included, is [`Outcome::Exists`].
/// - **C06** An insert stamps version 1 and the epochs of its subject's head (made if there is
///   none) and of the deployment, and answers the stamps.
/// - **C07** An insert for a disabled subject is refused with [`Refusal::Disabled`].
/// - **C08** An insert with a limit is refused with [`Refusal::Limit`] when the head's live count
///   has reached it; never more than the limit are live, whoever commits at once.
/// - **C09** A replace applies if the stored version is the expected one and stamps the next
///   version; otherwise [`Outcome::Conflict`] with what is there.
/// - **C10** A replace of an id that is not there is [`Outcome::Missing`] and creates nothing.
/// - **C11** A replace of a tombstone is [`Outcome::Ended`] with the tombstone, whatever version
///   is expected. A tombstone never changes again.
/// - **C12** A replace that leaves the record live is refused when the head forbids it:
///   [`Refusal::Disabled`], or else [`Refusal::Epoch`] (subject's or deployment's). One that ends
///   it is not.
/// - **C13** `last_seen` never moves back: a replace keeps the later of the stored and the given.
/// - **C14** The head's live count follows: +1 for an insert, −1 when a record of the current
///   epochs ends, 0 when the epoch moves (every head's, when the deployment's does).
/// - **C15** A head change is applied before its group's record change. [`EpochRule::Adopt`] moves
///   a record that was live and of the current epochs before the group to the new ones, and it
///   counts as live; any other record keeps its epochs.
/// - **C16** Moving the epoch of a subject or of the deployment leaves no earlier record able to
///   be replaced but by its end; raising `is_disabled` likewise, until lowered. The deployment's
///   new epoch is at least the second of the move, so that none comes again in a store that is
///   restored.
/// - **C17** A group whose `only_if` group was not applied is [`Outcome::Skipped`].
/// - **C18** A group that cannot be stored is [`Outcome::Invalid`]; its batch-mates are applied.
///   Such are: a text too long for the store; the second of two groups for one id; `only_if` of a
///   group that is not earlier; a head change of another subject than the record's; an insert of a
///   tombstone; a replace with another subject or beginning.
/// - **C19** An applied record carries its change id, so that it can be found out after a lost
///   reply whether a change was applied.
/// - **C44** In a store that several processes share, a replace that was overtaken is made again by
///   the batch's [`Remake`], where there is one, from what is there while nobody can change it, and
///   that is applied. Where it makes nothing, C09 holds.
///
/// **Listing.**
/// - **C20** `by_subject` lists a subject's records, newest first, tombstones only if asked for;
///   paging gives each once, also while others begin.
/// - **C21** `scan` does so over all subjects, by [`Filter`]; a filter that the store does not
///   declare is [`StoreError::Unsupported`], never ignored.
/// - **C22** After any history, listing equals a scan of the records themselves.
/// - **C23** A cursor that the store did not give is [`StoreError::BadCursor`].
/// - **C43** `census` counts all records: those that are live, and tombstones.
///
/// **Activity and age.**
/// - **C24** `touch` moves `last_seen` forward only, leaves the version alone, and answers how
///   many moved.
/// - **C25** `touch` does nothing to a tombstone, to a missing id, or to a record whose due time
///   is at or before the touch.
/// - **C26** `due` lists live records whose due time is at or before the given time, earliest
///   first, at most `limit`; touching a record moves it.
/// - **C27** `purge` removes tombstones that ended at or before the given time, at most `limit`,
///   and nothing else; answers how many.
///
/// **Events.**
/// - **C28** Events of an applied group are in the log, those of any other are not. Each gets the
///   store's writer and the next number, without gaps.
/// - **C29** `append` adds events that belong to no change.
/// - **C30** Every committed batch of events is sealed: [`verify_chain`](crate::chain::verify_chain)
///   over `sealed` passes, from the start, across restarts.
/// - **C31** `events` lists newest first by [`EventFilter`], paging like C20.
///
/// **Erasing.**
/// - **C39** `ends` says of each chain how far its oldest batches happened before the given time,
///   all their events; for [`Timestamp::MAX`] where the chain ends.
/// - **C40** `erase` of a subject blanks the personal parts of its events up to the places given,
///   and client, label and profile of its tombstones; nothing else changes. The chain verifies
///   with a mark of it, and without one names the first blank.
/// - **C41** `erase` of everybody blanks the personal parts of all events up to the places given,
///   and leaves records alone.
/// - **C42** `cut` removes the batches of each chain up to the places given and leaves a signed
///   cut, from which the rest verifies. Numbers go on, also when nothing is left and after the
///   store is opened again; an older cut is taken over.
///
/// **Change log.**
/// - **C32** Every applied group is in the change log once; `changes` from a cursor gives what came
///   after it and nothing twice; the default cursor is the start. With several logs, each log's
///   commits become visible in the order of their numbers; between logs no order is promised.
/// - **C33** A cursor older than the log is a gap, said by `has_gap`.
/// - **C38** `cursor` is at the end of the change log: what is applied later comes after it, and
///   nothing that was acknowledged before it was asked for. Cursors are written as [`Cursor`] has
///   it, so that whoever has two can tell which has come further.
///
/// **Bindings.**
/// - **C34** `bind` replaces the binding of a live session if the version is the expected one,
///   alone and whatever happens to the record; a purge removes it with the record.
///
/// **Surviving.**
/// - **C35** What was acknowledged is there after the store is opened again, unless
///   [`Durability::Memory`] is declared.
/// - **C36** The partition key is the same for as long as the data lives.
/// - **C37** Concurrent commits from many tasks are each atomic: increments by replace-and-retry
///   sum up.
///
/// # Errors
/// Every call may answer a [`StoreError`]: a fault of the system, never of the request. Whether
/// something was changed nevertheless is what its variants tell.
pub trait SessionStore: Send + Sync + 'static {
    /// What the store promises.
    fn capabilities(&self) -> Capabilities;

    /// What the store remembers about itself, known once it is open.
    fn meta(&self) -> &Meta;

    /// Loads what stands under `ids`, with heads.
    fn load<'a>(&'a self, ids: &'a [SessionId]) -> BoxFuture<'a, Result<LoadAnswer, StoreError>>;

    /// Loads heads, in the order of `subjects`; a subject never heard of has
    /// [`Head::new`](crate::head::Head::new).
    fn heads<'a>(&'a self, subjects: &'a [Subject])
    -> BoxFuture<'a, Result<Vec<Head>, StoreError>>;

    /// Applies the groups of a batch, each atomically, and seals their events.
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<Vec<Outcome>, StoreError>>;

    /// Lists the records of `subject`, newest first.
    fn by_subject<'a>(
        &'a self,
        subject: &'a Subject,
        include_ended: bool,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<RecordPage, StoreError>>;

    /// Lists records by `filter`, newest first.
    fn scan<'a>(
        &'a self,
        filter: &'a Filter,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<RecordPage, StoreError>>;

    /// Counts all records. May look at each of them, in an index: for figures, not for decisions.
    fn census(&self) -> BoxFuture<'_, Result<Census, StoreError>>;

    /// Moves `last_seen` of these sessions; answers how many moved.
    fn touch<'a>(
        &'a self,
        touches: &'a [(SessionId, Timestamp)],
    ) -> BoxFuture<'a, Result<usize, StoreError>>;

    /// Lists live records that were due at `before`, earliest first.
    fn due(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<SessionId>, StoreError>>;

    /// Removes tombstones that ended at `before` or earlier; answers how many.
    fn purge(&self, before: Timestamp, limit: usize) -> BoxFuture<'_, Result<usize, StoreError>>;

    /// Lists events by `filter`, newest first.
    fn events<'a>(
        &'a self,
        filter: &'a EventFilter,
        page: &'a Page,
    ) -> BoxFuture<'a, Result<EventPage, StoreError>>;

    /// Adds events that belong to no change, sealed.
    fn append<'a>(
        &'a self,
        events: Vec<Event>,
        sealer: &'a Sealer,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// The batches of `writer` after number `after`, oldest first, at most `limit`.
    fn sealed(
        &self,
        writer: u32,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<SealedBatch>, StoreError>>;

    /// The writers whose chains the store holds.
    fn writers(&self) -> BoxFuture<'_, Result<Vec<u32>, StoreError>>;

    /// How far each chain that the store holds happened before `before`.
    fn ends(&self, before: Timestamp) -> BoxFuture<'_, Result<Vec<ChainEnd>, StoreError>>;

    /// Where the chains that the store holds were cut, those that were.
    fn cuts(&self) -> BoxFuture<'_, Result<Vec<Cut>, StoreError>>;

    /// Blanks personal parts of events, of `subject` or of all, up to `through` in each chain, and
    /// those of a subject's tombstones; answers in how many events. Goes in steps, with commits
    /// between them; what was done before a fault stays done. To be told of in the log first, by an
    /// event that [`Marks`](crate::chain::Marks) reads.
    fn erase<'a>(
        &'a self,
        subject: Option<&'a Subject>,
        through: &'a [ChainEnd],
    ) -> BoxFuture<'a, Result<usize, StoreError>>;

    /// Removes the oldest batches, up to `through` in each chain; answers how many events went.
    /// Goes in steps like [`erase`](Self::erase).
    fn cut<'a>(
        &'a self,
        through: &'a [ChainEnd],
        sealer: &'a Sealer,
    ) -> BoxFuture<'a, Result<usize, StoreError>>;

    /// The change log after `cursor`, oldest first, at most `limit` commits.
    fn changes<'a>(
        &'a self,
        after: &'a Cursor,
        limit: usize,
    ) -> BoxFuture<'a, Result<Changes, StoreError>>;

    /// The end of the change log. Cheap: it is asked for with every end.
    fn cursor(&self) -> BoxFuture<'_, Result<Cursor, StoreError>>;

    /// A number that rises when another process may have changed something, for whoever follows the
    /// change log: a reason to look earlier than one would, never one not to look. It may rise for
    /// nothing, and a rise may be lost. `None`, which is the default, where the store cannot tell.
    fn wakes(&self) -> Option<tokio::sync::watch::Receiver<u64>> {
        None
    }

    /// What the clock says that all processes on this data share, asked anew. `None`, which is the
    /// default, where that is the clock of this machine.
    fn time(&self) -> BoxFuture<'_, Result<Option<Timestamp>, StoreError>> {
        Box::pin(async { Ok(None) })
    }

    /// That clock, as this process has carried it on since it opened the store: by it sessions are
    /// judged, unless the manager is given another. `None` like [`time`](Self::time).
    fn clock(&self) -> Option<SystemClock> {
        None
    }

    /// The device binding of a session.
    fn binding(&self, id: SessionId) -> BoxFuture<'_, Result<Option<Binding>, StoreError>>;

    /// Replaces the device binding of a live session if its version is `expected` (`None`: if
    /// there is none); `body` `None` removes it.
    fn bind(
        &self,
        id: SessionId,
        expected: Option<u64>,
        body: Option<Vec<u8>>,
    ) -> BoxFuture<'_, Result<BindOutcome, StoreError>>;
}
