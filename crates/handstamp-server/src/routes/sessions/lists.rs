//! What belongs to the holder: sessions, and what happened to them.

use std::sync::Arc;

use axum::extract::State;
use handstamp_axum::problem::Problem;
use handstamp_core::SessionError;
use handstamp_core::id::Subject;
use handstamp_core::store::{EventFilter, Page};
use handstamp_protocol::logs::LogList;
use handstamp_protocol::page::PageQuery;
use handstamp_protocol::sessions::{MySessionsQuery, SessionList};

use crate::answer::{self, Reader, log_entry};
use crate::caller::{Holder, refused};
use crate::json::Body;
use crate::query::{Query, list_problem, page};
use crate::service::Service;

/// The cursor after a first page that had room for the current session only. No cursor of a store
/// is so short.
const AFTER_CURRENT: &str = "current";

/// `GET /sessions/my-sessions`: first the session that asks, then the others, newest first.
pub(crate) async fn my_sessions(
    State(service): State<Arc<Service>>,
    holder: Holder,
    Query(query): Query<MySessionsQuery>,
) -> Result<Body<SessionList>, Problem> {
    let page = page(query.limit, query.cursor)?;
    let (subject, own) = (subject(&holder)?, holder.own()?);
    let (mut sessions, rest) = match page.after.as_deref() {
        None => (vec![answer::session(own.shown())], Page { limit: page.limit - 1, after: None }),
        Some(AFTER_CURRENT) => (Vec::new(), Page { after: None, ..page }),
        Some(_) => (Vec::new(), page),
    };
    if rest.limit == 0 {
        return Ok(Body(SessionList { sessions, next: Some(AFTER_CURRENT.to_owned()) }));
    }
    let listed = service.sessions.list(&subject, query.include.is_some(), &rest);
    let listed = listed.await.map_err(list_problem)?;
    let others = listed.sessions.iter().filter(|one| one.record.id != own.record.id);
    sessions.extend(others.map(|one| answer::session(answer::Shown::listed(one, false))));
    Ok(Body(SessionList { sessions, next: listed.next }))
}

/// `GET /sessions/my-session-logs`.
pub(crate) async fn my_session_logs(
    State(service): State<Arc<Service>>,
    holder: Holder,
    Query(query): Query<PageQuery>,
) -> Result<Body<LogList>, Problem> {
    let page = page(query.limit, query.cursor)?;
    let filter = EventFilter { subject: Some(subject(&holder)?), ..EventFilter::default() };
    let listed = service.sessions.events(&filter, &page).await.map_err(list_problem)?;
    let logs = listed.events.iter().map(|event| log_entry(event, Reader::Holder)).collect();
    Ok(Body(LogList { logs, next: listed.next }))
}

/// Whose sessions are asked for; an anonymous session belongs to nobody.
fn subject(holder: &Holder) -> Result<Subject, Problem> {
    holder.session.user_id().ok_or_else(|| refused(SessionError::Unauthenticated))
}
