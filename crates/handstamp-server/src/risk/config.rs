//! The settings of the rules.

use std::time::Duration;

use super::{Action, Rule};
use crate::settings::{self, Rate};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// The most subjects that are told apart for one address.
pub(super) const MAX_SUBJECTS: u32 = 64;

/// What each rule does, and when it speaks.
///
/// Every action is [`Action::Notify`] by default: no rule signs anybody out, or asks more of them,
/// before an operator has said so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RiskConfig {
    /// About a sign-in on a device not seen before. Default notify.
    pub new_device: Action,
    /// About a sign-in from a country not seen before. Default notify. Needs a file of places.
    pub new_country: Action,
    /// About a sign-in or refresh too far from the last sign-in. Default notify. Needs a file of
    /// places that tells points.
    pub impossible_travel: Action,
    /// About a sign-in that followed many failures. Default notify. Where no session began there is
    /// none to stop: of failures alone an event tells, unless this is off.
    pub many_failures: Action,
    /// About a sign-in from an address that many subjects were tried from. Default notify. Of
    /// failures alone likewise.
    pub many_subjects: Action,
    /// About a refresh by another program than the one that signed in. Default notify.
    pub user_agent_change: Action,
    /// About a refresh token that came back. Default notify; what becomes of the session is the
    /// reuse policy's to say, and this can only be stricter.
    pub refresh_reuse: Action,
    /// How long a device or a country is known after a sign-in. Default 90 days, at least 1 day; no
    /// longer than the personal parts of the audit log are kept.
    pub remember: Duration,
    /// The speed that nobody travels at, in km/h. Default 900, at least 1.
    pub max_speed_kmh: u32,
    /// The distance below which nobody travels impossibly, in km, beyond what both places may be
    /// off: addresses are often known to a region only. Default 500.
    pub min_distance_km: u32,
    /// When failures of one subject are many. Default 5 within 15 minutes.
    pub failures_by_subject: Threshold,
    /// When failures from one address are many. Default 20 within 15 minutes.
    pub failures_by_address: Threshold,
    /// When subjects tried from one address are many. Default 10 within 1 hour; at most 64.
    pub subjects_by_address: Threshold,
    /// What is advised after failures.
    pub throttle: Throttle,
}

/// So many within such a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Threshold {
    /// From how many on; at least 1.
    pub count: u32,
    /// Within how long; 1 minute to 24 hours, kept to one sixteenth of it.
    pub window: Duration,
}

/// How long the next try of a subject is to wait, after how many failures without a success
/// between them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Throttle {
    /// So many failures cost no time. Default 3.
    pub free: u32,
    /// What the first one after those costs; each further one twice as much. Default 1 second, at
    /// least 1 second.
    pub first: Duration,
    /// What one costs at most. Default 15 minutes.
    pub most: Duration,
    /// After so many the next try is refused. Default 50, at most 50: those from addresses that
    /// the subject has signed in from are counted apart, and both together must stay within the
    /// 100 of NIST SP 800-63B-4 §3.2.2.
    pub block_after: u32,
    /// For how long from the last failure. Default 24 hours.
    pub block_for: Duration,
}

impl Default for RiskConfig {
    fn default() -> Self {
        Self {
            new_device: Action::Notify,
            new_country: Action::Notify,
            impossible_travel: Action::Notify,
            many_failures: Action::Notify,
            many_subjects: Action::Notify,
            user_agent_change: Action::Notify,
            refresh_reuse: Action::Notify,
            remember: 90 * DAY,
            max_speed_kmh: 900,
            min_distance_km: 500,
            failures_by_subject: Threshold { count: 5, window: 15 * MINUTE },
            failures_by_address: Threshold { count: 20, window: 15 * MINUTE },
            subjects_by_address: Threshold { count: 10, window: HOUR },
            throttle: Throttle::default(),
        }
    }
}

impl Default for Throttle {
    fn default() -> Self {
        let (first, most) = (SECOND, 15 * MINUTE);
        Self { free: 3, first, most, block_after: 50, block_for: DAY }
    }
}

/// What `[risk]` in the settings of the service says.
impl From<&settings::Risk> for RiskConfig {
    fn from(risk: &settings::Risk) -> Self {
        let threshold = |rate: Rate| Threshold { count: rate.count, window: rate.window };
        Self {
            new_device: risk.new_device,
            new_country: risk.new_country,
            impossible_travel: risk.impossible_travel,
            many_failures: risk.many_failures,
            many_subjects: risk.many_subjects,
            user_agent_change: risk.user_agent_change,
            refresh_reuse: risk.refresh_reuse,
            remember: risk.remember,
            max_speed_kmh: risk.max_speed,
            min_distance_km: risk.min_distance,
            failures_by_subject: threshold(risk.failures_by_subject),
            failures_by_address: threshold(risk.failures_by_address),
            subjects_by_address: threshold(risk.subjects_by_address),
            throttle: Throttle {
                free: risk.free_failures,
                first: risk.first_delay,
                most: risk.longest_delay,
                block_after: risk.block_after,
                block_for: risk.block,
            },
        }
    }
}

/// A setting of the rules is out of its range.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{setting} must be {must}")]
pub struct RiskConfigError {
    /// Which setting, by its key in `[risk]`.
    pub setting: &'static str,
    /// What it must be.
    pub must: &'static str,
}

impl RiskConfig {
    /// What is done about a finding of `rule`.
    pub const fn action(&self, rule: Rule) -> Action {
        match rule {
            Rule::NewDevice => self.new_device,
            Rule::NewCountry => self.new_country,
            Rule::ImpossibleTravel => self.impossible_travel,
            Rule::ManyFailures => self.many_failures,
            Rule::ManySubjects => self.many_subjects,
            Rule::UserAgentChange => self.user_agent_change,
            Rule::RefreshReuse => self.refresh_reuse,
        }
    }

    /// Whether `rule` is asked at all.
    pub(super) fn asks(&self, rule: Rule) -> bool {
        self.action(rule) != Action::Off
    }

    /// Whether every setting is within its range.
    ///
    /// # Errors
    /// [`RiskConfigError`] for the first that is not.
    pub fn check(&self) -> Result<(), RiskConfigError> {
        let check = |setting, must, is_good: bool| {
            if is_good { Ok(()) } else { Err(RiskConfigError { setting, must }) }
        };
        check("remember_days", "at least 1 day", self.remember >= DAY)?;
        check("max_speed_kmh", "at least 1", self.max_speed_kmh >= 1)?;
        for (setting, threshold) in [
            ("failures_by_subject", self.failures_by_subject),
            ("failures_by_address", self.failures_by_address),
            ("subjects_by_address", self.subjects_by_address),
        ] {
            let is_apart = (MINUTE..=DAY).contains(&threshold.window);
            check(setting, "within 1 minute to 24 hours", is_apart)?;
            check(setting, "at least 1", threshold.count >= 1)?;
        }
        let subjects = self.subjects_by_address.count;
        check("subjects_by_address", "at most 64", subjects <= MAX_SUBJECTS)?;
        let Throttle { first, most, block_after, .. } = self.throttle;
        check("first_delay_seconds", "at least 1 second", first >= SECOND)?;
        check("longest_delay_seconds", "at least risk.first_delay_seconds", most >= first)?;
        check("block_after", "1 to 50", (1..=50).contains(&block_after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b11_the_defaults_are_within_their_ranges_and_sign_nobody_out() {
        let config = RiskConfig::default();
        assert_eq!(config.check(), Ok(()));
        assert!(Rule::ALL.iter().all(|rule| config.action(*rule) == Action::Notify));
    }

    #[test]
    fn b11_the_defaults_of_the_settings_are_the_defaults_of_the_rules() {
        let loaded = settings::load(&settings::Inputs::new()).unwrap();
        assert_eq!(RiskConfig::from(&loaded.settings.risk), RiskConfig::default());
    }

    #[test]
    fn what_is_out_of_range_is_refused_by_name() {
        let refused = |change: fn(&mut RiskConfig)| {
            let mut config = RiskConfig::default();
            change(&mut config);
            config.check().unwrap_err().setting
        };
        assert_eq!(refused(|it| it.remember = HOUR), "remember_days");
        assert_eq!(refused(|it| it.max_speed_kmh = 0), "max_speed_kmh");
        assert_eq!(refused(|it| it.failures_by_subject.window = SECOND), "failures_by_subject");
        assert_eq!(refused(|it| it.failures_by_address.count = 0), "failures_by_address");
        assert_eq!(refused(|it| it.subjects_by_address.count = 65), "subjects_by_address");
        assert_eq!(refused(|it| it.throttle.first = Duration::ZERO), "first_delay_seconds");
        assert_eq!(refused(|it| it.throttle.most = Duration::ZERO), "longest_delay_seconds");
        assert_eq!(refused(|it| it.throttle.block_after = 51), "block_after");
    }

    #[test]
    fn s94_no_subject_has_more_than_a_hundred_failures_in_a_row() {
        let mut config = RiskConfig::default();
        let most = (0..200).filter(|count| {
            config.throttle.block_after = *count;
            config.check().is_ok()
        });
        assert!(most.max().is_some_and(|most| 2 * most <= 100));
    }
}
