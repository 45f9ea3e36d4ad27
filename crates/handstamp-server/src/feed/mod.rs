//! The revocation feed: the change log as verifiers hear it.
//!
//! One reader follows the store's log for all streams, so a verifier more costs no read more. It
//! reads whenever this process has committed something, and each second in any case. What it finds
//! is kept for as long as an access token can live: a snapshot is told from memory.

mod known;
mod life;
mod news;
mod reader;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use handstamp_axum::problem::Problem;
use handstamp_core::random::SystemRng;
use handstamp_core::{SessionError, SessionManager};
use handstamp_protocol::feed::{Cursor, FeedLine, Snapshot};
use handstamp_verify::{Clock as _, SystemClock};
use tokio::sync::{Notify, watch};

use crate::body::bad;
use crate::caller::refused;
use crate::error::StartError;
use known::{Known, Line};
use life::Life;
use news::News;

/// How long a request waits for a state that is not reached yet.
const PATIENCE: Duration = Duration::from_secs(2);

/// A line is known for that many times the longest life of a token, as verifiers keep it.
const LIVES: u32 = 2;

/// How far the reader has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Progress {
    /// So many commits of this process have been read.
    commits: u64,
    /// So many portions of news have been told.
    told: u64,
    /// When the last complete read began; `None` before the first.
    pub(crate) began: Option<Duration>,
}

impl Progress {
    /// Of somebody who has heard so many portions, and of whom no more is known.
    pub(crate) const fn heard(told: u64) -> Self {
        Self { commits: 0, told, began: None }
    }
}

/// What a stream has not told yet, and how far it is afterwards.
#[derive(Debug)]
pub(crate) struct Portion {
    pub(crate) lines: Vec<FeedLine>,
    pub(crate) progress: Progress,
}

/// What verifiers must hear of.
#[derive(Debug)]
pub(crate) struct Feed {
    life: Life,
    longest_token: Duration,
    is_alone: bool,
    clock: SystemClock,
    kept: Mutex<Kept>,
    progress: watch::Sender<Progress>,
    commits: watch::Receiver<u64>,
    wanted: Notify,
}

#[derive(Debug)]
struct Kept {
    known: Known,
    news: News,
}

impl Feed {
    /// A feed that has read nothing yet. Tokens live for at most `longest_token`.
    ///
    /// # Errors
    /// [`StartError::Sessions`] when no random bytes can be had.
    pub(crate) fn new(
        sessions: &SessionManager,
        longest_token: Duration,
    ) -> Result<Self, StartError> {
        let store = sessions.store();
        let life = Life::draw(&store.meta().partition_key, &SystemRng);
        Ok(Self {
            life: life.map_err(SessionError::from)?,
            longest_token,
            is_alone: !store.capabilities().is_shared,
            clock: SystemClock::new(),
            kept: Mutex::new(Kept {
                known: Known::new(longest_token.saturating_mul(LIVES)),
                news: News::default(),
            }),
            progress: watch::Sender::default(),
            commits: sessions.commits(),
            wanted: Notify::new(),
        })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The moment, by the clock that heartbeats are timed with: it counts suspend.
    pub(crate) fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// How old the state is that streams are told: since when the last complete read began. `None`
    /// before the first.
    pub(crate) fn lag(&self) -> Option<Duration> {
        let began = self.progress.borrow().began?;
        Some(self.elapsed().saturating_sub(began))
    }

    /// How many commits of this process are not read yet.
    pub(crate) fn untold(&self) -> u64 {
        let made = *self.commits.borrow();
        made.saturating_sub(self.progress.borrow().commits)
    }

    /// Wakes whenever the log has been read to its end.
    pub(crate) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Whoever has read up to here knows of everything that this process has acknowledged.
    pub(crate) fn acknowledged(&self) -> Cursor {
        Cursor::of([(self.life.log(), *self.commits.borrow())])
    }

    /// The cursor of somebody who was told all of `progress`.
    pub(crate) fn cursor(&self, progress: Progress) -> Cursor {
        let Progress { commits, told, .. } = progress;
        Cursor::of([(self.life.log(), commits), (self.life.feed(), told)])
    }

    /// Where a stream begins that goes on from `after`; without one, that begins now. `None` when
    /// nobody knows any more what came after it.
    pub(crate) fn place(&self, after: Option<&Cursor>) -> Option<u64> {
        let kept = self.kept();
        let Some(after) = after else { return Some(self.progress.borrow().told) };
        let positions = after.positions()?;
        let of = |log| positions.iter().find(|(named, _)| *named == log).map(|(_, at)| *at);
        let told = match (of(self.life.feed()), of(self.life.log())) {
            (Some(told), _) => Some(told),
            (None, Some(commits)) => kept.news.told_by(commits),
            (None, None) => None,
        };
        told.filter(|told| kept.news.reaches(*told, self.progress.borrow().told))
    }

    /// What came after what somebody `heard`; `None` when that is not held any more.
    pub(crate) fn since(&self, heard: Progress) -> Option<Portion> {
        let kept = self.kept();
        let progress = *self.progress.borrow();
        let lines = kept.news.since(heard.told, progress.told)?;
        Some(Portion { lines, progress })
    }

    /// Waits for a read of the log that began after `moment`.
    ///
    /// # Errors
    /// 503 when that takes longer than 2 s.
    async fn read_after(&self, moment: Duration) -> Result<(), Problem> {
        let mut progress = self.progress.subscribe();
        self.wanted.notify_one();
        let is_read = progress.wait_for(|progress| progress.began >= Some(moment));
        match tokio::time::timeout(PATIENCE, is_read).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(unavailable("the change log could not be read in time")),
        }
    }

    /// All that still matters, as of now or later.
    ///
    /// # Errors
    /// 503 when the log cannot be read in time.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot, Problem> {
        self.read_after(self.elapsed()).await?;
        let kept = self.kept();
        let cursor = self.cursor(*self.progress.borrow());
        let lines = kept.known.lines().map(FeedLine::from).collect();
        Ok(Snapshot { cursor, longest_token_seconds: self.longest_token.as_secs(), lines })
    }

    /// The first generation of a session whose access tokens are good, as far as was told.
    pub(crate) fn min_generation(&self, id: handstamp_core::SessionId) -> u32 {
        self.kept().known.min_generation(id)
    }

    /// Waits until this process judges by the state of `cursor` or a later one. It judges by all
    /// that it has committed, and on a store that it has to itself by all that its predecessors
    /// have. On one that it shares, a cursor of another process, there or gone, is met by a read of
    /// the change log that begins now: what that process acknowledged is in the store.
    ///
    /// # Errors
    /// 400 for what is no cursor; 503 when the state is not reached within 2 s.
    pub(crate) async fn at_least(
        &self,
        sessions: &SessionManager,
        cursor: &str,
    ) -> Result<(), Problem> {
        let positions = Cursor::parse(cursor).and_then(|cursor| cursor.positions());
        let positions = positions.ok_or_else(|| {
            bad(http::StatusCode::BAD_REQUEST, "Handstamp-Min is no cursor of this service")
        })?;
        let (mut needed, mut is_of_others) = (0, false);
        for (log, number) in positions {
            is_of_others |= !self.is_alone && self.life.is_former(log);
            needed = needed.max(self.commits_needed(log, number)?);
        }
        let mut commits = self.commits.clone();
        let reached = async {
            let is_reached = commits.wait_for(|commits| *commits >= needed).await.is_ok();
            is_reached && (!is_of_others || sessions.catch_up().await.is_ok())
        };
        match tokio::time::timeout(PATIENCE, reached).await {
            Ok(true) => Ok(()),
            _ => Err(unavailable("the state that is demanded is not reached")),
        }
    }

    /// How many commits of this process it takes to be at `number` of `log`.
    fn commits_needed(&self, log: u64, number: u64) -> Result<u64, Problem> {
        let told = self.progress.borrow().told;
        if log == self.life.log() {
            return Ok(number);
        }
        let is_told = log == self.life.feed() && number <= told;
        if is_told || self.life.is_former(log) {
            return Ok(0);
        }
        Err(unavailable("the state that is demanded is not known here"))
    }

    /// Takes in what a complete read found, that began at `began` with `commits` made.
    fn take(&self, lines: impl IntoIterator<Item = Line>, commits: u64, began: Duration) {
        let mut kept = self.kept();
        let Kept { known, news } = &mut *kept;
        let fresh = lines.into_iter().filter(|line| known.learn(line, began));
        let fresh: Vec<FeedLine> = fresh.map(FeedLine::from).collect();
        known.forget(began);
        let told = self.progress.borrow().told + u64::from(!fresh.is_empty());
        if !fresh.is_empty() {
            news.push(*self.commits.borrow(), fresh);
        }
        // While the lock is held, so that what is told and how far that is go together.
        self.progress.send_replace(Progress { commits, told, began: Some(began) });
    }
}

fn unavailable(why: &'static str) -> Problem {
    refused(SessionError::Unavailable(why.into()))
}
