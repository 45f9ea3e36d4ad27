//! Whom the next round waits for.
//!
//! Clients who write again as soon as they are answered fall into two halves that take turns: while one
//! is committed, the other has just been answered and comes too late. So a round that costs something
//! waits a moment for as many as the last one answered. It waits for nobody who was not there a moment
//! ago, so a client alone never waits; for no longer than all of them gain by; and seldom where it has
//! proved to be in vain.

use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Before a round that takes less nobody waits: what it costs, it costs for each job.
const SHORTEST: Duration = Duration::from_micros(100);

/// The longest wait, as a part of what a round takes.
const PART: u32 = 4;

/// No wait is longer, however long a round takes.
const LONGEST: Duration = Duration::from_millis(5);

/// The next job is waited for as long as so many times what a round takes for each that is there.
const GAP: u32 = 4;

/// The most rounds without a wait after waits in vain.
const MOST_REST: u32 = 63;

/// So often others have their turn first: whoever was answered, and is in this process or at a socket
/// of it, comes meanwhile. A timer is no finer than a tick.
const TURNS: u32 = 256;
const TICK: Duration = Duration::from_millis(1);

/// What the last rounds tell of the next.
#[derive(Default)]
pub(super) struct Rhythm {
    /// How long a round takes as a rule; one that hung counts for little.
    usual: Duration,
    /// So many jobs the next round may have: those that are queued, and those just answered.
    expected: usize,
    /// When the last round was over.
    since: Option<Instant>,
    /// How many rounds go without a wait after the next one in vain.
    rest: u32,
    /// How many of them are still to go.
    left: u32,
}

/// A round waits.
pub(super) struct Wait {
    start: Instant,
    /// How many jobs there were then.
    before: usize,
    /// How many there are, and when the last of them came.
    jobs: usize,
    last: Instant,
    turns: u32,
}

impl Rhythm {
    /// A round is over that took so long and answered so many, while so many have come.
    pub(super) fn done(&mut self, took: Duration, answered: usize, queued: usize, now: Instant) {
        let most = self.usual + self.usual / PART;
        self.usual = if self.usual.is_zero() { took } else { took.min(most) };
        self.expected = (answered + queued).min(super::BATCH);
        self.since = Some(now);
        self.left = self.left.saturating_sub(1);
    }

    /// The wait of so many jobs for more; `None` where there is nobody to wait for.
    pub(super) fn wait(&self, jobs: usize, now: Instant) -> Option<Wait> {
        let wait = Wait { start: now, before: jobs, jobs, last: now, turns: 0 };
        self.until(&wait).filter(|until| *until > now).map(|_| wait)
    }

    /// Until when `wait` goes on, now that there are so many jobs; `None` when it is over.
    pub(super) fn go_on(&mut self, wait: &mut Wait, jobs: usize, now: Instant) -> Option<Instant> {
        if jobs > wait.jobs {
            (wait.jobs, wait.last) = (jobs, now);
        }
        let least = if wait.turns < TURNS { Duration::ZERO } else { TICK };
        let until = self.until(wait).filter(|until| *until > now + least);
        if until.is_none() {
            self.judge(wait, now - wait.start);
        }
        until
    }

    fn until(&self, wait: &Wait) -> Option<Instant> {
        let is_full = wait.jobs == 0 || wait.jobs >= self.expected;
        let since = self.since.filter(|_| !is_full && self.left == 0)?;
        let gap = self.usual.saturating_mul(GAP) / count(wait.jobs);
        let most = since + (self.usual / PART).min(LONGEST);
        (self.usual >= SHORTEST).then(|| most.min(wait.last + gap))
    }

    /// Whether that was worth while: by twice as much as it cost those who were there.
    fn judge(&mut self, wait: &Wait, waited: Duration) {
        let more = wait.jobs - wait.before;
        let gain = self.usual.saturating_mul(count(more));
        let price = waited.saturating_mul(count(wait.before)).saturating_mul(2);
        let is_worth = more > 0 && gain >= price;
        self.rest = if is_worth { self.rest / 2 } else { (self.rest * 2 + 1).min(MOST_REST) };
        self.left = self.rest;
    }
}

impl Wait {
    /// Leaves others their turn, until `until` at the latest.
    pub(super) async fn turn(&mut self, until: Instant, came: &Notify) {
        if self.turns < TURNS {
            self.turns += 1;
            tokio::task::yield_now().await;
        } else {
            // Whether somebody came or not is looked at next.
            let _ = tokio::time::timeout_at(until, came.notified()).await;
        }
    }
}

fn count(jobs: usize) -> u32 {
    u32::try_from(jobs).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND: Duration = Duration::from_millis(2);

    /// Where rounds of 2 ms answer so many while so many come.
    fn rhythm(answered: usize, queued: usize) -> (Rhythm, Instant) {
        let (mut rhythm, now) = (Rhythm::default(), Instant::now());
        rhythm.done(ROUND, answered, queued, now);
        (rhythm, now)
    }

    #[test]
    fn a_client_alone_never_waits() {
        let (rhythm, now) = rhythm(1, 0);
        assert!(rhythm.wait(1, now).is_none());
        assert!(Rhythm::default().wait(1, now).is_none());
    }

    #[test]
    fn nor_does_anybody_when_the_last_round_is_long_over_or_nobody_is_there() {
        let (rhythm, now) = rhythm(32, 0);
        assert!(rhythm.wait(1, now + ROUND / PART).is_none());
        assert!(rhythm.wait(0, now).is_none());
    }

    #[test]
    fn half_of_the_clients_wait_for_the_other_half_until_it_has_come() {
        let (mut rhythm, now) = rhythm(16, 16);
        let mut wait = rhythm.wait(16, now).unwrap();
        assert_eq!(rhythm.go_on(&mut wait, 16, now), Some(now + ROUND / PART));
        let later = now + ROUND / 16;
        assert!(rhythm.go_on(&mut wait, 31, later).is_some());
        assert!(rhythm.go_on(&mut wait, 32, later).is_none());
        assert!(rhythm.wait(1, now).is_some(), "it was worth while");
    }

    #[test]
    fn one_more_is_waited_for_no_longer_than_all_gain_by_it() {
        let (mut rhythm, now) = rhythm(64, 0);
        let mut wait = rhythm.wait(1, now).unwrap();
        let until = rhythm.go_on(&mut wait, 63, now).unwrap();
        assert_eq!(until, now + ROUND * GAP / 63);
        assert!(rhythm.go_on(&mut wait, 63, until).is_none());
    }

    #[test]
    fn waits_in_vain_become_rare_and_frequent_again_when_they_are_worth_while() {
        let (mut rhythm, now) = rhythm(16, 16);
        let mut waits = 0;
        for _ in 0..1_000 {
            if let Some(mut wait) = rhythm.wait(16, now) {
                waits += 1;
                assert!(rhythm.go_on(&mut wait, 16, now + ROUND / PART).is_none());
            }
            rhythm.done(ROUND, 16, 16, now);
        }
        assert!(waits < 25, "{waits} waits");
        waits = 0;
        for _ in 0..200 {
            if let Some(mut wait) = rhythm.wait(16, now) {
                waits += 1;
                assert!(rhythm.go_on(&mut wait, 32, now).is_none());
            }
            rhythm.done(ROUND, 16, 16, now);
        }
        assert!(waits > 10, "{waits} waits");
        assert!(rhythm.wait(16, now).is_some());
    }

    #[test]
    fn before_a_short_round_nobody_waits_and_a_round_that_hung_counts_for_little() {
        let now = Instant::now();
        let mut rhythm = Rhythm::default();
        rhythm.done(SHORTEST / 2, 16, 16, now);
        assert!(rhythm.wait(16, now).is_none());
        rhythm.done(Duration::from_secs(30), 16, 16, now);
        assert!(rhythm.wait(16, now).is_none());
    }

    #[test]
    fn nobody_waits_longer_than_5_ms_however_long_a_round_takes() {
        let (mut rhythm, now) = (Rhythm::default(), Instant::now());
        rhythm.done(Duration::from_secs(1), 2, 0, now);
        let mut wait = rhythm.wait(1, now).unwrap();
        assert_eq!(rhythm.go_on(&mut wait, 1, now), Some(now + LONGEST));
    }
}
