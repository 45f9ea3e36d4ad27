//! The rules by name, and what one of them found.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A rule of what is odd.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Rule {
    /// A subject signs in on a device that they did not use before.
    NewDevice,
    /// A subject signs in from a country that they did not sign in from before.
    NewCountry,
    /// Two sign-ins lie farther apart than anybody travels in the time between.
    ImpossibleTravel,
    /// Many sign-ins of one subject, or from one address, failed.
    ManyFailures,
    /// Many subjects were tried from one address.
    ManySubjects,
    /// A session goes on with another program than the one that began it.
    UserAgentChange,
    /// A refresh token came back after it had been exchanged.
    RefreshReuse,
}

impl Rule {
    /// Every rule, in the order of their declaration.
    pub const ALL: [Self; 7] = [
        Self::NewDevice,
        Self::NewCountry,
        Self::ImpossibleTravel,
        Self::ManyFailures,
        Self::ManySubjects,
        Self::UserAgentChange,
        Self::RefreshReuse,
    ];

    /// The name in settings, and in events behind `risk.`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NewDevice => "new_device",
            Self::NewCountry => "new_country",
            Self::ImpossibleTravel => "impossible_travel",
            Self::ManyFailures => "many_failures",
            Self::ManySubjects => "many_subjects",
            Self::UserAgentChange => "user_agent_change",
            Self::RefreshReuse => "refresh_reuse",
        }
    }

    /// How much it tells when it speaks.
    pub const fn severity(self) -> Severity {
        match self {
            Self::NewDevice => Severity::Low,
            Self::NewCountry | Self::ManyFailures | Self::UserAgentChange => Severity::Medium,
            Self::ImpossibleTravel | Self::ManySubjects | Self::RefreshReuse => Severity::High,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much a finding tells.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// Worth a line: it happens to everybody now and then.
    Low,
    /// Worth a look.
    Medium,
    /// Seldom innocent.
    High,
}

impl Severity {
    /// The name in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// What is done about a finding, from the mildest to the strictest. Of several findings the
/// strictest counts.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing: the rule is not asked.
    #[default]
    Off,
    /// An event tells of it, to the log, to webhooks and to whoever watches.
    Notify,
    /// The session is set aside until a fresh factor has been checked.
    StepUp,
    /// The session is set aside until an operator takes it back.
    Suspend,
    /// The session ends.
    End,
}

impl Action {
    /// Every action, from the mildest to the strictest.
    pub const ALL: [Self; 5] = [Self::Off, Self::Notify, Self::StepUp, Self::Suspend, Self::End];

    /// The name in settings and events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Notify => "notify",
            Self::StepUp => "step_up",
            Self::Suspend => "suspend",
            Self::End => "end",
        }
    }

    /// Whether the session does not go on: no token of it may be handed out.
    pub fn stops(self) -> bool {
        self >= Self::StepUp
    }
}

/// The text names no action.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("must be off, notify, step_up, suspend or end")]
pub struct ParseActionError;

impl FromStr for Action {
    type Err = ParseActionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|action| action.as_str() == text).ok_or(ParseActionError)
    }
}

/// What a rule found, with its reasons.
#[derive(Clone, PartialEq, Debug)]
pub struct Finding {
    /// Which rule.
    pub rule: Rule,
    /// The reasons as numbers, for the details of an event. Nothing personal is among them: the
    /// address, the device and the place go into the event's personal part, which can be erased.
    pub reasons: Map<String, Value>,
    /// The reasons in words that follow "signed in": `1,900 km from the last place, 25 minutes
    /// later`. Nothing personal either.
    pub words: String,
}

impl Finding {
    /// A finding of `rule` in these words.
    pub(super) fn new(rule: Rule, words: impl Into<String>) -> Self {
        Self { rule, reasons: Map::new(), words: words.into() }
    }

    /// The same with one more reason.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.reasons.insert(name.to_owned(), value.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b11_actions_are_ordered_from_off_to_end_and_read_back() {
        assert!(Action::ALL.is_sorted());
        for action in Action::ALL {
            assert_eq!(action.as_str().parse(), Ok(action));
            assert_eq!(serde_json::to_value(action).unwrap(), action.as_str());
        }
        assert_eq!("maybe".parse::<Action>(), Err(ParseActionError));
        let stopping: Vec<_> = Action::ALL.into_iter().filter(|action| action.stops()).collect();
        assert_eq!(stopping, [Action::StepUp, Action::Suspend, Action::End]);
    }

    #[test]
    fn b11_every_rule_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = Rule::ALL.map(Rule::as_str).into();
        assert_eq!(names.len(), Rule::ALL.len());
    }
}
