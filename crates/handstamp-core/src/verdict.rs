//! The verdict on a presented token whose proof is valid: which generation it is, and what
//! follows. Pure functions over a record's lineage.
//!
//! | presented | refresh token | cookie |
//! |---|---|---|
//! | current | rotate | good |
//! | previous, successor not yet seen | the same successor again, within grace or by attempt id | good, successor sent again |
//! | previous, successor seen, within grace | refused, nothing ends | good, nothing sent |
//! | the same later, by the attempt id of the successor | refused, nothing ends | |
//! | superseded by a privilege change | refused; within grace nothing ends | refused, nothing sent |
//! | older | reuse | refused; ends only by policy |
//! | ahead of the store | refused, alarm | refused, alarm |
//!
//! An access token has no proof of its own here: its signature was checked. It is good from the
//! latest privilege change on ([`judge_access`]).

use std::time::Duration;

use crate::record::Lineage;
use crate::time::Timestamp;

/// How long after a rotation the token before it is met with patience: 30 seconds. A documented
/// deviation from OWASP ASVS 10.4.5, without which two tabs sign each other out.
pub const GRACE: Duration = Duration::from_secs(30);

/// How long the same attempt id is answered with the same successor: 1 hour.
pub const RETRY_WINDOW: Duration = Duration::from_secs(3600);

/// How often the same attempt id is answered beyond the grace: 20 times.
pub const RETRY_LIMIT: u8 = 20;

/// What the generation of a token says, beside the record's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Age {
    Current,
    Previous {
        is_recent: bool,
    },
    Superseded {
        is_recent: bool,
    },
    Older,
    Ahead,
    /// The right generation under a key that did not make it.
    Foreign,
}

fn age(lineage: &Lineage, generation: u32, key_id: u8, grace: Duration, now: Timestamp) -> Age {
    let is_within = |since: Timestamp| now.since(since) <= grace && !grace.is_zero();
    if generation > lineage.generation {
        return Age::Ahead;
    }
    if generation == lineage.generation {
        return if key_id == lineage.key_id { Age::Current } else { Age::Foreign };
    }
    if generation < lineage.privilege_generation {
        return Age::Superseded { is_recent: is_within(lineage.privilege_at) };
    }
    if generation + 1 < lineage.generation {
        return Age::Older;
    }
    if key_id == lineage.previous_key_id {
        Age::Previous { is_recent: is_within(lineage.rotated_at) }
    } else {
        Age::Foreign
    }
}

/// The verdict on a session cookie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CookieVerdict {
    /// Good. The first sight of a generation is worth noting.
    Good {
        /// Whether this is the first time the current generation is presented.
        is_first_sight: bool,
    },
    /// Good; the successor has not been seen, so it is sent again.
    GoodResend,
    /// Good; a request that was under way when the successor came.
    GoodStale,
    /// Refused: a privilege change superseded it. No cookie is set.
    Superseded {
        /// Within the grace: nothing to tell of.
        is_recent: bool,
    },
    /// Refused: older than that. An event; the session ends only by policy.
    Older,
    /// Refused: the store has been restored from the past. An alarm.
    Ahead,
    /// Refused as forged: another key made it.
    Foreign,
}

/// Judges a cookie of `generation` made with `key_id`.
pub fn judge_cookie(
    lineage: &Lineage,
    generation: u32,
    key_id: u8,
    now: Timestamp,
) -> CookieVerdict {
    // Two requests may still carry the cookie whose successor one of them has just shown.
    let is_just_seen = now.since(lineage.seen_at) <= GRACE;
    match age(lineage, generation, key_id, GRACE, now) {
        Age::Current => CookieVerdict::Good { is_first_sight: !lineage.is_seen },
        Age::Previous { .. } if !lineage.is_seen => CookieVerdict::GoodResend,
        Age::Previous { is_recent } if is_recent || is_just_seen => CookieVerdict::GoodStale,
        Age::Superseded { is_recent } => CookieVerdict::Superseded { is_recent },
        Age::Previous { .. } | Age::Older => CookieVerdict::Older,
        Age::Ahead => CookieVerdict::Ahead,
        Age::Foreign => CookieVerdict::Foreign,
    }
}

/// The verdict on a refresh token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RefreshVerdict {
    /// Rotate, answer with the successor.
    Rotate,
    /// The successor is there already: answer with it, a request of the same moment.
    Concurrent,
    /// The same attempt asks again: answer with the same successor.
    Retried {
        /// Beyond the grace, so this answer counts against the limit.
        is_counted: bool,
    },
    /// Refused, nothing ends, nothing is deleted.
    Stale,
    /// A superseded token came back: the session ends, or is suspended, by policy.
    Reuse,
    /// Refused: the store has been restored from the past. An alarm.
    Ahead,
    /// Refused as forged: another key made it.
    Foreign,
}

/// Judges a refresh token of `generation` made with `key_id`, presented with the hash of an
/// `attempt` id or without one.
pub fn judge_refresh(
    lineage: &Lineage,
    generation: u32,
    key_id: u8,
    attempt: Option<&[u8; 32]>,
    grace: Duration,
    now: Timestamp,
) -> RefreshVerdict {
    match age(lineage, generation, key_id, grace, now) {
        Age::Current => RefreshVerdict::Rotate,
        Age::Previous { is_recent } if !lineage.is_seen => {
            judge_unseen(lineage, attempt, is_recent, now)
        }
        // An attempt that was answered and used may have been asked twice: the slower asking
        // comes from who holds the attempt id, which no thief of a token does.
        Age::Previous { .. } if is_same_attempt(lineage, attempt, now) => RefreshVerdict::Stale,
        Age::Previous { is_recent: true } | Age::Superseded { is_recent: true } => {
            RefreshVerdict::Stale
        }
        Age::Previous { .. } | Age::Superseded { .. } | Age::Older => RefreshVerdict::Reuse,
        Age::Ahead => RefreshVerdict::Ahead,
        Age::Foreign => RefreshVerdict::Foreign,
    }
}

/// The token before the current one, whose successor nobody has shown yet.
fn judge_unseen(
    lineage: &Lineage,
    attempt: Option<&[u8; 32]>,
    is_recent: bool,
    now: Timestamp,
) -> RefreshVerdict {
    match (is_same_attempt(lineage, attempt, now), is_recent) {
        (true, true) => RefreshVerdict::Retried { is_counted: false },
        (true, false) if lineage.retries < RETRY_LIMIT => {
            RefreshVerdict::Retried { is_counted: true }
        }
        (false, true) => RefreshVerdict::Concurrent,
        _ => RefreshVerdict::Reuse,
    }
}

/// Whether `attempt` is what made the current generation, not longer ago than the retry window.
fn is_same_attempt(lineage: &Lineage, attempt: Option<&[u8; 32]>, now: Timestamp) -> bool {
    let is_same = attempt.is_some() && attempt == lineage.attempt.as_ref();
    is_same && now.since(lineage.rotated_at) <= RETRY_WINDOW
}

/// The verdict on an access token that was minted with some generation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccessVerdict {
    /// Good. The first sight of a generation is worth noting.
    Good {
        /// Whether this is the first time that the current generation is presented.
        is_first_sight: bool,
    },
    /// Refused: a privilege change superseded it.
    Superseded,
    /// Refused: the store has been restored from the past. An alarm.
    Ahead,
}

/// Judges an access token that was minted with `generation`. A routine rotation does not supersede
/// one: it has a short life of its own.
pub const fn judge_access(lineage: &Lineage, generation: u32) -> AccessVerdict {
    if generation > lineage.generation {
        AccessVerdict::Ahead
    } else if generation < lineage.privilege_generation {
        AccessVerdict::Superseded
    } else {
        let is_first_sight = generation == lineage.generation && !lineage.is_seen;
        AccessVerdict::Good { is_first_sight }
    }
}

/// What bumps the generation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rotation {
    /// A refresh, the age of a cookie, or a new key: the token before is met with patience.
    Routine,
    /// A privilege change: every token before is dead at once.
    Privilege,
}

impl Lineage {
    /// The lineage of a session that begins now, with no token presented yet.
    pub(crate) const fn begin(salt: [u8; 16], key_id: u8, now: Timestamp) -> Self {
        Self {
            salt,
            generation: 1,
            key_id,
            previous_key_id: key_id,
            rotated_at: now,
            is_seen: true,
            seen_at: now,
            privilege_generation: 1,
            privilege_at: now,
            attempt: None,
            retries: 0,
        }
    }

    /// Whether no request can still be under way with the token before the current one: it has
    /// none, or the current one was first seen longer ago than the grace. Two rotations within the
    /// grace would refuse that request.
    pub(crate) fn is_settled(&self, now: Timestamp) -> bool {
        self.generation == 1 || (self.is_seen && now.since(self.seen_at) > GRACE)
    }

    /// Moves to the next generation.
    pub(crate) fn rotate(
        &mut self,
        rotation: Rotation,
        key_id: u8,
        attempt: Option<[u8; 32]>,
        now: Timestamp,
    ) {
        self.generation += 1;
        self.previous_key_id = self.key_id;
        self.key_id = key_id;
        self.rotated_at = now;
        self.is_seen = false;
        self.attempt = attempt;
        self.retries = 0;
        if rotation == Rotation::Privilege {
            self.privilege_generation = self.generation;
            self.privilege_at = now;
        }
    }
}

#[cfg(test)]
mod model;

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_millis(1_000_000);
    const ATTEMPT: [u8; 32] = [7; 32];

    fn after(seconds: u64) -> Timestamp {
        AT.plus(Duration::from_secs(seconds))
    }

    /// Three generations in: 1 and 2 by routine, 3 current since `AT`.
    fn lineage(is_seen: bool) -> Lineage {
        let mut lineage = Lineage::begin([0; 16], 1, Timestamp::from_millis(0));
        lineage.rotate(Rotation::Routine, 1, None, Timestamp::from_millis(10));
        lineage.rotate(Rotation::Routine, 1, Some(ATTEMPT), AT);
        (lineage.is_seen, lineage.seen_at) = (is_seen, AT);
        lineage
    }

    fn privileged() -> Lineage {
        let mut lineage = lineage(true);
        lineage.rotate(Rotation::Privilege, 1, None, AT);
        lineage
    }

    fn refresh(lineage: &Lineage, generation: u32, now: Timestamp) -> RefreshVerdict {
        judge_refresh(lineage, generation, 1, None, GRACE, now)
    }

    fn retry(lineage: &Lineage, now: Timestamp) -> RefreshVerdict {
        judge_refresh(lineage, 2, 1, Some(&ATTEMPT), GRACE, now)
    }

    fn cookie(lineage: &Lineage, generation: u32, now: Timestamp) -> CookieVerdict {
        judge_cookie(lineage, generation, 1, now)
    }

    #[test]
    fn refresh_current_rotates() {
        assert_eq!(refresh(&lineage(true), 3, after(0)), RefreshVerdict::Rotate);
        assert_eq!(refresh(&lineage(false), 3, after(90_000)), RefreshVerdict::Rotate);
    }

    #[test]
    fn refresh_previous_unseen_gets_the_same_successor_within_grace() {
        assert_eq!(refresh(&lineage(false), 2, after(0)), RefreshVerdict::Concurrent);
        assert_eq!(refresh(&lineage(false), 2, after(30)), RefreshVerdict::Concurrent);
        assert_eq!(refresh(&lineage(false), 2, after(31)), RefreshVerdict::Reuse);
    }

    #[test]
    fn refresh_previous_unseen_with_the_same_attempt_gets_it_within_an_hour_20_times() {
        let mut lineage = lineage(false);
        let counted = |is_counted| RefreshVerdict::Retried { is_counted };
        assert_eq!(retry(&lineage, after(30)), counted(false));
        assert_eq!(retry(&lineage, after(31)), counted(true));
        assert_eq!(retry(&lineage, after(3600)), counted(true));
        assert_eq!(retry(&lineage, after(3601)), RefreshVerdict::Reuse);
        lineage.retries = RETRY_LIMIT - 1;
        assert_eq!(retry(&lineage, after(31)), counted(true));
        lineage.retries = RETRY_LIMIT;
        assert_eq!(retry(&lineage, after(31)), RefreshVerdict::Reuse);
    }

    #[test]
    fn refresh_previous_unseen_with_another_attempt_is_reuse_beyond_grace() {
        let other = judge_refresh(&lineage(false), 2, 1, Some(&[8; 32]), GRACE, after(31));
        assert_eq!(other, RefreshVerdict::Reuse);
    }

    #[test]
    fn refresh_previous_seen_ends_nothing_within_grace_and_is_reuse_after() {
        assert_eq!(refresh(&lineage(true), 2, after(30)), RefreshVerdict::Stale);
        assert_eq!(refresh(&lineage(true), 2, after(31)), RefreshVerdict::Reuse);
    }

    #[test]
    fn refresh_previous_seen_with_the_same_attempt_ends_nothing_within_an_hour() {
        // A retry that was overtaken by the next one, whose answer came and was used.
        assert_eq!(retry(&lineage(true), after(31)), RefreshVerdict::Stale);
        assert_eq!(retry(&lineage(true), after(3600)), RefreshVerdict::Stale);
        assert_eq!(retry(&lineage(true), after(3601)), RefreshVerdict::Reuse);
        let other = judge_refresh(&lineage(true), 2, 1, Some(&[8; 32]), GRACE, after(31));
        assert_eq!(other, RefreshVerdict::Reuse);
    }

    #[test]
    fn refresh_superseded_by_privilege_ends_nothing_within_grace_and_is_reuse_after() {
        for generation in 1..=3 {
            assert_eq!(refresh(&privileged(), generation, after(30)), RefreshVerdict::Stale);
            assert_eq!(refresh(&privileged(), generation, after(31)), RefreshVerdict::Reuse);
        }
    }

    #[test]
    fn refresh_older_is_reuse_at_once() {
        assert_eq!(refresh(&lineage(false), 1, after(0)), RefreshVerdict::Reuse);
        assert_eq!(refresh(&lineage(true), 1, after(0)), RefreshVerdict::Reuse);
    }

    #[test]
    fn refresh_ahead_of_the_store_is_an_alarm() {
        assert_eq!(refresh(&lineage(true), 4, after(0)), RefreshVerdict::Ahead);
    }

    #[test]
    fn refresh_in_strict_mode_has_no_grace() {
        let strict =
            |lineage: &Lineage| judge_refresh(lineage, 2, 1, None, Duration::ZERO, after(0));
        assert_eq!(strict(&lineage(false)), RefreshVerdict::Reuse);
        assert_eq!(strict(&lineage(true)), RefreshVerdict::Reuse);
    }

    #[test]
    fn cookie_current_is_good() {
        let good = |is_first_sight| CookieVerdict::Good { is_first_sight };
        assert_eq!(cookie(&lineage(true), 3, after(90_000)), good(false));
        assert_eq!(cookie(&lineage(false), 3, after(0)), good(true));
    }

    #[test]
    fn cookie_previous_unseen_is_good_and_the_successor_is_sent_again() {
        assert_eq!(cookie(&lineage(false), 2, after(0)), CookieVerdict::GoodResend);
        assert_eq!(cookie(&lineage(false), 2, after(90_000)), CookieVerdict::GoodResend);
    }

    #[test]
    fn cookie_previous_seen_is_good_without_a_cookie_within_grace_and_older_after() {
        assert_eq!(cookie(&lineage(true), 2, after(30)), CookieVerdict::GoodStale);
        assert_eq!(cookie(&lineage(true), 2, after(31)), CookieVerdict::Older);
    }

    #[test]
    fn cookie_previous_is_good_for_the_grace_after_its_successor_was_first_shown() {
        let mut lineage = lineage(false);
        (lineage.is_seen, lineage.seen_at) = (true, after(3_600));
        assert_eq!(cookie(&lineage, 2, after(3_630)), CookieVerdict::GoodStale);
        assert_eq!(cookie(&lineage, 2, after(3_631)), CookieVerdict::Older);
    }

    #[test]
    fn cookie_superseded_by_privilege_is_refused_at_once() {
        let superseded = |is_recent| CookieVerdict::Superseded { is_recent };
        for generation in 1..=3 {
            assert_eq!(cookie(&privileged(), generation, after(0)), superseded(true));
            assert_eq!(cookie(&privileged(), generation, after(31)), superseded(false));
        }
    }

    #[test]
    fn cookie_older_is_refused() {
        assert_eq!(cookie(&lineage(false), 1, after(0)), CookieVerdict::Older);
    }

    #[test]
    fn cookie_ahead_of_the_store_is_an_alarm() {
        assert_eq!(cookie(&lineage(true), 4, after(0)), CookieVerdict::Ahead);
    }

    #[test]
    fn an_access_token_outlives_routine_rotations_and_no_privilege_change() {
        let good = |is_first_sight| AccessVerdict::Good { is_first_sight };
        let mut lineage = lineage(false);
        for (generation, verdict) in
            [(1, good(false)), (2, good(false)), (3, good(true)), (4, AccessVerdict::Ahead)]
        {
            assert_eq!(judge_access(&lineage, generation), verdict, "{generation}");
        }
        lineage.rotate(Rotation::Privilege, 1, None, AT);
        assert_eq!(judge_access(&lineage, 3), AccessVerdict::Superseded);
        assert_eq!(judge_access(&lineage, 4), good(true));
    }

    #[test]
    fn only_the_pair_of_generation_and_key_that_was_issued_verifies() {
        let mut lineage = lineage(true);
        lineage.rotate(Rotation::Routine, 2, None, AT);
        assert_eq!(judge_cookie(&lineage, 4, 1, after(0)), CookieVerdict::Foreign);
        assert_eq!(judge_cookie(&lineage, 3, 2, after(0)), CookieVerdict::Foreign);
        assert_eq!(judge_cookie(&lineage, 3, 1, after(0)), CookieVerdict::GoodResend);
        assert_eq!(judge_refresh(&lineage, 4, 1, None, GRACE, after(0)), RefreshVerdict::Foreign);
    }
}
