//! How long the next try to sign in is to wait.
//!
//! Advice is about new sign-ins and nothing else: a live session is never asked about failures, so
//! nobody can be signed out, or kept out of a session they have, by somebody who types wrong
//! passwords (OWASP ASVS 6.1.1, 6.3.1).

use std::time::Duration;

use super::{RiskConfig, Throttle};

/// How many times the threshold of an address its next try is refused from.
const BLOCK_FACTOR: u32 = 5;

/// What an application should do about the next try. Of two, the greater is the stricter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Advice {
    /// Let it come.
    Allow,
    /// Let it wait so long.
    Delay(Duration),
    /// Refuse it for so long.
    Block(Duration),
}

impl Advice {
    /// How long until the next try may come; zero when it may come at once.
    pub const fn retry_after(self) -> Duration {
        match self {
            Self::Allow => Duration::ZERO,
            Self::Delay(wait) | Self::Block(wait) => wait,
        }
    }
}

/// After `run` failures of a subject or name since the last success, the last one `age` ago.
pub(super) fn for_subject(run: u32, age: Duration, throttle: &Throttle) -> Advice {
    let blocked = throttle.block_for.saturating_sub(age);
    if run >= throttle.block_after && !blocked.is_zero() {
        return Advice::Block(blocked);
    }
    delayed(throttle.cost(run), age)
}

/// After `count` failures from one source within the window, the last one `age` ago.
pub(super) fn for_source(count: u32, age: Duration, config: &RiskConfig) -> Advice {
    let threshold = config.failures_by_address;
    let blocked = threshold.window.saturating_sub(age);
    if count >= threshold.count.saturating_mul(BLOCK_FACTOR) && !blocked.is_zero() {
        return Advice::Block(blocked);
    }
    let beyond = count.saturating_add(1).saturating_sub(threshold.count);
    let cost = if beyond == 0 { Duration::ZERO } else { config.throttle.doubled(beyond) };
    delayed(cost, age)
}

fn delayed(cost: Duration, age: Duration) -> Advice {
    let wait = cost.saturating_sub(age);
    if wait.is_zero() { Advice::Allow } else { Advice::Delay(wait) }
}

impl Throttle {
    /// What the failure of number `run` costs.
    fn cost(&self, run: u32) -> Duration {
        if run <= self.free { Duration::ZERO } else { self.doubled(run - self.free) }
    }

    /// The first cost, doubled for each of `steps` after the first.
    fn doubled(&self, steps: u32) -> Duration {
        let factor = 1_u32.checked_shl(steps.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn b11_a_few_failures_cost_nothing_and_then_each_costs_twice_as_much() {
        let advised = |run| for_subject(run, NOW, &Throttle::default());
        assert_eq!(advised(0), Advice::Allow);
        assert_eq!(advised(3), Advice::Allow);
        assert_eq!(advised(4), Advice::Delay(seconds(1)));
        assert_eq!(advised(5), Advice::Delay(seconds(2)));
        assert_eq!(advised(10), Advice::Delay(seconds(64)));
        assert_eq!(advised(40), Advice::Delay(seconds(900)), "a quarter of an hour at most");
    }

    #[test]
    fn s94_a_subject_that_failed_too_often_is_blocked_for_a_day() {
        let throttle = Throttle::default();
        assert_eq!(for_subject(50, NOW, &throttle), Advice::Block(seconds(86_400)));
        assert_eq!(for_subject(u32::MAX, seconds(86_399), &throttle), Advice::Block(seconds(1)));
        assert_eq!(for_subject(50, seconds(86_400), &throttle), Advice::Allow);
    }

    #[test]
    fn b11_an_address_is_slowed_down_beyond_its_threshold_and_then_blocked() {
        let advised = |count| for_source(count, NOW, &RiskConfig::default());
        assert_eq!(advised(19), Advice::Allow);
        assert_eq!(advised(20), Advice::Delay(seconds(1)));
        assert_eq!(advised(21), Advice::Delay(seconds(2)));
        assert_eq!(advised(100), Advice::Block(seconds(900)));
        assert_eq!(for_source(100, seconds(900), &RiskConfig::default()), Advice::Allow);
    }

    #[test]
    fn b11_more_failures_are_never_better_and_more_time_is_never_worse() {
        let (throttle, config) = (Throttle::default(), RiskConfig::default());
        for count in 0..300 {
            for age in [0, 1, 2, 60, 899, 900, 86_399, 86_400].map(seconds) {
                let by_subject = |count, age| for_subject(count, age, &throttle);
                let by_source = |count, age| for_source(count, age, &config);
                assert!(by_subject(count, age) <= by_subject(count + 1, age));
                assert!(by_source(count, age) <= by_source(count + 1, age));
                assert!(by_subject(count, age) >= by_subject(count, age + seconds(1)));
                assert!(by_source(count, age) >= by_source(count, age + seconds(1)));
            }
        }
    }

    #[test]
    fn no_count_and_no_setting_overflows() {
        let huge = Throttle { first: Duration::MAX, most: Duration::MAX, ..Throttle::default() };
        for count in [0, 1, 31, 32, 33, u32::MAX - 1, u32::MAX] {
            let _ = (for_subject(count, NOW, &huge), huge.doubled(count));
            let _ = for_source(count, NOW, &RiskConfig::default());
        }
    }
}
