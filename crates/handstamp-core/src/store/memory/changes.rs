//! The change log: the latest commits, as far back as the bound allows.

use std::collections::VecDeque;

use crate::store::{Change, Changes, Cursor, StoreError};

/// Commits in their order; the oldest are forgotten when there are too many changes.
pub(super) struct ChangeLog {
    /// Tells the cursors of this store from those of another one, or of an earlier life.
    life: u64,
    /// How many commits were forgotten.
    forgotten: u64,
    commits: VecDeque<Vec<Change>>,
    held: usize,
    max: usize,
}

impl ChangeLog {
    pub(super) const fn new(life: u64, max: usize) -> Self {
        Self { life, forgotten: 0, commits: VecDeque::new(), held: 0, max }
    }

    /// Adds what one commit changed.
    pub(super) fn push(&mut self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        self.held += changes.len();
        self.commits.push_back(changes);
        // The newest commit stays, however large: else nobody could ever follow.
        while self.held > self.max && self.commits.len() > 1 {
            let oldest = self.commits.pop_front();
            self.held -= oldest.map_or(0, |changes| changes.len());
            self.forgotten += 1;
        }
    }

    /// Where the next commit will be.
    pub(super) fn end(&self) -> Cursor {
        self.cursor(self.forgotten + self.commits.len() as u64)
    }

    /// The commits after `cursor`, at most `limit`. After a gap, the next page begins at the end.
    pub(super) fn after(&self, cursor: &Cursor, limit: usize) -> Result<Changes, StoreError> {
        let end = self.forgotten + self.commits.len() as u64;
        let (life, number) = self.parse(cursor).ok_or(StoreError::BadCursor)?;
        let is_held = life == self.life && (self.forgotten..=end).contains(&number);
        if !is_held {
            return Ok(Changes { changes: Vec::new(), cursor: self.cursor(end), has_gap: true });
        }
        let skip = usize::try_from(number - self.forgotten).unwrap_or(usize::MAX);
        let page: Vec<_> = self.commits.iter().skip(skip).take(limit.max(1)).collect();
        let cursor = self.cursor(number + page.len() as u64);
        let changes = page.into_iter().flatten().cloned().collect();
        Ok(Changes { changes, cursor, has_gap: false })
    }

    fn cursor(&self, number: u64) -> Cursor {
        Cursor::of(self.life, number)
    }

    fn parse(&self, cursor: &Cursor) -> Option<(u64, u64)> {
        if cursor.0.is_empty() { Some((self.life, 0)) } else { cursor.position() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(epoch: u64) -> Vec<Change> {
        vec![Change::Deployment { epoch }]
    }

    #[test]
    fn a_cursor_of_another_life_is_a_gap() {
        let (mut log, mut other) = (ChangeLog::new(1, 10), ChangeLog::new(2, 10));
        log.push(change(1));
        other.push(change(1));
        let theirs = other.after(&Cursor::default(), 1).unwrap().cursor;
        assert!(log.after(&theirs, 1).unwrap().has_gap);
    }

    #[test]
    fn the_log_forgets_its_oldest_commits_and_says_so() {
        let mut log = ChangeLog::new(1, 2);
        let start = Cursor::default();
        (1..=2).for_each(|epoch| log.push(change(epoch)));
        let second = log.after(&start, 1).unwrap();
        assert_eq!((second.changes, second.has_gap), (change(1), false));
        log.push(change(3));
        assert!(log.after(&start, 9).unwrap().has_gap);
        assert_eq!(log.after(&second.cursor, 9).unwrap().changes, [change(2), change(3)].concat());
    }
}
