//! Rules about trying until something fits.

use crate::risk::words::{counted, span};
use crate::risk::{Finding, RiskConfig, Rule, Threshold};

/// Many failed sign-ins, of one subject or from one address. Of both, the subject's are told.
pub fn many_failures(by_subject: u32, by_address: u32, config: &RiskConfig) -> Option<Finding> {
    let found = |by: &str, count: u32, threshold: Threshold| {
        (count >= threshold.count).then(|| {
            let words =
                format!("{} within {}", counted(count.into(), "failure"), span(threshold.window));
            let finding = Finding::new(Rule::ManyFailures, words).with("by", by);
            finding.with("failures", count).with("within_seconds", threshold.window.as_secs())
        })
    };
    found("subject", by_subject, config.failures_by_subject)
        .or_else(|| found("address", by_address, config.failures_by_address))
}

/// Many subjects tried from one address.
pub fn many_subjects(subjects: u32, config: &RiskConfig) -> Option<Finding> {
    let Threshold { count, window } = config.subjects_by_address;
    if subjects < count {
        return None;
    }
    let accounts = counted(subjects.into(), "account");
    let words = format!("where {accounts} were tried within {}", span(window));
    let finding = Finding::new(Rule::ManySubjects, words);
    Some(finding.with("subjects", subjects).with("within_seconds", window.as_secs()))
}
