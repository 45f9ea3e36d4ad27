//! The audit log, and whether its chain is whole.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use handstamp_core::event::Action;
use handstamp_core::store::Page as Portion;
use handstamp_protocol::logs::LogsQuery;
use handstamp_protocol::paths;

use super::asked::Asked;
use super::chain::{self, Checked};
use super::frame::{Frame, go, page};
use super::sign_in::Pressed;
use super::viewer::{Form, Viewer};
use super::views::Line;
use super::{Answer, Stop};
use crate::body::out_of_range;
use crate::query::list_problem;
use crate::routes::admin::filter;
use crate::service::Service;

/// How many lines stand on a page.
const MOST: usize = 50;

#[derive(Template)]
#[template(path = "logs.html")]
struct Page {
    frame: Frame,
    asked: Asked,
    actions: Vec<String>,
    lines: Vec<Line>,
    next: Option<String>,
    chain: Option<Checked>,
}

/// `GET /admin/ui/logs`.
pub(super) async fn show(
    State(service): State<Arc<Service>>,
    viewer: Viewer,
    RawQuery(query): RawQuery,
) -> Answer {
    let asked = Asked::read(query.as_deref().unwrap_or_default());
    let portion = Portion { limit: MOST, after: asked.cursor.clone() };
    let filter = filter::logs(&wire(&asked)?)?;
    let told = service.sessions.events(&filter, &portion).await.map_err(list_problem)?;
    let rules = crate::risk::Rule::ALL.iter().map(|rule| format!("risk.{rule}"));
    page(&Page {
        frame: Frame::of(&viewer, &service, "logs").live(paths::ADMIN_EVENTS),
        actions: Action::names().map(str::to_owned).chain(rules).collect(),
        lines: told.events.iter().map(Line::of).collect(),
        next: told.next.map(|next| asked.with_cursor(&next)),
        chain: chain::lately(&service).await,
        asked,
    })
}

/// As the API takes it.
fn wire(asked: &Asked) -> Result<LogsQuery, Stop> {
    let text = |field: &str| Some(asked.get(field).to_owned()).filter(|text| !text.is_empty());
    let ip = text("ip").map(|ip| ip.parse()).transpose();
    Ok(LogsQuery {
        subject: text("subject"),
        session: text("session"),
        action: text("action"),
        ip: ip.map_err(|_| out_of_range("ip", "not an address"))?,
        success: text("success").map(|is| is == "true"),
        after: asked.time("after")?,
        before: asked.time("before")?,
        ..LogsQuery::default()
    })
}

/// `POST /admin/ui/logs/verify`.
pub(super) async fn verify(
    State(service): State<Arc<Service>>,
    viewer: Viewer,
    Form(Pressed {}): Form<Pressed>,
) -> Answer {
    let checked = chain::check(&service).await?;
    let (key, said) = match &checked.first_bad {
        None => ("success", format!("The chain is whole: {} checked.", checked.lines)),
        Some(bad) => ("error", format!("The log was changed: {bad}.")),
    };
    viewer.session.flash(key, &said)?;
    Ok(go("/admin/ui/logs"))
}
