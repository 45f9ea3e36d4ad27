//! The overview: how many are here, what happens, and what looks odd.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use handstamp_core::store::{EventFilter, Filter, Page as Portion};
use handstamp_protocol::paths;

use super::Answer;
use super::frame::{Frame, page};
use super::viewer::Viewer;
use super::views::Line;
use crate::risk::words::grouped;
use crate::service::Service;

/// How many of the latest events are shown.
const LATELY: usize = 12;

#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    frame: Frame,
    live: String,
    lately: Vec<Line>,
}

/// `GET /admin`.
pub(super) async fn show(State(service): State<Arc<Service>>, viewer: Viewer) -> Answer {
    let frame = Frame::of(&viewer, &service, "overview").live(paths::ADMIN_EVENTS);
    let (all, latest) = (EventFilter::default(), Portion::first(LATELY));
    let events = service.sessions.events(&all, &latest).await?.events;
    let lately = events.iter().map(Line::of).collect();
    page(&Page { frame, live: live(&service).await?, lately })
}

/// How many sessions are live, up to a thousand.
async fn live(service: &Service) -> Result<String, super::Stop> {
    let filter = Filter { is_live: Some(true), ..Filter::default() };
    let listed = service.sessions.scan(&filter, &Portion::first(1000)).await?;
    let more = if listed.next.is_some() { "+" } else { "" };
    Ok(format!("{}{more}", grouped(listed.sessions.len() as u64)))
}
