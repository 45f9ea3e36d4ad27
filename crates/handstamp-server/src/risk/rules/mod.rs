//! The rules: small pure functions of what happened and what is known.
//!
//! Each looks at one thing and is silent when it does not know: no device, no place, no earlier
//! sign-in. More of what makes a finding never takes it away.

mod brute_force;
mod device;
mod place;
#[cfg(test)]
mod tests;

use super::{BeginSignal, FailureSignal, Finding, History, RefreshSignal, RiskConfig};
pub use brute_force::{many_failures, many_subjects};
pub use device::{new_device, user_agent_change};
pub use place::{Journey, impossible_travel, new_country};

/// What the rules find in a sign-in.
pub fn on_begin(signal: &BeginSignal<'_>, history: &History, config: &RiskConfig) -> Vec<Finding> {
    let is_stranger = signal.source.is_some_and(|source| !history.knows_source(source));
    let by_address = if is_stranger { signal.tally.by_address } else { 0 };
    let subjects = if is_stranger { signal.tally.subjects } else { 0 };
    asked(
        config,
        [
            new_device(signal, history),
            new_country(signal, history),
            Journey::of_begin(signal, history)
                .and_then(|journey| impossible_travel(&journey, config)),
            many_failures(signal.tally.by_subject, by_address, config).map(after),
            many_subjects(subjects, config),
        ],
    )
}

/// What the rules find in a refresh.
pub fn on_refresh(signal: &RefreshSignal<'_>, config: &RiskConfig) -> Vec<Finding> {
    asked(
        config,
        [
            user_agent_change(signal),
            Journey::of_refresh(signal).and_then(|journey| impossible_travel(&journey, config)),
        ],
    )
}

/// What the rules find in a sign-in that failed. Each level is told of once: at the threshold, and
/// whenever what is counted has doubled.
pub fn on_failure(signal: &FailureSignal, config: &RiskConfig) -> Vec<Finding> {
    let told = |is_new: bool, count: u32| if is_new { count } else { 0 };
    let by_subject = told(signal.is_new_by_subject, signal.tally.by_subject);
    let by_address = told(signal.is_new_by_address, signal.tally.by_address);
    let subjects = told(signal.is_new_by_subjects, signal.tally.subjects);
    asked(config, [many_failures(by_subject, by_address, config), many_subjects(subjects, config)])
}

fn asked<const N: usize>(config: &RiskConfig, found: [Option<Finding>; N]) -> Vec<Finding> {
    found.into_iter().flatten().filter(|finding| config.asks(finding.rule)).collect()
}

fn after(mut failures: Finding) -> Finding {
    failures.words.insert_str(0, "after ");
    failures
}
