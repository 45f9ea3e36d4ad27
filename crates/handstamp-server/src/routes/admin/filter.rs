//! The filters of lists, as the store takes them.

use handstamp_axum::problem::Problem;
use handstamp_core::event::Action;
use handstamp_core::id::Subject;
use handstamp_core::record::Kind;
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
        action: None,
        ip: asked.ip,
        is_success: asked.success,
        after: asked.after.map(timestamp),
        before: asked.before.map(timestamp),
    };
    if let Some(action) = &asked.action {
        filter.action = Some(match (&**action, asked.success) {
            ("login", Some(false)) => Action::SignInFailed,
            ("login", _) => Action::SessionStarted,
            ("logout" | "session_expired", _) => Action::SessionEnded,
            ("token_refresh", _) => Action::SessionRefreshed,
            (named, _) => {
                named.parse().map_err(|_| out_of_range("action", "not the name of an action"))?
            }
        });
    }
    Ok(filter)
}
