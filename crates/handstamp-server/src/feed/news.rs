//! What was told lately, for streams that are a little behind or were cut off.

use std::collections::VecDeque;

use handstamp_protocol::feed::FeedLine;

/// How many lines are held: whoever is further behind takes a snapshot.
const MOST: usize = 65_536;

/// What one read found.
#[derive(Debug)]
struct Found {
    /// How many commits had been made when the read was over: it found none that came later.
    commits: u64,
    lines: Vec<FeedLine>,
}

/// The last portions of news, numbered from 1.
#[derive(Debug, Default)]
pub(super) struct News {
    /// How many portions were let go.
    gone: u64,
    /// The commits of the last of them.
    gone_commits: u64,
    found: VecDeque<Found>,
    held: usize,
}

impl News {
    /// Adds a portion.
    pub(super) fn push(&mut self, commits: u64, lines: Vec<FeedLine>) {
        self.held += lines.len();
        self.found.push_back(Found { commits, lines });
        while self.held > MOST && self.found.len() > 1 {
            let Some(oldest) = self.found.pop_front() else { return };
            self.held -= oldest.lines.len();
            self.gone += 1;
            self.gone_commits = oldest.commits;
        }
    }

    /// How many portions tell nothing new to somebody who knows of so many commits; `None` when
    /// that cannot be told any more.
    pub(super) fn told_by(&self, commits: u64) -> Option<u64> {
        let heard = self.found.iter().take_while(|found| found.commits <= commits).count() as u64;
        (self.gone == 0 || commits >= self.gone_commits).then_some(self.gone + heard)
    }

    /// Whether all is held that came after the first `told` of `newest` portions.
    pub(super) const fn reaches(&self, told: u64, newest: u64) -> bool {
        self.gone <= told && told <= newest
    }

    /// The lines after the first `told` of `newest` portions; `None` when they are not all held.
    pub(super) fn since(&self, told: u64, newest: u64) -> Option<Vec<FeedLine>> {
        if !self.reaches(told, newest) {
            return None;
        }
        let skip = usize::try_from(told - self.gone).ok()?;
        Some(self.found.iter().skip(skip).flat_map(|found| found.lines.iter().cloned()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str) -> Vec<FeedLine> {
        vec![FeedLine::ended(name)]
    }

    #[test]
    fn whoever_was_cut_off_hears_what_came_since_and_nothing_twice() {
        let mut news = News::default();
        news.push(5, line("a"));
        news.push(9, line("b"));
        assert_eq!(news.since(0, 2), Some([line("a"), line("b")].concat()));
        assert_eq!(news.since(1, 2), Some(line("b")));
        assert_eq!(news.since(2, 2), Some(Vec::new()));
        assert_eq!(news.since(3, 2), None, "ahead of what was told");
    }

    #[test]
    fn a_cursor_of_commits_alone_is_a_place_too() {
        let mut news = News::default();
        news.push(5, line("a"));
        news.push(9, line("b"));
        assert_eq!(news.told_by(4), Some(0));
        assert_eq!(news.told_by(5), Some(1));
        assert_eq!(news.told_by(8), Some(1));
        assert_eq!(news.told_by(9), Some(2));
    }

    #[test]
    fn what_was_let_go_is_told_as_such() {
        let mut news = News::default();
        news.push(1, vec![FeedLine::deployment(1); MOST]);
        news.push(2, line("b"));
        assert_eq!(news.since(0, 2), None);
        assert_eq!(news.since(1, 2), Some(line("b")));
        assert_eq!(news.told_by(0), None, "it may have missed the first");
        assert_eq!(news.told_by(1), Some(1));
    }
}
