//! Going through a chain, batch by batch, and finding what does not follow.

use std::fmt;

use super::{ChainEnd, Checkpoint, Cut, Link, Marks, SealedBatch, Sealer};
use crate::time::Timestamp;

/// What is wrong with a chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flaw {
    /// Something in a batch is not as it was sealed: a field, the order, the link; or it was never
    /// sealed by this key ring.
    Changed,
    /// Batches or events are gone, before this one.
    Missing,
    /// A personal part is gone, and nothing in the log says that it was erased.
    Blank,
    /// The oldest batches are gone, and what should say that they were cut is not signed by this
    /// key ring.
    Cut,
    /// A checkpoint knows this batch, and it is not there: the end of the chain was cut off, or an
    /// older database was put in its place.
    Tail,
    /// A checkpoint knows another batch of this number: an older database was put in the place of
    /// this one and went on, or somebody with the key ring wrote the log anew.
    Rewritten,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Changed => "is not as it was sealed",
            Self::Missing => "does not follow: something before it is gone",
            Self::Blank => "has lost a personal part that nothing says was erased",
            Self::Cut => "does not follow from a cut that this key ring signed",
            Self::Tail => "is gone, and a checkpoint knows it",
            Self::Rewritten => "is not the one that a checkpoint knows",
        })
    }
}

/// Where and why a chain does not verify.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BrokenAt {
    /// Whose chain.
    pub writer: u32,
    /// The first batch that does not fit, by number.
    pub batch: u64,
    /// The first event in it that does not fit, by number; 0 where none can be named.
    pub event: u64,
    /// What is wrong with it.
    pub why: Flaw,
}

impl fmt::Display for BrokenAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { writer, batch, event, why } = self;
        write!(f, "chain {writer}, batch {batch}, event {event}: {why}")
    }
}

/// Goes through one chain from its beginning, or from where it was cut.
#[derive(Clone, Debug)]
pub struct Walk<'a> {
    sealer: &'a Sealer,
    marks: &'a Marks,
    /// What checkpoints know of this chain, in order.
    known: Vec<ChainEnd>,
    end: ChainEnd,
    heard: Marks,
    checked: u64,
    /// The first blank that no mark covers.
    blank: Option<BrokenAt>,
    latest: Timestamp,
}

impl<'a> Walk<'a> {
    /// Begins with the chain of `writer`. Blanks are held against `marks`, what was reached against
    /// `checkpoints`.
    pub fn new(
        sealer: &'a Sealer,
        marks: &'a Marks,
        checkpoints: &[Checkpoint],
        writer: u32,
    ) -> Self {
        let known = checkpoints.iter().filter_map(|point| point.chain(writer));
        let mut known: Vec<_> = known.filter(|end| end.batch > 0).collect();
        known.sort_by_key(|end| end.batch);
        let end = ChainEnd::start(writer);
        let (heard, latest) = (Marks::none(), Timestamp::from_millis(i64::MIN));
        Self { sealer, marks, known, end, heard, checked: 0, blank: None, latest }
    }

    /// Goes on after `cut`, up to which everything is gone.
    ///
    /// # Errors
    /// [`BrokenAt`] when it is not signed, of another chain, or not where a checkpoint knows it.
    pub fn resume(&mut self, cut: &Cut) -> Result<(), BrokenAt> {
        let end = cut.end;
        let is_ahead = end.writer == self.end.writer && end.batch >= self.end.batch;
        if !is_ahead || !self.sealer.is_cut(cut) {
            return Err(self.broken(end.batch, 0, Flaw::Cut));
        }
        self.known.retain(|known| known.batch >= end.batch);
        self.end = end;
        self.meet_known()
    }

    /// Goes through the next batches.
    ///
    /// # Errors
    /// [`BrokenAt`] names the first that does not follow from those before it.
    pub fn step(&mut self, batches: &[SealedBatch]) -> Result<(), BrokenAt> {
        batches.iter().try_for_each(|batch| self.one(batch))
    }

    fn one(&mut self, batch: &SealedBatch) -> Result<(), BrokenAt> {
        let first = batch.events.first().map_or(0, |event| event.number);
        let broken = |event, why| Err(self.broken(batch.number, event, why));
        if batch.writer != self.end.writer || batch.number <= self.end.batch {
            return broken(first, Flaw::Changed);
        }
        if batch.number > self.end.batch + 1 {
            return broken(first, Flaw::Missing);
        }
        if !self.sealer.verify(&self.end.link, batch) {
            let (event, why) = self.look_closer(batch);
            return broken(event, why);
        }
        for event in &batch.events {
            if self.blank.is_none() && event.is_blank() && !self.marks.covers(event) {
                self.blank = Some(self.broken(batch.number, event.number, Flaw::Blank));
            }
            self.heard.add(event);
            self.latest = self.latest.max(event.at);
        }
        let event = batch.events.last().map_or(self.end.event, |event| event.number);
        let (writer, number, link) = (batch.writer, batch.number, batch.link);
        self.checked += batch.events.len() as u64;
        self.end = ChainEnd { writer, batch: number, event, link };
        self.meet_known()
    }

    /// Which event of a batch that does not verify is at fault, as far as that can be told.
    fn look_closer(&self, batch: &SealedBatch) -> (u64, Flaw) {
        if batch.events.is_empty() {
            return (self.end.event + 1, Flaw::Missing);
        }
        if let Some(event) = batch.events.iter().find(|event| !event.is_personal_intact()) {
            return (event.number, Flaw::Changed);
        }
        let numbers = (self.end.event + 1..).zip(&batch.events);
        let mut astray = numbers.filter(|(number, event)| event.number != *number);
        match astray.next() {
            Some((number, event)) if event.number > number => (event.number, Flaw::Missing),
            Some((_, event)) => (event.number, Flaw::Changed),
            None => (batch.events.first().map_or(0, |event| event.number), Flaw::Changed),
        }
    }

    /// Holds the place that was reached against the checkpoints.
    fn meet_known(&mut self) -> Result<(), BrokenAt> {
        while let Some(known) = self.known.first()
            && known.batch <= self.end.batch
        {
            if known.batch == self.end.batch && known.link != self.end.link {
                return Err(self.broken(known.batch, self.end.event, Flaw::Rewritten));
            }
            self.known.remove(0);
        }
        Ok(())
    }

    /// The chain ends here.
    ///
    /// # Errors
    /// [`BrokenAt`] when a checkpoint knows more of it.
    pub fn finish(&self) -> Result<(), BrokenAt> {
        if self.known.is_empty() {
            return Ok(());
        }
        Err(self.broken(self.end.batch + 1, self.end.event + 1, Flaw::Tail))
    }

    const fn broken(&self, batch: u64, event: u64, why: Flaw) -> BrokenAt {
        BrokenAt { writer: self.end.writer, batch, event, why }
    }

    /// Where the walk is.
    pub const fn end(&self) -> ChainEnd {
        self.end
    }

    /// How many events were found to be good.
    pub const fn checked(&self) -> u64 {
        self.checked
    }

    /// The first personal part that is gone though no mark covers it. Marks that come later count,
    /// so this does not end the walk.
    pub const fn blank(&self) -> Option<BrokenAt> {
        self.blank
    }

    /// When the latest event happened, of those that were found to be good.
    pub const fn latest(&self) -> Timestamp {
        self.latest
    }

    /// What was erased by what the chain said so far.
    pub const fn heard(&self) -> &Marks {
        &self.heard
    }
}

/// Checks `batches` of one writer, in order, that follow `number` batches ending in `link`, and of
/// which nothing was erased.
///
/// # Errors
/// [`BrokenAt`] names the first batch that does not follow from those before it.
pub fn verify_chain(
    sealer: &Sealer,
    number: u64,
    before: Link,
    batches: &[SealedBatch],
) -> Result<(u64, Link), BrokenAt> {
    let Some(first) = batches.first() else { return Ok((number, before)) };
    let marks = Marks::none();
    let mut walk = Walk::new(sealer, &marks, &[], first.writer);
    let event = first.events.first().map_or(0, |event| event.number.saturating_sub(1));
    walk.end = ChainEnd { writer: first.writer, batch: number, event, link: before };
    walk.step(batches)?;
    walk.blank.map_or(Ok((walk.end.batch, walk.end.link)), Err)
}
