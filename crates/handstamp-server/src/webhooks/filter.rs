//! Which events a webhook is told of.

use handstamp_core::event::Action;
use serde::{Deserialize, Serialize};

/// How many names a filter may have.
const MOST: usize = 50;

/// The families of names that end in something of somebody's own.
const OPEN: [&str; 2] = ["risk.", "admin."];

/// Names of events, and beginnings of names that end in `*`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct EventNames(Vec<String>);

impl EventNames {
    /// Takes what somebody asked for; nothing asked for is everything.
    ///
    /// # Errors
    /// A name that no event ever has, in words.
    pub(super) fn parse(names: Option<Vec<String>>) -> Result<Self, String> {
        let names = names.unwrap_or_else(|| vec!["*".to_owned()]);
        if names.is_empty() || names.len() > MOST {
            return Err(format!("1 to {MOST} names"));
        }
        match names.iter().find(|name| !can_match(name)) {
            Some(name) => Err(format!("{name:?} is no event, and no beginning of one with a *")),
            None => Ok(Self(names)),
        }
    }

    /// Whether an event of this name is one of them.
    pub(super) fn accept(&self, name: &str) -> bool {
        self.0.iter().any(|wanted| match wanted.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == wanted,
        })
    }

    /// As they were asked for.
    pub(super) fn to_vec(&self) -> Vec<String> {
        self.0.clone()
    }
}

fn can_match(name: &str) -> bool {
    match name.strip_suffix('*') {
        Some(beginning) => {
            let is_open = OPEN.iter().any(|family| beginning.starts_with(family));
            let mut known = Action::names().chain(OPEN);
            is_open || known.any(|known| known.starts_with(beginning))
        }
        None => name.parse::<Action>().is_ok() && !OPEN.contains(&name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Result<EventNames, String> {
        EventNames::parse(Some(names.iter().map(|name| (*name).to_owned()).collect()))
    }

    #[test]
    fn b12_a_filter_takes_names_and_beginnings() {
        let filter = names(&["session.ended", "risk.*"]).unwrap();
        assert!(filter.accept("session.ended"));
        assert!(filter.accept("risk.new_country"));
        assert!(!filter.accept("session.started"));
        assert!(!filter.accept("session.ended.twice"));
        assert!(!filter.accept("risk"));
        assert!(EventNames::parse(None).unwrap().accept("anything.at_all"));
    }

    #[test]
    fn a_name_that_no_event_has_is_refused() {
        for good in ["session.ended", "step_up", "risk.x", "admin.y", "*", "s*", "risk.new_*"] {
            assert!(names(&[good]).is_ok(), "{good}");
        }
        for bad in ["", "session", "sesion.*", "session.dreamt", "risk.", "*.ended", "a*b"] {
            assert!(names(&[bad]).unwrap_err().contains(bad), "{bad}");
        }
        assert!(names(&[]).is_err());
        assert!(names(&["*"; 51]).is_err());
    }
}
