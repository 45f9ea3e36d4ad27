//! Taking everything from one store to another.

use sha2::{Digest, Sha256};

use super::error::TransferError;
use super::log::Log;
use super::portable::{Portable, Range, Standing};
use super::row::{Row, Value, digest};
use super::table::{TABLES, Table};
use crate::random::{SystemRng, random};
use crate::store::StoreError;

/// Rows that are read and compared at once.
const PAGE: usize = 500;

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Take what differs, while somebody serves from the source. What changes meanwhile is left to
    /// the next pass.
    Live,
    /// Take what differs; in the end nothing may.
    AtRest,
    /// Compare, and write nothing.
    Check,
}

/// What a pass came to in one table.
#[derive(Clone, Debug)]
pub struct Part {
    /// The table.
    pub name: &'static str,
    /// Rows of the source.
    pub rows: u64,
    /// Rows that were written, or would have to be.
    pub written: u64,
    /// Rows that were removed, or would have to be.
    pub removed: u64,
    /// The first row that was written or removed.
    pub first: Option<String>,
    /// SHA-256 of the rows of the destination, as they are after the pass. Of a pass that was
    /// [`Mode::Live`], and of the audit log then, it says nothing.
    pub digest: [u8; 32],
}

impl Part {
    pub(super) const fn new(name: &'static str) -> Self {
        Self { name, rows: 0, written: 0, removed: 0, first: None, digest: [0; 32] }
    }

    /// Rows that were written or removed.
    pub const fn changed(&self) -> u64 {
        self.written + self.removed
    }
}

/// What a pass came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// By table.
    pub parts: Vec<Part>,
}

impl Report {
    /// Rows of the source.
    pub fn rows(&self) -> u64 {
        self.parts.iter().map(|part| part.rows).sum()
    }

    /// Rows that were written or removed, or would have to be.
    pub fn changed(&self) -> u64 {
        self.parts.iter().map(Part::changed).sum()
    }
}

/// Takes everything that one store holds to another.
///
/// Every pass compares the two, table by table, and takes what differs: so a pass that was killed
/// at any point is made up for by the next one, and what is there already is not taken again.
#[derive(Clone, Copy)]
pub struct Transfer<'a> {
    from: &'a dyn Portable,
    to: &'a dyn Portable,
    progress: &'a (dyn Fn(&Part) + Sync),
}

impl std::fmt::Debug for Transfer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transfer").finish_non_exhaustive()
    }
}

impl<'a> Transfer<'a> {
    /// From one store to another. `progress` hears of each page of a table what has come of the
    /// table so far.
    pub fn new(
        from: &'a dyn Portable,
        to: &'a dyn Portable,
        progress: &'a (dyn Fn(&Part) + Sync),
    ) -> Self {
        Self { from, to, progress }
    }

    /// Takes what differs, while somebody serves from the source.
    ///
    /// # Errors
    /// [`TransferError`], whose variants say what to do.
    pub async fn live(&self) -> Result<Report, TransferError> {
        self.begin().await?;
        self.pass(Mode::Live).await
    }

    /// Leaves the source, from which nobody may serve any more, takes what still differs, holds
    /// everything against the source, and opens the destination. `None` when that was done before.
    ///
    /// # Errors
    /// [`TransferError`], whose variants say what to do. The source is left then, and the
    /// destination not open: run it again, or [`give_up`](Self::give_up).
    pub async fn finish(&self) -> Result<Option<Report>, TransferError> {
        if self.is_finished().await? {
            return Ok(None);
        }
        let copy = self.begin().await?;
        self.from.leave(copy).await?;
        let report = self.pass(Mode::AtRest).await?;
        let (basis, chains) = (self.from.basis().await?, self.from.chains().await?);
        self.to.open(&basis, &chains).await?;
        Ok(Some(report))
    }

    /// Says what differs, and writes nothing. While somebody serves from either, something does.
    ///
    /// # Errors
    /// [`TransferError::Store`].
    pub async fn check(&self) -> Result<Report, TransferError> {
        self.pass(Mode::Check).await
    }

    /// Has the source served from again, where the transfer left it and has not come to its end.
    ///
    /// # Errors
    /// [`TransferError::Left`] when the copy it was left for may be in use.
    pub async fn give_up(&self) -> Result<(), TransferError> {
        match (self.from.standing().await?, self.to.standing().await?) {
            (Standing::Open | Standing::Empty, _) => Ok(()),
            (Standing::Left(left), Standing::Filling(copy)) if left == copy => {
                // A run that is still at it is not to open the copy afterwards.
                self.to.take_over(copy).await?;
                self.from.stay().await
            }
            (Standing::Filling(_), _) => Err(TransferError::Unfinished),
            _ => Err(TransferError::Left),
        }
    }

    /// Has the source served from again whatever became of the copy. Only for one that is gone for
    /// good: whoever signed out on it would be signed in here.
    ///
    /// # Errors
    /// [`TransferError::Unfinished`] when the source is a copy itself.
    pub async fn go_back(from: &dyn Portable) -> Result<(), TransferError> {
        match from.standing().await? {
            Standing::Open | Standing::Empty => Ok(()),
            Standing::Left(_) => from.stay().await,
            Standing::Filling(_) => Err(TransferError::Unfinished),
        }
    }

    async fn is_finished(&self) -> Result<bool, TransferError> {
        let is_left = matches!(self.from.standing().await?, Standing::Left(_));
        let is_open = self.to.standing().await? == Standing::Open;
        Ok(is_left
            && is_open
            && self.from.basis().await?.partition_key == self.to.basis().await?.partition_key)
    }

    /// Sees to it that the destination is the copy of this source, and answers which.
    async fn begin(&self) -> Result<u128, TransferError> {
        let (from, to) = (self.from.standing().await?, self.to.standing().await?);
        let basis = self.from.basis().await?;
        match (from, to) {
            (Standing::Filling(_), _) => Err(TransferError::Unfinished),
            (Standing::Left(left), Standing::Filling(copy)) if left == copy => {
                self.to.take_over(copy).await?;
                Ok(copy)
            }
            (Standing::Left(_), _) => Err(TransferError::Left),
            (_, Standing::Filling(copy)) => {
                if self.to.basis().await?.partition_key != basis.partition_key {
                    return Err(TransferError::NotEmpty);
                }
                self.to.take_over(copy).await?;
                Ok(copy)
            }
            (_, Standing::Empty) => {
                let drawn = random(&SystemRng).map_err(StoreError::unavailable)?;
                let copy = u128::from_be_bytes(drawn);
                self.to.begin(&basis, copy).await?;
                Ok(copy)
            }
            _ => Err(TransferError::NotEmpty),
        }
    }

    async fn pass(&self, mode: Mode) -> Result<Report, TransferError> {
        let mut parts = Vec::new();
        for table in TABLES {
            parts.push(self.table(table, mode).await?);
        }
        let log = Log { from: self.from, to: self.to, progress: self.progress };
        parts.push(log.pass(mode).await?);
        Ok(Report { parts })
    }

    async fn table(&self, table: &'static Table, mode: Mode) -> Result<Part, TransferError> {
        let (mut part, mut hash) = (Part::new(table.name), Sha256::new());
        let mut after = None;
        loop {
            let page = Range { after: after.clone(), through: None, limit: Some(PAGE) };
            let ours = self.from.rows(table, &page).await?;
            let last = ours.last().map(|row| table.key_of(row).to_vec());
            let through = last.filter(|_| ours.len() == PAGE);
            let range = Range { after, through: through.clone(), limit: None };
            let theirs = self.stretch(table, mode, &range, &ours, &mut part).await?;
            theirs.iter().for_each(|row| digest(&mut hash, row));
            part.rows += ours.len() as u64;
            (self.progress)(&part);
            let Some(through) = through else { break };
            after = Some(through);
        }
        part.digest = hash.finalize().into();
        Ok(part)
    }

    /// Makes the rows in `range` what `ours` are; answers what they are then.
    async fn stretch(
        &self,
        table: &'static Table,
        mode: Mode,
        range: &Range,
        ours: &[Row],
        part: &mut Part,
    ) -> Result<Vec<Row>, TransferError> {
        let theirs = self.to.rows(table, range).await?;
        let (rows, gone) = differences(table, ours, &theirs);
        part.written += rows.len() as u64;
        part.removed += gone.len() as u64;
        let Some(first) = rows.first().or(gone.first()) else { return Ok(theirs) };
        part.first.get_or_insert_with(|| table.told(first));
        if mode == Mode::Check {
            return Ok(theirs);
        }
        self.to.put(table, &rows, &gone).await?;
        if mode == Mode::Live {
            return Ok(theirs);
        }
        let theirs = self.to.rows(table, range).await?;
        match differences(table, ours, &theirs) {
            (rows, gone) if rows.is_empty() && gone.is_empty() => Ok(theirs),
            (rows, gone) => {
                let first =
                    rows.first().or(gone.first()).map_or(String::new(), |row| table.told(row));
                Err(TransferError::Differs(first))
            }
        }
    }
}

/// The rows of `ours` that are not in `theirs` as they are, and the keys of those that are only in
/// `theirs`; both are in the order of their keys.
fn differences(table: &Table, ours: &[Row], theirs: &[Row]) -> (Vec<Row>, Vec<Row>) {
    let (mut rows, mut gone) = (Vec::new(), Vec::new());
    let mut theirs = theirs.iter().peekable();
    for row in ours {
        let key = table.key_of(row);
        while let Some(other) = theirs.next_if(|other| is_before(table.key_of(other), key)) {
            gone.push(table.key_of(other).to_vec());
        }
        match theirs.next_if(|other| table.key_of(other) == key) {
            Some(other) if other == row => {}
            _ => rows.push(row.clone()),
        }
    }
    gone.extend(theirs.map(|other| table.key_of(other).to_vec()));
    (rows, gone)
}

/// Whether a key comes before another, as stores order them.
fn is_before(one: &[Value], other: &[Value]) -> bool {
    let pairs = one.iter().zip(other).map(|pair| match pair {
        (Value::Number(one), Value::Number(other)) => one.cmp(other),
        (Value::Text(one), Value::Text(other)) => one.cmp(other),
        (Value::Bytes(one), Value::Bytes(other)) => one.cmp(other),
        _ => std::cmp::Ordering::Equal,
    });
    pairs.into_iter().find(|order| order.is_ne()).is_some_and(std::cmp::Ordering::is_lt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::SESSIONS;

    fn row(id: u8, version: i64) -> Row {
        vec![Value::Bytes(vec![id]), Value::Number(version)]
    }

    #[test]
    fn what_is_new_or_other_is_written_and_what_is_only_there_goes() {
        let ours = [row(1, 1), row(3, 2), row(5, 1)];
        let theirs = [row(0, 1), row(1, 1), row(2, 1), row(3, 1), row(9, 1)];
        let (rows, gone) = differences(&SESSIONS, &ours, &theirs);
        assert_eq!(rows, [row(3, 2), row(5, 1)]);
        let keys = [0, 2, 9].map(|id| vec![Value::Bytes(vec![id])]);
        assert_eq!(gone, keys);
        assert_eq!(differences(&SESSIONS, &ours, &ours), (Vec::new(), Vec::new()));
    }
}
