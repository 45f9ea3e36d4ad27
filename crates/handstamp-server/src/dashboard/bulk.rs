//! Many sessions ended at once: looked at first, and taken back if that was a mistake.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use handstamp_core::SessionError;
use handstamp_core::store::{Filter, Page as Portion};
use handstamp_protocol::admin::EndRequest;
use handstamp_protocol::paths;
use serde::Deserialize;

use super::asked::Asked;
use super::frame::{Frame, go, page};
use super::sign_in::Pressed;
use super::viewer::{Form, Viewer};
use super::views::{Row, When};
use super::{Answer, Stop, story};
use crate::body::out_of_range;
use crate::json::Body;
use crate::path::Path;
use crate::risk::words::counted;
use crate::routes::admin;
use crate::service::Service;

/// The page of an end that can be taken back.
const UNDO: &str = "/admin/ui/undo/{id}";

/// How many sessions are shown of those that are to end.
const SHOWN: usize = 20;

/// How long an end may be taken back, in seconds, and in words.
const TIMES: [(u64, &str); 4] = [
    (300, "in 5 minutes, unless I take it back"),
    (3600, "in an hour, unless I take it back"),
    (86_400, "in a day, unless I take it back"),
    (0, "at once, for good"),
];

#[derive(Template)]
#[template(path = "end.html")]
struct Preview {
    frame: Frame,
    query: String,
    count: String,
    more: bool,
    rows: Vec<Row>,
    has_own: bool,
    times: [(u64, &'static str); 4],
}

/// `GET /admin/ui/sessions/end`: what it would come to.
pub(super) async fn preview(
    State(service): State<Arc<Service>>,
    viewer: Viewer,
    RawQuery(query): RawQuery,
) -> Answer {
    let asked = Asked::read(query.as_deref().unwrap_or_default());
    let request = EndRequest { dry_run: Some(true), ..request(&asked)? };
    let told = admin::bulk::end_many(&service, &viewer.operator, &request).await?;
    let rows = some(&service, &viewer, &asked).await?;
    page(&Preview {
        frame: Frame::of(&viewer, &service, "sessions"),
        query: asked.query(),
        count: counted(told.processed, "session"),
        more: told.more,
        has_own: rows.iter().any(|row| row.is_current),
        rows,
        times: TIMES,
    })
}

/// What the API is asked: what is ticked, or else what matches.
fn request(asked: &Asked) -> Result<EndRequest, Stop> {
    let mut request = EndRequest::default();
    match (asked.ids.is_empty(), asked.may_end()) {
        (false, _) => request.ids = Some(asked.ids.clone()),
        (true, true) => request.filter = Some(asked.wire()?),
        (true, false) => {
            return Err(out_of_range("ids", "tick the sessions that are to end").into());
        }
    }
    Ok(request)
}

/// Some of those that are meant.
async fn some(service: &Service, viewer: &Viewer, asked: &Asked) -> Result<Vec<Row>, Stop> {
    let current = viewer.session.id();
    if asked.ids.is_empty() {
        let filter = Filter { is_live: Some(true), ..asked.filter()? };
        let listed = service.sessions.scan(&filter, &Portion::first(SHOWN)).await?;
        return Ok(listed.sessions.iter().map(|one| Row::of(one, current)).collect());
    }
    let mut rows = Vec::new();
    for id in asked.ids.iter().take(SHOWN) {
        rows.push(Row::of(&story::find(service, id).await?, current));
    }
    Ok(rows)
}

#[derive(Deserialize)]
pub(super) struct Confirmed {
    query: String,
    reason: String,
    undo_seconds: u64,
}

/// `POST /admin/ui/sessions/end`.
pub(super) async fn end(
    State(service): State<Arc<Service>>,
    viewer: Viewer,
    Form(form): Form<Confirmed>,
) -> Answer {
    let request = EndRequest {
        reason: Some(form.reason).filter(|reason| !reason.trim().is_empty()),
        undo_seconds: Some(form.undo_seconds).filter(|seconds| *seconds > 0),
        ..request(&Asked::read(&form.query))?
    };
    let told = admin::bulk::end_many(&service, &viewer.operator, &request).await?;
    let count = counted(told.processed, "session");
    let more = if told.more { " More match: end those too." } else { "" };
    match told.undo_id {
        Some(id) => {
            let said = format!("{count} set aside, and about to end.{more}");
            viewer.session.flash("success", &said)?;
            Ok(go(&paths::with(UNDO, &id)))
        }
        None => {
            viewer.session.flash("success", &format!("{count} ended.{more}"))?;
            Ok(go("/admin/ui/sessions?active=true"))
        }
    }
}

#[derive(Template)]
#[template(path = "undo.html")]
struct Undo {
    frame: Frame,
    /// How many, and until when it can be taken back.
    waits: Option<(String, When)>,
    action: String,
}

/// `GET /admin/ui/undo/{id}`.
pub(super) async fn undo_page(
    State(service): State<Arc<Service>>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Answer {
    let waits =
        service.undo.waiting(&id).await.map_err(|error| SessionError::Unavailable(error.into()))?;
    page(&Undo {
        frame: Frame::of(&viewer, &service, "sessions").live(paths::ADMIN_EVENTS),
        waits: waits.map(|(count, until)| (counted(count as u64, "session"), When::of(until))),
        action: paths::with(UNDO, &id),
    })
}

/// `POST /admin/ui/undo/{id}`.
pub(super) async fn undo(
    State(service): State<Arc<Service>>,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(Pressed {}): Form<Pressed>,
) -> Answer {
    let session = viewer.session.clone();
    let Body(told) = admin::undo(State(service), viewer.operator, Path(id)).await?;
    session.flash("success", &format!("{} taken back.", counted(told.resumed, "session")))?;
    Ok(go("/admin/ui/sessions?active=true"))
}
