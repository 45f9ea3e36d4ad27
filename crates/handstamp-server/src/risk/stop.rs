//! What is done to a session for what was found out about it.

use handstamp_core::event::Event;
use handstamp_core::id::SessionId;
use handstamp_core::record::EndReason;
use handstamp_core::sign_in::{SignIn, Suspension};
use handstamp_core::{SessionError, SessionManager};

use super::{ACTOR, Action, Rule, STEP_UP};

/// How a rule stops a session.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stop {
    Suspend(Suspension),
    End(Rule),
}

impl Stop {
    /// What `action` comes to for `rule`; `None` where it lets the session go on.
    pub(super) fn of(action: Action, rule: Rule) -> Option<Self> {
        match action {
            Action::Off | Action::Notify => None,
            Action::StepUp => Some(Self::Suspend(suspension(STEP_UP, true))),
            Action::Suspend => Some(Self::Suspend(suspension(rule.as_str(), false))),
            Action::End => Some(Self::End(rule)),
        }
    }

    /// The sign-in whose session begins stopped. One that is to end begins set aside: it is dead
    /// from the start, and [`end`](Self::end) says for ever.
    pub(super) fn before(&self, sign_in: SignIn) -> SignIn {
        match self {
            Self::Suspend(suspension) => sign_in.suspended(suspension.clone()),
            Self::End(rule) => sign_in.suspended(suspension(rule.as_str(), false)),
        }
    }

    /// Ends a session that was begun to be ended.
    pub(super) async fn end(
        &self,
        sessions: &SessionManager,
        id: SessionId,
    ) -> Result<(), SessionError> {
        match self {
            Self::Suspend(_) => Ok(()),
            Self::End(_) => sessions.end(id, EndReason::Admin, Some(ACTOR)).await.map(drop),
        }
    }

    /// Stops a session and tells `events` in the same commit; answers whether it did. A session
    /// that has ended, or was set aside already, stays so.
    pub(super) async fn carry_out(
        &self,
        sessions: &SessionManager,
        id: SessionId,
        events: &[Event],
    ) -> Result<bool, SessionError> {
        let events = events.to_vec();
        let done = match self {
            Self::Suspend(suspension) => {
                sessions.suspend_telling(id, suspension.clone(), events).await.map(|()| true)
            }
            Self::End(_) => sessions.end_telling(id, EndReason::Admin, Some(ACTOR), events).await,
        };
        match done {
            Err(
                SessionError::NotFound
                | SessionError::Ended { .. }
                | SessionError::Expired { .. }
                | SessionError::Suspended,
            ) => Ok(false),
            done => done,
        }
    }
}

fn suspension(why: &str, is_until_step_up: bool) -> Suspension {
    Suspension { by: Some(ACTOR.into()), why: Some(why.into()), is_until_step_up }
}
