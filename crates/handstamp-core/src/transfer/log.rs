//! Taking the audit log: batches with their events, in the order of the log, chain by chain.

use std::collections::VecDeque;

use sha2::{Digest, Sha256};

use super::error::TransferError;
use super::pass::{Mode, Part};
use super::portable::{Portable, Stretch};
use super::row::{Value, digest};
use super::table::{BATCHES, EVENTS};

/// Batches that are read at once.
const PAGE: usize = 100;

/// Events that are written at once, or a few more.
const ENOUGH: usize = 500;

/// The logs of two stores.
pub(super) struct Log<'a> {
    pub(super) from: &'a dyn Portable,
    pub(super) to: &'a dyn Portable,
    pub(super) progress: &'a (dyn Fn(&Part) + Sync),
}

impl Log<'_> {
    pub(super) async fn pass(&self, mode: Mode) -> Result<Part, TransferError> {
        let mut part = Part::new(EVENTS.name);
        if mode != Mode::Check {
            self.append(&mut part).await?;
        }
        if mode != Mode::Live {
            self.compare(mode, &mut part).await?;
        }
        Ok(part)
    }

    /// Adds what is new, of all writers in the order of the source.
    async fn append(&self, part: &mut Part) -> Result<(), TransferError> {
        let theirs = self.to.chains().await?;
        let mut chains = Vec::new();
        for chain in self.from.chains().await? {
            let writer = chain.end.writer;
            let there = theirs.iter().find(|chain| chain.end.writer == writer);
            let after = there.map_or(0, |chain| chain.end.batch);
            chains.push(Ahead { writer, after, read: VecDeque::new(), is_over: false });
        }
        let mut next: Vec<Stretch> = Vec::new();
        let mut events = 0;
        loop {
            for chain in &mut chains {
                chain.read_on(self.from).await?;
            }
            let first = chains.iter_mut().filter(|chain| !chain.read.is_empty());
            let first = first.min_by_key(|chain| chain.read.front().map(|next| next.place));
            let stretch = first.and_then(|chain| chain.read.pop_front());
            let is_over = stretch.is_none();
            events += stretch.as_ref().map_or(0, |stretch| stretch.events.len());
            next.extend(stretch);
            if (is_over || events >= ENOUGH) && !next.is_empty() {
                self.to.append(&next).await?;
                part.written += events as u64;
                part.rows += events as u64;
                (self.progress)(part);
                (next, events) = (Vec::new(), 0);
            }
            if is_over {
                return Ok(());
            }
        }
    }

    /// Holds all of it against the source.
    async fn compare(&self, mode: Mode, part: &mut Part) -> Result<(), TransferError> {
        let mut hash = Sha256::new();
        part.rows = 0;
        let mut writers: Vec<u32> =
            self.to.chains().await?.iter().map(|chain| chain.end.writer).collect();
        writers.extend(self.from.chains().await?.iter().map(|chain| chain.end.writer));
        writers.sort_unstable();
        writers.dedup();
        for writer in writers {
            self.compare_chain(writer, mode, part, &mut hash).await?;
        }
        part.digest = hash.finalize().into();
        Ok(())
    }

    async fn compare_chain(
        &self,
        writer: u32,
        mode: Mode,
        part: &mut Part,
        hash: &mut Sha256,
    ) -> Result<(), TransferError> {
        let first = self.from.log(writer, 0, 1).await?;
        // What the source has cut off, or never had.
        let before = first.first().map_or(i64::MAX.unsigned_abs(), |first| first.number() - 1);
        self.cut(writer, before, mode, part).await?;
        let mut after = before;
        while !first.is_empty() {
            let ours = self.from.log(writer, after, PAGE).await?;
            let Some(last) = ours.last() else { break };
            let theirs = self.to.log(writer, after, ours.len()).await?;
            after = last.number();
            for (at, stretch) in ours.iter().enumerate() {
                part.rows += stretch.events.len() as u64;
                let other = theirs.get(at);
                match other.filter(|other| stretch.is_like(other)) {
                    Some(other) => other.add_to(hash),
                    None => self.mend(stretch, other, mode, part).await?.add_to(hash),
                }
            }
            (self.progress)(part);
        }
        Ok(())
    }

    async fn cut(
        &self,
        writer: u32,
        through: u64,
        mode: Mode,
        part: &mut Part,
    ) -> Result<(), TransferError> {
        let extra = self.to.log(writer, 0, 1).await?;
        let Some(extra) = extra.first().filter(|extra| extra.number() <= through) else {
            return Ok(());
        };
        part.removed += 1;
        part.first.get_or_insert_with(|| BATCHES.told(&extra.batch));
        if mode == Mode::AtRest { self.to.cut(writer, through).await } else { Ok(()) }
    }

    /// Makes `other` what `stretch` is; answers what it is then.
    async fn mend(
        &self,
        stretch: &Stretch,
        other: Option<&Stretch>,
        mode: Mode,
        part: &mut Part,
    ) -> Result<Stretch, TransferError> {
        part.written += stretch.events.len() as u64;
        part.first.get_or_insert_with(|| BATCHES.told(&stretch.batch));
        let is_there = other.is_some_and(|other| other.number() == stretch.number());
        let Some(other) = other.filter(|_| is_there && mode == Mode::AtRest) else {
            // It comes at the end of the log or not at all.
            return match mode {
                Mode::AtRest => Err(TransferError::Differs(BATCHES.told(&stretch.batch))),
                _ => Ok(other.unwrap_or(stretch).clone()),
            };
        };
        self.to.mend(other.place, stretch).await?;
        let number = stretch.number().saturating_sub(1);
        let again = self.to.log(stretch.writer(), number, 1).await?;
        match again.into_iter().next().filter(|again| stretch.is_like(again)) {
            Some(again) => Ok(again),
            None => Err(TransferError::Differs(BATCHES.told(&stretch.batch))),
        }
    }
}

impl Stretch {
    fn column(&self, at: usize) -> u64 {
        match self.batch.get(at) {
            Some(Value::Number(number)) => number.unsigned_abs(),
            _ => 0,
        }
    }

    fn writer(&self) -> u32 {
        u32::try_from(self.column(0)).unwrap_or(u32::MAX)
    }

    fn number(&self) -> u64 {
        self.column(1)
    }

    /// Whether it says the same; where it lies is each store's own affair.
    fn is_like(&self, other: &Self) -> bool {
        self.batch == other.batch && self.events == other.events
    }

    fn add_to(&self, hash: &mut Sha256) {
        digest(hash, &self.batch);
        self.events.iter().for_each(|event| digest(hash, event));
    }
}

/// A chain, as far as it was read ahead.
struct Ahead {
    writer: u32,
    after: u64,
    read: VecDeque<Stretch>,
    is_over: bool,
}

impl Ahead {
    async fn read_on(&mut self, from: &dyn Portable) -> Result<(), TransferError> {
        if self.is_over || !self.read.is_empty() {
            return Ok(());
        }
        self.read.extend(from.log(self.writer, self.after, PAGE).await?);
        match self.read.back() {
            Some(last) => self.after = last.number(),
            None => self.is_over = true,
        }
        Ok(())
    }
}
