//! What is known of ended sessions, and until when that is to be trusted.
//!
//! The knowledge is trusted only while its **lease** is fresh: until a fixed time after the start
//! of the last read that is known to have been complete. A lapsed lease refuses everything, which
//! is an error and not a verdict on the token.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use handstamp_protocol::feed::{Cursor, FeedLine, Snapshot};
use handstamp_protocol::tokens::AccessClaims;
use tokio::sync::watch;

use crate::error::VerifyError;

/// How long what was read is trusted, by default.
pub const DEFAULT_LEASE: Duration = Duration::from_secs(5);

/// How long an access token lives at most, until a snapshot tells it.
const LONGEST_TOKEN: Duration = Duration::from_secs(3600);

/// A line is kept for that many times the longest life of a token. Twice, so that a wall clock
/// that is late by such a life still finds it.
const LIVES: u32 = 2;

/// Ended sessions and superseded generations and epochs, fed by the lines of the feed.
///
/// Every moment that it is told is of [`Clock::elapsed`](crate::Clock::elapsed). Memory: about
/// 150 bytes for each session that ended within twice the longest life of an access token.
#[derive(Debug)]
pub struct Revocations {
    lease: Duration,
    /// Until when the state is trusted, in milliseconds.
    trusted_until: AtomicU64,
    state: RwLock<State>,
    progress: watch::Sender<Progress>,
}

/// How far the state has come.
#[derive(Clone, Debug, Default)]
struct Progress {
    cursor: Option<Cursor>,
    trusted_until: u64,
}

#[derive(Debug)]
struct State {
    sessions: HashMap<Box<str>, Mark<Least>>,
    subjects: HashMap<Box<str>, Mark<u64>>,
    deployment: u64,
    /// Names in the order in which they were last heard of, to forget the oldest.
    heard: VecDeque<(Duration, Name)>,
    keep: Duration,
}

/// What is known, and when it was last heard of.
#[derive(Debug)]
struct Mark<T> {
    known: T,
    at: Duration,
}

/// The least generation that is good; ended sessions have none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Least {
    Generation(u32),
    Ended,
}

#[derive(Debug)]
enum Name {
    Session(Box<str>),
    Subject(Box<str>),
}

impl Revocations {
    /// Knows nothing and trusts nothing. The lease is 5 s by default ([`DEFAULT_LEASE`]): the
    /// longest that an ended session may still be let in when the feed breaks off.
    pub fn new(lease: Duration) -> Self {
        Self {
            lease,
            trusted_until: AtomicU64::new(0),
            state: RwLock::new(State::new()),
            progress: watch::Sender::default(),
        }
    }

    /// Checks that the session behind `claims` has not ended or gone on without them.
    ///
    /// # Errors
    /// [`VerifyError::Lapsed`] when what is known is too old, whatever it says;
    /// [`VerifyError::Ended`]; [`VerifyError::Superseded`].
    pub fn check(&self, claims: &AccessClaims, now: Duration) -> Result<(), VerifyError> {
        if !self.is_trusted(now) {
            return Err(VerifyError::Lapsed);
        }
        self.state.read().unwrap_or_else(PoisonError::into_inner).check(claims)
    }

    /// Whether what is known is fresh enough to be trusted.
    pub fn is_trusted(&self, now: Duration) -> bool {
        millis(now) < self.trusted_until.load(Ordering::Acquire)
    }

    /// Takes lines in, after which the state is that of `cursor`. They do not renew the lease.
    pub fn apply(&self, cursor: &Cursor, lines: &[FeedLine], now: Duration) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        lines.iter().for_each(|line| state.apply(line, now));
        state.forget(now);
        drop(state);
        self.progress.send_modify(|progress| progress.cursor = Some(cursor.clone()));
    }

    /// Renews the lease: every line up to `cursor` has been applied, by a read that began at
    /// `read_at`. An older read takes nothing back.
    pub fn renew(&self, cursor: &Cursor, read_at: Duration) {
        let until = millis(read_at.saturating_add(self.lease));
        self.trusted_until.fetch_max(until, Ordering::AcqRel);
        self.progress.send_modify(|progress| {
            progress.cursor = Some(cursor.clone());
            progress.trusted_until = progress.trusted_until.max(until);
        });
    }

    /// Takes in a snapshot that was asked for at `asked_at`, and renews the lease.
    ///
    /// Where the snapshot's log is the one that was followed, what was known stays known. Where
    /// it is another, because the store was made anew or restored, what was known of the old one
    /// says nothing about it and is dropped.
    ///
    /// # Errors
    /// [`StaleSnapshot`] if it lies before what has been read already; nothing is changed. Asking
    /// again helps, once whoever answered has caught up.
    pub fn restart(&self, snapshot: &Snapshot, asked_at: Duration) -> Result<(), StaleSnapshot> {
        let known = self.cursor();
        let is_newer = known.as_ref().is_none_or(|known| snapshot.cursor.covers(known));
        if !is_newer && known.is_some_and(|known| shares_a_log(&known, &snapshot.cursor)) {
            return Err(StaleSnapshot);
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if !is_newer {
            *state = State::new();
        }
        state.keep = Duration::from_secs(snapshot.longest_token_seconds).saturating_mul(LIVES);
        snapshot.lines.iter().for_each(|line| state.apply(line, asked_at));
        state.forget(asked_at);
        drop(state);
        self.renew(&snapshot.cursor, asked_at);
        Ok(())
    }

    /// How far has been read; `None` before the first snapshot.
    pub fn cursor(&self) -> Option<Cursor> {
        self.progress.borrow().cursor.clone()
    }

    /// Waits until the state has reached `cursor`: whoever got it as answer to an end finds that
    /// end in force.
    pub async fn reached(&self, cursor: &Cursor) {
        let is_there = |progress: &Progress| {
            progress.cursor.as_ref().is_some_and(|reached| reached.covers(cursor))
        };
        // The sender lives as long as `self`, so waiting only ends by success.
        let _ = self.progress.subscribe().wait_for(is_there).await;
    }

    /// Waits until the lease is fresh at `now`.
    pub async fn trusted(&self, now: impl Fn() -> Duration) {
        let is_fresh = |progress: &Progress| millis(now()) < progress.trusted_until;
        let _ = self.progress.subscribe().wait_for(is_fresh).await;
    }
}

impl Default for Revocations {
    fn default() -> Self {
        Self::new(DEFAULT_LEASE)
    }
}

/// The snapshot lies before what has been read already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the snapshot is older than what has been read")]
pub struct StaleSnapshot;

fn millis(moment: Duration) -> u64 {
    u64::try_from(moment.as_millis()).unwrap_or(u64::MAX)
}

fn shares_a_log(one: &Cursor, other: &Cursor) -> bool {
    let logs = |cursor: &Cursor| cursor.positions().unwrap_or_default();
    let others = logs(other);
    logs(one).iter().any(|(log, _)| others.iter().any(|(other, _)| other == log))
}

impl State {
    fn new() -> Self {
        Self {
            sessions: HashMap::new(),
            subjects: HashMap::new(),
            deployment: 0,
            heard: VecDeque::new(),
            keep: LONGEST_TOKEN * LIVES,
        }
    }

    fn check(&self, claims: &AccessClaims) -> Result<(), VerifyError> {
        let least = self.sessions.get(&*claims.sid).map(|mark| mark.known);
        if least == Some(Least::Ended) {
            return Err(VerifyError::Ended);
        }
        let epoch = self.subjects.get(&*claims.sub).map_or(0, |mark| mark.known);
        let is_superseded = least > Some(Least::Generation(claims.generation))
            || claims.epoch < epoch
            || claims.deployment < self.deployment;
        if is_superseded { Err(VerifyError::Superseded) } else { Ok(()) }
    }

    /// Takes in one line. What is known only ever grows, so order and repeats do not matter.
    fn apply(&mut self, line: &FeedLine, now: Duration) {
        match line {
            FeedLine::SessionEnded { session, .. } => self.session(session, Least::Ended, now),
            FeedLine::SessionGeneration { session, min_generation } => {
                self.session(session, Least::Generation(*min_generation), now);
            }
            FeedLine::SubjectEpoch { subject, min_epoch } => {
                raise(&mut self.subjects, subject, *min_epoch, now);
                self.heard.push_back((now, Name::Subject(subject.as_str().into())));
            }
            FeedLine::DeploymentEpoch { min_epoch, .. } => {
                self.deployment = self.deployment.max(*min_epoch);
            }
            _ => tracing::warn!("the feed told a sort of line that this version does not know"),
        }
    }

    fn session(&mut self, id: &str, least: Least, now: Duration) {
        raise(&mut self.sessions, id, least, now);
        self.heard.push_back((now, Name::Session(id.into())));
    }

    /// Forgets what no token is left for. What was heard of again meanwhile stays.
    fn forget(&mut self, now: Duration) {
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
}

fn raise<T: Ord + Copy>(marks: &mut HashMap<Box<str>, Mark<T>>, name: &str, to: T, at: Duration) {
    let mark = marks.entry(name.into()).or_insert(Mark { known: to, at });
    mark.known = mark.known.max(to);
    mark.at = mark.at.max(at);
}

fn forget<T>(marks: &mut HashMap<Box<str>, Mark<T>>, name: &str, heard_at: Duration) {
    if marks.get(name).is_some_and(|mark| mark.at <= heard_at) {
        marks.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::claims;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn cursor(number: u64) -> Cursor {
        Cursor::of([(1, number)])
    }

    fn snapshot(cursor: Cursor, lines: &[FeedLine]) -> Snapshot {
        Snapshot { cursor, longest_token_seconds: 1800, lines: lines.to_vec() }
    }

    /// Fresh at second 100, with nothing ended.
    fn fresh() -> Revocations {
        let revocations = Revocations::default();
        revocations.restart(&snapshot(cursor(1), &[]), at(100)).unwrap();
        revocations
    }

    fn told(lines: &[FeedLine]) -> Result<(), VerifyError> {
        let revocations = fresh();
        revocations.apply(&cursor(2), lines, at(101));
        revocations.check(&claims(), at(101))
    }

    #[test]
    fn b03_nothing_is_trusted_before_the_first_snapshot() {
        let revocations = Revocations::default();
        assert_eq!(revocations.check(&claims(), at(0)), Err(VerifyError::Lapsed));
        revocations.apply(&cursor(1), &[], at(1));
        assert_eq!(revocations.check(&claims(), at(1)), Err(VerifyError::Lapsed));
    }

    #[test]
    fn b03_the_lease_counts_from_the_start_of_the_last_complete_read() {
        let revocations = fresh();
        assert_eq!(revocations.check(&claims(), at(104)), Ok(()));
        assert_eq!(revocations.check(&claims(), at(105)), Err(VerifyError::Lapsed));
        revocations.renew(&cursor(1), at(103));
        assert_eq!(revocations.check(&claims(), at(107)), Ok(()));
        assert_eq!(revocations.check(&claims(), at(108)), Err(VerifyError::Lapsed));
    }

    #[test]
    fn b03_lines_alone_do_not_renew_the_lease_and_an_old_read_takes_nothing_back() {
        let revocations = fresh();
        revocations.apply(&cursor(2), &[], at(104));
        revocations.renew(&cursor(2), at(90));
        assert!(revocations.is_trusted(at(104)));
        assert!(!revocations.is_trusted(at(105)));
    }

    #[test]
    fn b03_an_ended_session_is_refused_and_others_are_not() {
        let claims = claims();
        assert_eq!(told(&[FeedLine::ended(&*claims.sid)]), Err(VerifyError::Ended));
        assert_eq!(told(&[FeedLine::ended("another")]), Ok(()));
    }

    #[test]
    fn b03_only_generations_and_epochs_from_the_least_one_on_are_good() {
        let claims = claims();
        let generation = |n| FeedLine::generation(&*claims.sid, n);
        let subject = |n| FeedLine::subject(&*claims.sub, n);
        for good in [
            generation(claims.generation),
            subject(claims.epoch),
            FeedLine::deployment(claims.deployment),
            FeedLine::subject("another", 99),
            FeedLine::Other(serde_json::json!({"key": "k"})),
        ] {
            assert_eq!(told(&[good]), Ok(()));
        }
        for bad in [
            generation(claims.generation + 1),
            subject(claims.epoch + 1),
            FeedLine::deployment(claims.deployment + 1),
        ] {
            assert_eq!(told(&[bad]), Err(VerifyError::Superseded));
        }
    }

    #[test]
    fn what_is_known_never_shrinks_whatever_order_lines_come_in() {
        let id = claims().sid;
        let ended = [FeedLine::ended(&*id), FeedLine::generation(&*id, 1)];
        assert_eq!(told(&ended), Err(VerifyError::Ended));
        let epochs = [FeedLine::deployment(99), FeedLine::deployment(0)];
        assert_eq!(told(&epochs), Err(VerifyError::Superseded));
    }

    #[test]
    fn lines_are_forgotten_when_no_token_is_left_for_them_and_not_before() {
        let revocations = fresh();
        revocations.apply(&cursor(2), &[FeedLine::ended("old"), FeedLine::ended("again")], at(200));
        revocations.apply(&cursor(3), &[FeedLine::ended("again")], at(300));
        let held = |now| {
            revocations.apply(&cursor(4), &[], now);
            revocations.state.read().unwrap().sessions.len()
        };
        assert_eq!(held(at(200 + 3600)), 2);
        assert_eq!(held(at(201 + 3600)), 1);
        assert_eq!(held(at(301 + 3600)), 0);
    }

    #[test]
    fn a_snapshot_of_the_same_log_adds_and_an_older_one_is_refused() {
        let revocations = fresh();
        let claims = claims();
        revocations.apply(&cursor(5), &[FeedLine::ended(&*claims.sid)], at(101));
        assert_eq!(revocations.restart(&snapshot(cursor(4), &[]), at(102)), Err(StaleSnapshot));
        revocations.restart(&snapshot(cursor(9), &[]), at(103)).unwrap();
        assert_eq!(revocations.check(&claims, at(103)), Err(VerifyError::Ended));
        assert_eq!(revocations.cursor(), Some(cursor(9)));
    }

    #[test]
    fn a_snapshot_of_another_log_replaces_what_was_known() {
        let revocations = fresh();
        revocations.apply(&cursor(5), &[FeedLine::deployment(99)], at(101));
        revocations.restart(&snapshot(Cursor::of([(2, 1)]), &[]), at(102)).unwrap();
        assert_eq!(revocations.check(&claims(), at(102)), Ok(()));
    }

    #[tokio::test]
    async fn b03_whoever_waits_for_a_cursor_finds_its_end_in_force() {
        let revocations = fresh();
        let claims = claims();
        revocations.reached(&cursor(1)).await;
        let waits = async {
            revocations.reached(&cursor(7)).await;
            revocations.check(&claims, at(101))
        };
        let ends = async {
            revocations.apply(&cursor(8), &[FeedLine::ended(&*claims.sid)], at(101));
        };
        let (verdict, ()) = tokio::join!(waits, ends);
        assert_eq!(verdict, Err(VerifyError::Ended));
    }

    #[tokio::test]
    async fn whoever_waits_for_a_fresh_lease_is_woken_by_it() {
        let revocations = Revocations::default();
        let renews = async { revocations.renew(&cursor(1), at(100)) };
        tokio::join!(revocations.trusted(|| at(100)), renews);
    }
}
