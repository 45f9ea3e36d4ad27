//! What a store shows and takes, so that all it holds can be taken elsewhere.

use super::error::TransferError;
use super::row::Row;
use super::table::Table;
use crate::chain::ChainEnd;
use crate::head::Deployment;
use crate::id::PartitionKey;
use crate::store::BoxFuture;

/// What a store is there for at present.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// To be served from, and nothing is in it.
    Empty,
    /// To be served from.
    Open,
    /// It is being filled from another store, and not to be served from. The number is drawn when
    /// that begins, and names this copy among all.
    Filling(u128),
    /// Everything was taken to the copy of this number: never to be served from again, for what is
    /// ended there would live here.
    Left(u128),
}

impl Standing {
    /// As stores write it; nothing for one that is to be served from.
    pub fn to_text(self) -> Option<String> {
        match self {
            Self::Empty | Self::Open => None,
            Self::Filling(copy) => Some(format!("{{\"filling\":\"{copy:032x}\"}}")),
            Self::Left(copy) => Some(format!("{{\"left\":\"{copy:032x}\"}}")),
        }
    }

    /// From what [`to_text`](Self::to_text) wrote; `None` for anything else.
    pub fn from_text(text: &str) -> Option<Self> {
        let (name, copy) = text.strip_prefix("{\"")?.strip_suffix("\"}")?.split_once("\":\"")?;
        let copy = u128::from_str_radix(copy, 16).ok()?;
        match name {
            "filling" => Some(Self::Filling(copy)),
            "left" => Some(Self::Left(copy)),
            _ => None,
        }
    }
}

/// What holds for a whole store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Basis {
    /// Spreads subjects over partitions, and tells one store from every other.
    pub partition_key: PartitionKey,
    /// The deployment's head.
    pub deployment: Deployment,
    /// The last number of the change log; a store that goes on counts on from beyond it, so that no
    /// follower takes one log for the other.
    pub change: i64,
    /// The version that the ledger gave last.
    pub ledger: i64,
    /// The epoch that figures over time count in.
    pub rolled_epoch: i64,
    /// How many sessions were live where figures end.
    pub rolled_live: i64,
}

/// Where a chain of the audit log ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chain {
    /// Its last batch, be it cut off.
    pub end: ChainEnd,
    /// When all of its events had happened; milliseconds.
    pub until: i64,
}

/// A batch of the audit log with its events.
#[derive(Clone, Debug)]
pub struct Stretch {
    /// Where its first event lies among those of all writers, in this store.
    pub place: i64,
    /// The row of [`BATCHES`](super::BATCHES).
    pub batch: Row,
    /// The rows of [`EVENTS`](super::EVENTS), oldest first.
    pub events: Vec<Row>,
}

/// Which rows of a table.
#[derive(Clone, Debug, Default)]
pub struct Range {
    /// After this key; from the first where there is none.
    pub after: Option<Row>,
    /// Up to this key; to the last where there is none.
    pub through: Option<Row>,
    /// At most so many.
    pub limit: Option<usize>,
}

/// The answer of a store that shows or takes what it holds.
pub type Transferred<'a, T> = BoxFuture<'a, Result<T, TransferError>>;

/// A store of which everything can be taken to another, or that can be filled from another.
///
/// # Contract
/// Reading needs no pause of whoever serves from the store, and no page is half of a change. Each call
/// that writes is atomic, and durable when it answers. Each clause has one test in
/// [`conformance`](crate::conformance) of the same number.
///
/// - **C45** What is read out of a store and written into another is there row by row and event by
///   event, and whoever serves from that goes on from it: no version, no number of the ledger and of
///   an event comes twice, chains verify, and followers of the change log are told of a gap.
/// - **C46** `rows` gives those after one key and up to another, in the order of their keys, at most so
///   many; the mark of what the store is there for is none of them.
/// - **C47** A store that is [`Standing::Filling`] or [`Standing::Left`] opens for nobody who serves; who
///   is opening it that moment counts, too. Only one that is filled takes rows, only an empty one
///   begins to be filled, only one whose events are added up is left, and one that was left can be
///   gone back to.
/// - **C48** Once another run has taken over, what an earlier one has under way comes to nothing,
///   however late it comes. (Shown by stores that several runs can have open.)
/// - **C49** A store is left only when nobody serves from it. Whoever has it open all the same is refused
///   from then on, whatever they write and whatever they ask of sessions, in the same step. (Shown by
///   stores that several processes share.)
pub trait Portable: Send + Sync {
    /// What it is there for.
    fn standing(&self) -> Transferred<'_, Standing>;

    /// What holds for all of it.
    fn basis(&self) -> Transferred<'_, Basis>;

    /// Where its chains end.
    fn chains(&self) -> Transferred<'_, Vec<Chain>>;

    /// The rows of `table` in `range`, in the order of their keys, [`MARK`](super::MARK) left out.
    fn rows<'a>(&'a self, table: &'static Table, range: &'a Range) -> Transferred<'a, Vec<Row>>;

    /// The batches of `writer` after number `after`, oldest first, at most `limit`.
    fn log(&self, writer: u32, after: u64, limit: usize) -> Transferred<'_, Vec<Stretch>>;

    /// Begins to fill an empty store with what `basis` holds for: it is [`Standing::Filling`] from
    /// here on, as the copy of this number.
    ///
    /// # Errors
    /// [`TransferError::NotEmpty`] when it holds anything.
    fn begin<'a>(&'a self, basis: &'a Basis, copy: u128) -> Transferred<'a, ()>;

    /// Has this run alone write to the copy of this number from here on: whatever another run has
    /// under way comes to nothing, however late it comes. Nothing by default, for a store that one
    /// process at a time can have open.
    ///
    /// # Errors
    /// [`TransferError::NotFilling`] when it is no such copy any more.
    fn take_over(&self, copy: u128) -> Transferred<'_, ()> {
        let _ = copy;
        Box::pin(std::future::ready(Ok(())))
    }

    /// Stores `rows` and removes those whose keys are `gone`.
    ///
    /// # Errors
    /// [`TransferError::NotFilling`], and then nothing was written: so for all that follow.
    fn put<'a>(
        &'a self,
        table: &'static Table,
        rows: &'a [Row],
        gone: &'a [Row],
    ) -> Transferred<'a, ()>;

    /// Adds batches at the end of the audit log, in this order.
    fn append<'a>(&'a self, log: &'a [Stretch]) -> Transferred<'a, ()>;

    /// Makes the batch at `place` of this store what `stretch` is.
    fn mend<'a>(&'a self, place: i64, stretch: &'a Stretch) -> Transferred<'a, ()>;

    /// Removes the batches of `writer` up to number `through`.
    fn cut(&self, writer: u32, through: u64) -> Transferred<'_, ()>;

    /// Ends the filling: whoever serves from the store goes on from `basis` and `chains`.
    fn open<'a>(&'a self, basis: &'a Basis, chains: &'a [Chain]) -> Transferred<'a, ()>;

    /// Leaves the store for the copy of this number: [`Standing::Left`] from here on.
    ///
    /// # Errors
    /// [`TransferError::InUse`] while somebody serves from it; [`TransferError::NotRolledUp`].
    fn leave(&self, copy: u128) -> Transferred<'_, ()>;

    /// Takes that back: for a transfer that was given up before its end.
    fn stay(&self) -> Transferred<'_, ()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standing_reads_back_and_nothing_else_is_one() {
        for standing in [Standing::Filling(7), Standing::Left(u128::MAX)] {
            assert_eq!(Standing::from_text(&standing.to_text().unwrap()), Some(standing));
        }
        assert_eq!(Standing::Open.to_text(), None);
        for text in ["", "{}", r#"{"left":"x"}"#, r#"{"right":"0"}"#] {
            assert_eq!(Standing::from_text(text), None, "{text}");
        }
    }
}
