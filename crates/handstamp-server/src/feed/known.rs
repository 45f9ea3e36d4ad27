//! What verifiers must know: the least that is good of each session, subject and the deployment.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use handstamp_core::SessionId;
use handstamp_core::id::Subject;
use handstamp_protocol::feed::FeedLine;

/// The least generation that is good; ended sessions have none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Least {
    Generation(u32),
    Ended,
}

/// One thing to tell. Each is monotone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Line {
    Session(SessionId, Least),
    Subject(Subject, u64),
    Deployment(u64),
}

impl From<Line> for FeedLine {
    fn from(line: Line) -> Self {
        match line {
            Line::Session(id, Least::Ended) => Self::ended(id.to_string()),
            Line::Session(id, Least::Generation(least)) => Self::generation(id.to_string(), least),
            Line::Subject(subject, epoch) => Self::subject(subject.to_string(), epoch),
            Line::Deployment(epoch) => Self::deployment(epoch),
        }
    }
}

/// What is known, and when it was last heard of.
#[derive(Debug)]
struct Mark<T> {
    least: T,
    at: Duration,
}

#[derive(Debug)]
enum Name {
    Session(SessionId),
    Subject(Subject),
}

/// Everything that still matters; what no token is left for is forgotten.
#[derive(Debug)]
pub(super) struct Known {
    sessions: HashMap<SessionId, Mark<Least>>,
    subjects: HashMap<Subject, Mark<u64>>,
    deployment: u64,
    heard: VecDeque<(Duration, Name)>,
    keep: Duration,
}

impl Known {
    /// Nothing. What is learnt is kept for `keep`.
    pub(super) fn new(keep: Duration) -> Self {
        Self {
            sessions: HashMap::new(),
            subjects: HashMap::new(),
            deployment: 0,
            heard: VecDeque::new(),
            keep,
        }
    }

    /// Learns what `line` says at `now`; answers whether it is news. That the first generation
    /// and any epoch from 0 on are good is none.
    pub(super) fn learn(&mut self, line: &Line, now: Duration) -> bool {
        match line {
            Line::Session(_, Least::Generation(0 | 1)) | Line::Subject(_, 0) => false,
            Line::Session(id, least) => {
                let is_news = raise(&mut self.sessions, id, *least, now);
                if is_news {
                    self.heard.push_back((now, Name::Session(*id)));
                }
                is_news
            }
            Line::Subject(subject, epoch) => {
                let is_news = raise(&mut self.subjects, subject, *epoch, now);
                if is_news {
                    self.heard.push_back((now, Name::Subject(subject.clone())));
                }
                is_news
            }
            Line::Deployment(epoch) => {
                let is_news = *epoch > self.deployment;
                self.deployment = self.deployment.max(*epoch);
                is_news
            }
        }
    }

    /// Forgets what was last news too long ago.
    pub(super) fn forget(&mut self, now: Duration) {
        while let Some((at, _)) = self.heard.front()
            && at.saturating_add(self.keep) < now
            && let Some((at, name)) = self.heard.pop_front()
        {
            match name {
                Name::Session(id) => forget(&mut self.sessions, &id, at),
                Name::Subject(subject) => forget(&mut self.subjects, &subject, at),
            }
        }
    }

    /// All of it.
    pub(super) fn lines(&self) -> impl Iterator<Item = Line> {
        let sessions = self.sessions.iter().map(|(id, mark)| Line::Session(*id, mark.least));
        let subjects =
            self.subjects.iter().map(|(who, mark)| Line::Subject(who.clone(), mark.least));
        let deployment = (self.deployment > 0).then_some(Line::Deployment(self.deployment));
        deployment.into_iter().chain(subjects).chain(sessions)
    }

    /// The first generation of a session that is good, as far as is known.
    pub(super) fn min_generation(&self, id: SessionId) -> u32 {
        match self.sessions.get(&id).map(|mark| mark.least) {
            Some(Least::Generation(least)) => least,
            Some(Least::Ended) => u32::MAX,
            None => 0,
        }
    }
}

fn raise<K: Hash + Eq + Clone, T: Ord + Copy>(
    marks: &mut HashMap<K, Mark<T>>,
    name: &K,
    least: T,
    at: Duration,
) -> bool {
    if marks.get(name).is_some_and(|mark| mark.least >= least) {
        return false;
    }
    marks.insert(name.clone(), Mark { least, at });
    true
}

fn forget<K: Hash + Eq, T>(marks: &mut HashMap<K, Mark<T>>, name: &K, heard_at: Duration) {
    if marks.get(name).is_some_and(|mark| mark.at <= heard_at) {
        marks.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn session(byte: u8, least: Least) -> Line {
        Line::Session(SessionId::from_bytes([byte; 18]), least)
    }

    #[test]
    fn only_what_is_stricter_than_before_is_news() {
        let mut known = Known::new(at(60));
        assert!(!known.learn(&session(1, Least::Generation(1)), at(0)));
        assert!(known.learn(&session(1, Least::Generation(2)), at(0)));
        assert!(!known.learn(&session(1, Least::Generation(2)), at(0)));
        assert!(known.learn(&session(1, Least::Ended), at(0)));
        assert!(!known.learn(&session(1, Least::Generation(9)), at(0)), "an end is final");
        assert!(!known.learn(&Line::Deployment(0), at(0)));
        assert!(known.learn(&Line::Deployment(3), at(0)));
        assert_eq!(known.lines().count(), 2);
    }

    #[test]
    fn what_no_token_is_left_for_is_forgotten_and_not_before() {
        let mut known = Known::new(at(60));
        known.learn(&session(1, Least::Ended), at(0));
        known.learn(&session(2, Least::Generation(2)), at(0));
        known.learn(&session(2, Least::Generation(3)), at(30));
        let held = |known: &mut Known, now| {
            known.forget(now);
            known.lines().count()
        };
        assert_eq!(held(&mut known, at(60)), 2);
        assert_eq!(held(&mut known, at(61)), 1);
        assert_eq!(known.min_generation(SessionId::from_bytes([2; 18])), 3);
        assert_eq!(held(&mut known, at(91)), 0);
    }
}
