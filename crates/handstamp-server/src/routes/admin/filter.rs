//! The filters of lists, as the store takes them.

use handstamp_axum::problem::Problem;
use handstamp_core::event::Action;
use handstamp_core::id::Subject;
use handstamp_core::record::{EndReason, Kind};
use handstamp_core::store::{EventFilter, Filter};
use handstamp_protocol::admin::SessionFilter;
use handstamp_protocol::logs::LogsQuery;
use handstamp_protocol::sessions;

use crate::answer::timestamp;
use crate::body::out_of_range;

/// Which sessions are asked for.
///
/// # Errors
/// 422 for a value that names nothing.
pub(crate) fn sessions(asked: SessionFilter) -> Result<Filter, Problem> {
    let subject = asked.subject.map(Subject::new).transpose();
    let id = asked.id.map(|id| id.parse()).transpose();
    Ok(Filter {
        subject: subject.map_err(|error| out_of_range("subject", error.to_string()))?,
        id: id.map_err(|_| out_of_range("id", "not the id of a session"))?,
        kind: asked.kind.as_ref().map(kind).transpose()?,
        is_live: asked.active,
        ip: asked.ip,
        device: asked.device.map(Into::into),
        country: asked.country.map(Into::into),
        role: asked.role.map(Into::into),
        created_after: asked.created_after.map(timestamp),
        created_before: asked.created_before.map(timestamp),
        seen_after: asked.seen_after.map(timestamp),
        seen_before: asked.seen_before.map(timestamp),
    })
}

fn kind(asked: &sessions::Kind) -> Result<Kind, Problem> {
    match asked {
        sessions::Kind::Anonymous => Ok(Kind::Anonymous),
        sessions::Kind::Guest => Ok(Kind::Guest),
        sessions::Kind::User => Ok(Kind::User),
        _ => Err(out_of_range("kind", "must be anonymous, guest or user")),
    }
}

/// Which lines of the log are asked for. Actions go by the names of the log (`login`) and by those
/// of events (`session.started`).
///
/// # Errors
/// 422 for a value that names nothing.
pub(crate) fn logs(asked: &LogsQuery) -> Result<EventFilter, Problem> {
    let subject = asked.subject.as_deref().map(Subject::new).transpose();
    let session = asked.session.as_deref().map(str::parse).transpose();
    let mut filter = EventFilter {
        subject: subject.map_err(|error| out_of_range("subject", error.to_string()))?,
        session: session.map_err(|_| out_of_range("session", "not the id of a session"))?,
        actions: Vec::new(),
        reasons: Vec::new(),
        ip: asked.ip,
        is_success: asked.success,
        after: asked.after.map(timestamp),
        before: asked.before.map(timestamp),
    };
    if let Some(action) = &asked.action {
        (filter.actions, filter.reasons) = named(action)?;
    }
    Ok(filter)
}

/// What a name of the log stands for: which actions, and which ends of sessions. The other way
/// round it is [`log_action`](crate::answer::log_action).
fn named(name: &str) -> Result<(Vec<Action>, Vec<EndReason>), Problem> {
    let ends = |is_expiry| {
        let reasons = EndReason::ALL.into_iter().filter(|reason| reason.is_expiry() == is_expiry);
        (vec![Action::SessionEnded], reasons.collect())
    };
    Ok(match name {
        "login" => {
            let actions = [Action::SessionStarted, Action::GuestUpgraded, Action::SignInFailed];
            (actions.into(), Vec::new())
        }
        "logout" => ends(false),
        "session_expired" => ends(true),
        "token_refresh" => (vec![Action::SessionRefreshed], Vec::new()),
        name => {
            let action = name.parse();
            let action = action.map_err(|_| out_of_range("action", "not the name of an action"))?;
            (vec![action], Vec::new())
        }
    })
}
