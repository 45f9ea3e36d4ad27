//! One change log for each writer, and cursors over all of them.

use std::collections::BTreeMap;

use crate::store::{Change, Changes, Cursor, StoreError};

/// The change logs of all writers.
#[derive(Debug)]
pub(super) struct Logs {
    /// Tells the cursors of this data from those of other data.
    life: u64,
    writers: BTreeMap<u32, Log>,
    /// How far the changes of the store below have been given to their writers.
    pub(super) read: Cursor,
}

/// What one writer changed.
#[derive(Debug, Default)]
pub(super) struct Log {
    forgotten: usize,
    commits: Vec<Vec<Change>>,
    /// How many commits are not visible yet.
    hidden: usize,
    is_held: bool,
}

impl Log {
    pub(super) fn push(&mut self, changes: Vec<Change>) {
        if !changes.is_empty() {
            self.commits.push(changes);
            self.hidden += usize::from(self.is_held);
        }
    }

    pub(super) const fn hold(&mut self, is_held: bool) {
        self.is_held = is_held;
        if !is_held {
            self.hidden = 0;
        }
    }

    const fn end(&self) -> usize {
        self.forgotten + self.commits.len() - self.hidden
    }
}

impl Logs {
    pub(super) const fn new(life: u64) -> Self {
        Self { life, writers: BTreeMap::new(), read: Cursor(String::new()) }
    }

    /// One more writer; answers its number.
    pub(super) fn join(&mut self) -> u32 {
        let writer = self.writers.len() as u32 + 1;
        self.writers.insert(writer, Log::default());
        writer
    }

    pub(super) fn of(&mut self, writer: u32) -> &mut Log {
        self.writers.entry(writer).or_default()
    }

    pub(super) fn forget(&mut self) {
        for log in self.writers.values_mut() {
            log.forgotten += log.commits.len();
            (log.commits, log.hidden) = (Vec::new(), 0);
        }
    }

    pub(super) fn end(&self) -> Cursor {
        self.cursor(|_, log| log.end())
    }

    fn cursor(&self, at: impl Fn(u32, &Log) -> usize) -> Cursor {
        let places = self.writers.iter().map(|(writer, log)| {
            Cursor::of(self.life | u64::from(*writer), at(*writer, log) as u64).0
        });
        Cursor(places.collect::<Vec<_>>().join("."))
    }

    /// The commits after `cursor`, writer after writer, at most `limit`.
    pub(super) fn after(&self, cursor: &Cursor, limit: usize) -> Result<Changes, StoreError> {
        let mut places = self.parse(cursor)?;
        let has_gap = places.is_none()
            || self.writers.iter().any(|(writer, log)| {
                places.iter().any(|at| at.get(writer).copied().unwrap_or(0) < log.forgotten)
            });
        let Some(places) = places.as_mut().filter(|_| !has_gap) else {
            return Ok(Changes { changes: Vec::new(), cursor: self.end(), has_gap: true });
        };
        let (mut changes, mut left) = (Vec::new(), limit.max(1));
        for (writer, log) in &self.writers {
            let at = places.entry(*writer).or_insert(0);
            let count = log.end().saturating_sub(*at).min(left);
            let from = *at - log.forgotten;
            changes.extend(log.commits[from..from + count].iter().flatten().cloned());
            (*at, left) = (*at + count, left - count);
        }
        let cursor = self.cursor(|writer, _| places.get(&writer).copied().unwrap_or(0));
        Ok(Changes { changes, cursor, has_gap: false })
    }

    /// How far each writer has been read; `None` for a cursor of other data.
    fn parse(&self, cursor: &Cursor) -> Result<Option<BTreeMap<u32, usize>>, StoreError> {
        let mut places = BTreeMap::new();
        for place in cursor.0.split('.').filter(|place| !place.is_empty()) {
            let (log, number) = Cursor(place.to_owned()).position().ok_or(StoreError::BadCursor)?;
            let writer = (log & 0xffff) as u32;
            if log != self.life | u64::from(writer) {
                return Ok(None);
            }
            places.insert(writer, usize::try_from(number).unwrap_or(usize::MAX));
        }
        Ok(Some(places))
    }
}
