//! Rules about what somebody holds in their hands.

use crate::risk::{BeginSignal, Finding, History, RefreshSignal, Rule};

/// A sign-in on a device that the subject did not use before.
///
/// Silent for a first sign-in, and where either side does not tell its device.
pub fn new_device(signal: &BeginSignal<'_>, history: &History) -> Option<Finding> {
    let known = history.0.iter().filter(|seen| seen.device().is_known()).count();
    if known == 0 || !signal.device.is_known() || history.knows_device(signal.device) {
        return None;
    }
    Some(Finding::new(Rule::NewDevice, "on a device not seen before").with("known", known))
}

/// A refresh by another program than the one that signed in. Versions do not count, so an update
/// is silent.
pub fn user_agent_change(signal: &RefreshSignal<'_>) -> Option<Finding> {
    let (before, now) = (signal.device_before?, signal.device?);
    let words = "by another program than the one that signed in";
    (before != now).then(|| Finding::new(Rule::UserAgentChange, words))
}
