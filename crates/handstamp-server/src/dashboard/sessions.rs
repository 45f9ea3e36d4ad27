//! Sessions of everybody, by the same filters as the API's.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use handstamp_core::store::Page as Portion;
use handstamp_protocol::paths;

use super::Answer;
use super::asked::Asked;
use super::frame::{Frame, page};
use super::viewer::Viewer;
use super::views::Row;
use crate::query::list_problem;
use crate::service::Service;

/// How many sessions stand on a page.
const MOST: usize = 50;

#[derive(Template)]
#[template(path = "sessions.html")]
struct Page {
    frame: Frame,
    asked: Asked,
    rows: Vec<Row>,
    /// The query of the next page.
    next: Option<String>,
}

/// `GET /admin/ui/sessions`.
pub(super) async fn show(
    State(service): State<Arc<Service>>,
    viewer: Viewer,
    RawQuery(query): RawQuery,
) -> Answer {
    let asked = Asked::read(query.as_deref().unwrap_or_default());
    let portion = Portion { limit: MOST, after: asked.cursor.clone() };
    let listed = service.sessions.scan(&asked.filter()?, &portion).await.map_err(list_problem)?;
    let current = viewer.session.id();
    page(&Page {
        frame: Frame::of(&viewer, &service, "sessions").live(paths::ADMIN_EVENTS),
        rows: listed.sessions.iter().map(|one| Row::of(one, current)).collect(),
        next: listed.next.map(|next| asked.with_cursor(&next)),
        asked,
    })
}
