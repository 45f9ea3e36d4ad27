//! Many sessions ended at once, at once or after a time in which it can be taken back.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::future::join_all;
use handstamp_axum::problem::Problem;
use handstamp_core::SessionId;
use handstamp_core::store::Page;
use handstamp_protocol::admin::{EndAnswer, EndRequest, SessionFilter, UndoAnswer};
use http::StatusCode;
use serde_json::Map;

use super::{filter, note, problem, reason};
use crate::body::{Json, out_of_range};
use crate::caller::Operator;
use crate::json::Body;
use crate::path::Path;
use crate::routes::sessions::done;
use crate::service::Service;

/// How many sessions one call deals with.
const MOST: usize = 1000;

/// The longest time to take a bulk end back: a day.
const LONGEST_UNDO: u64 = 86_400;

/// `POST /admin/sessions/end`.
pub(crate) async fn end(
    State(service): State<Arc<Service>>,
    operator: Operator,
    Json(request): Json<EndRequest>,
) -> Result<Response, Problem> {
    let answer = end_many(&service, &operator, &request).await?;
    match request.dry_run.unwrap_or_default() {
        true => Ok(Body(answer).into_response()),
        false => done(&service, answer).await,
    }
}

/// Does what is asked, or only counts where that is asked.
pub(crate) async fn end_many(
    service: &Service,
    operator: &Operator,
    request: &EndRequest,
) -> Result<EndAnswer, Problem> {
    let undo = undo_time(request)?;
    let (ids, more) = chosen(service, request).await?;
    if request.dry_run.unwrap_or_default() {
        return Ok(EndAnswer { processed: ids.len() as u64, more, undo_id: None });
    }
    let why = reason(request.reason.as_deref());
    let (processed, undo_id) = match undo {
        Some(time) => {
            let (count, id) =
                service.undo.suspend(&service.sessions, ids, &operator.name, time).await?;
            (count, Some(id))
        }
        None => (end_now(service, ids, &operator.name).await?, None),
    };
    let mut details = Map::from_iter([("processed".to_owned(), processed.into())]);
    details.extend(why.map(|why| ("reason".to_owned(), why.into())));
    details.extend(undo_id.clone().map(|id| ("undo_id".to_owned(), id.into())));
    note(service, operator, "sessions_ended", None, details).await?;
    Ok(EndAnswer { processed, more, undo_id })
}

fn undo_time(request: &EndRequest) -> Result<Option<Duration>, Problem> {
    match request.undo_seconds {
        None | Some(0) => Ok(None),
        Some(seconds) if seconds <= LONGEST_UNDO => Ok(Some(Duration::from_secs(seconds))),
        Some(_) => Err(out_of_range("undo_seconds", "must be at most 86,400")),
    }
}

/// The sessions that are meant, and whether there are more. The same filters as the list's, so the
/// list is the preview; only what is not over yet counts.
async fn chosen(
    service: &Service,
    request: &EndRequest,
) -> Result<(Vec<SessionId>, bool), Problem> {
    match (&request.filter, &request.ids) {
        (Some(_), Some(_)) => Err(out_of_range("ids", "give ids or a filter, not both")),
        (None, None) => Err(crate::body::bad(StatusCode::BAD_REQUEST, "give ids or a filter")),
        (None, Some(ids)) if ids.len() > MOST => Err(out_of_range("ids", "must be at most 1,000")),
        (None, Some(ids)) => {
            let ids = ids.iter().map(|id| id.parse()).collect::<Result<Vec<_>, _>>();
            let ids = ids.map_err(|_| out_of_range("ids", "not the id of a session"))?;
            Ok((not_over(service, ids).await?, false))
        }
        (Some(filter), None) if filter.active == Some(false) => {
            Err(out_of_range("filter.active", "what has ended cannot end"))
        }
        (Some(filter), None) if is_everybody(filter) => Err(crate::body::bad(
            StatusCode::BAD_REQUEST,
            "an empty filter means everybody: name something",
        )),
        (Some(asked), None) => {
            let mut filter = filter::sessions(asked.clone())?;
            filter.is_live = Some(true);
            matching(service, &filter).await
        }
    }
}

/// Those of these that could be ended, each once.
async fn not_over(service: &Service, ids: Vec<SessionId>) -> Result<Vec<SessionId>, Problem> {
    let mut left = Vec::new();
    for id in ids {
        let why = service.sessions.why_of(id).await.map_err(problem)?;
        if why.is_some_and(|why| why.ended.is_none()) && !left.contains(&id) {
            left.push(id);
        }
    }
    Ok(left)
}

/// Whether a filter leaves nobody out who could be ended: all that are live is everybody.
fn is_everybody(filter: &SessionFilter) -> bool {
    SessionFilter { active: None, ..filter.clone() }.is_empty()
}

async fn matching(
    service: &Service,
    filter: &handstamp_core::store::Filter,
) -> Result<(Vec<SessionId>, bool), Problem> {
    let (mut ids, mut page) = (Vec::new(), Page::first(MOST));
    loop {
        let listed = service.sessions.scan(filter, &page).await.map_err(problem)?;
        ids.extend(listed.sessions.iter().map(|one| one.record.id));
        match listed.next {
            _ if ids.len() > MOST => break,
            Some(next) => page.after = Some(next),
            None => break,
        }
    }
    let more = ids.len() > MOST;
    ids.truncate(MOST);
    Ok((ids, more))
}

async fn end_now(service: &Service, ids: Vec<SessionId>, by: &str) -> Result<u64, Problem> {
    let reason = handstamp_core::record::EndReason::Admin;
    let ends = ids.into_iter().map(|id| service.sessions.end(id, reason, Some(by)));
    let mut count = 0;
    for ended in join_all(ends).await {
        count += u64::from(ended.map_err(problem)?);
    }
    Ok(count)
}

/// `POST /admin/undo/{id}`.
pub(crate) async fn undo(
    State(service): State<Arc<Service>>,
    operator: Operator,
    Path(id): Path<String>,
) -> Result<Body<UndoAnswer>, Problem> {
    let resumed = service.undo.take_back(&service.sessions, &id, &operator.name).await?;
    let details =
        Map::from_iter([("undo_id".to_owned(), id.into()), ("resumed".to_owned(), resumed.into())]);
    note(&service, &operator, "undone", None, details).await?;
    Ok(Body(UndoAnswer { resumed }))
}
