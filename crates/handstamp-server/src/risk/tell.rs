//! Findings as events that explain themselves.

use handstamp_core::event::{self, Event};
use handstamp_core::id::{SessionId, Subject};
use handstamp_core::record::{Client, Record};
use handstamp_core::{SessionError, SessionManager};
use serde_json::Value;

use super::{Action, Finding};

/// In the course of what something was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum During {
    SignIn,
    Refresh,
    Failure,
}

impl During {
    const ALL: [Self; 3] = [Self::SignIn, Self::Refresh, Self::Failure];

    const fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::Refresh => "refresh",
            Self::Failure => "failure",
        }
    }

    const fn verb(self) -> &'static str {
        match self {
            Self::SignIn => "signed in",
            Self::Refresh => "refreshed",
            Self::Failure => "failed to sign in",
        }
    }
}

/// What the events of one look at the rules have in common.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) sessions: &'a SessionManager,
    pub(super) during: During,
    pub(super) subject: Option<&'a Subject>,
    pub(super) session: Option<SessionId>,
    pub(super) client: &'a Client,
}

impl<'a> Scene<'a> {
    /// A look at the session of `record`, as `client` uses it.
    pub(super) fn of(
        sessions: &'a SessionManager,
        record: &'a Record,
        client: &'a Client,
        during: During,
    ) -> Self {
        Self {
            sessions,
            during,
            subject: record.subject.as_ref(),
            session: Some(record.id),
            client,
        }
    }

    /// An event of `action` in this scene.
    pub(super) fn event(&self, action: event::Action) -> Result<Event, SessionError> {
        let mut event = self.sessions.event(action, self.client)?;
        event.subject = self.subject.cloned();
        event.session = self.session;
        event.is_success = self.during != During::Failure;
        Ok(event)
    }

    /// The event `risk.` and the rule's name, with the reasons and what is done about it.
    pub(super) fn finding(&self, finding: &Finding, action: Action) -> Result<Event, SessionError> {
        let rule = finding.rule;
        let mut event = self.event(event::Action::Risk(rule.as_str().into()))?;
        event.details.clone_from(&finding.reasons);
        for (name, value) in [
            ("severity", rule.severity().as_str()),
            ("action", action.as_str()),
            ("during", self.during.as_str()),
            ("explanation", &finding.words),
        ] {
            event.details.insert(name.into(), value.into());
        }
        Ok(event)
    }
}

/// What an event `risk.…` tells, in one line for people: "signed in from FR, 1,900 km from the last
/// place, 25 minutes later". `None` for an event of another kind.
///
/// The country is told while the event's personal part is there, and left out once that has been
/// erased.
pub fn explain(event: &Event) -> Option<String> {
    let event::Action::Risk(_) = &event.action else { return None };
    let detail = |name: &str| event.details.get(name).and_then(Value::as_str);
    let words = detail("explanation")?;
    let during =
        During::ALL.into_iter().find(|during| detail("during") == Some(during.as_str()))?;
    let location = event.personal.as_ref().and_then(|personal| personal.client.location.as_ref());
    let verb = during.verb();
    Some(match location.and_then(|location| location.country.as_ref()) {
        Some(country) => format!("{verb} from {country}, {words}"),
        None => format!("{verb}, {words}"),
    })
}
