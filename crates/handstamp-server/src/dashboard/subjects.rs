//! One subject: its sessions, its roles, and whether it may come in at all.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use handstamp_core::id::Subject;
use handstamp_core::record::EndReason;
use handstamp_core::store::{EventFilter, Page as Portion};
use handstamp_protocol::paths;
use handstamp_protocol::subjects::{RolesRequest, SubjectRequest};
use serde::Deserialize;

use super::frame::{Frame, go, page};
use super::sign_in::Pressed;
use super::viewer::{Form, Viewer};
use super::views::{Line, Row, SUBJECT};
use super::{Answer, Stop};
use crate::body::{Json, OptionalJson, out_of_range};
use crate::path::Path;
use crate::risk::words::counted;
use crate::routes::admin;
use crate::service::Service;

/// How many sessions and how many events are shown.
const SHOWN: usize = 25;

#[derive(Template)]
#[template(path = "subject.html")]
struct Page {
    frame: Frame,
    subject: String,
    action: String,
    is_disabled: bool,
    /// What narrows its roles, if anything does.
    roles: Option<String>,
    live: usize,
    rows: Vec<Row>,
    lately: Vec<Line>,
    /// The query that lists all of it.
    query: String,
}

/// `GET /admin/ui/subjects/{subject}`.
pub(super) async fn show(
    State(service): State<Arc<Service>>,
    viewer: Viewer,
    Path(name): Path<String>,
) -> Answer {
    let subject = parse(&name)?;
    let head = admin::subjects::head(&service, &subject).await?;
    let listed = service.sessions.list(&subject, true, &Portion::first(SHOWN)).await?;
    let filter = EventFilter { subject: Some(subject), ..EventFilter::default() };
    let told = service.sessions.events(&filter, &Portion::first(SHOWN)).await?;
    let current = viewer.session.id();
    let rows: Vec<Row> = listed.sessions.iter().map(|one| Row::of(one, current)).collect();
    page(&Page {
        frame: Frame::of(&viewer, &service, "sessions").live(paths::ADMIN_EVENTS),
        action: paths::with(SUBJECT, &name),
        query: form_urlencoded::Serializer::new(String::new())
            .append_pair("subject", &name)
            .finish(),
        subject: name,
        is_disabled: head.is_disabled,
        roles: head.roles.map(|roles| roles.join(", ")),
        live: rows.iter().filter(|row| !row.is_over).count(),
        rows,
        lately: told.events.iter().map(Line::of).collect(),
    })
}

fn parse(name: &str) -> Result<Subject, Stop> {
    Subject::new(name).map_err(|error| out_of_range("subject", error.to_string()).into())
}

#[derive(Deserialize)]
pub(super) struct Narrowed {
    roles: String,
    /// `narrow`, or `free`.
    to: String,
}

/// `POST /admin/ui/subjects/{subject}/roles`.
pub(super) async fn roles(
    State(service): State<Arc<Service>>,
    viewer: Viewer,
    Path(name): Path<String>,
    Form(form): Form<Narrowed>,
) -> Answer {
    let named = form.roles.split([',', ' ']).filter(|role| !role.is_empty());
    let roles = (form.to == "narrow").then(|| named.map(str::to_owned).collect::<Vec<_>>());
    let said = match &roles {
        None => "Each session has the roles that it was granted.".to_owned(),
        Some(roles) if roles.is_empty() => "Its sessions have no role from now on.".to_owned(),
        Some(roles) => format!("Its sessions have no role but {} from now on.", roles.join(", ")),
    };
    let session = viewer.session.clone();
    let request = Json(RolesRequest { roles });
    let _ = admin::roles(State(service), viewer.operator, Path(name.clone()), request).await?;
    session.flash("success", &said)?;
    Ok(go(&paths::with(SUBJECT, &name)))
}

#[derive(Deserialize)]
pub(super) struct Reason {
    reason: String,
}

impl Reason {
    fn request(self) -> OptionalJson<SubjectRequest> {
        let reason = Some(self.reason).filter(|reason| !reason.trim().is_empty());
        OptionalJson(SubjectRequest { reason })
    }
}

/// `POST /admin/ui/subjects/{subject}/disable`.
pub(super) async fn disable(
    State(service): State<Arc<Service>>,
    viewer: Viewer,
    Path(name): Path<String>,
    Form(form): Form<Reason>,
) -> Answer {
    let session = viewer.session.clone();
    let (path, request) = (Path(name.clone()), form.request());
    let _ = admin::disable(State(service), viewer.operator, path, request).await?;
    session.flash("success", "Disabled: its sessions are over and none begins.")?;
    Ok(go(&paths::with(SUBJECT, &name)))
}

/// `POST /admin/ui/subjects/{subject}/enable`.
pub(super) async fn enable(
    State(service): State<Arc<Service>>,
    viewer: Viewer,
    Path(name): Path<String>,
    Form(form): Form<Reason>,
) -> Answer {
    let session = viewer.session.clone();
    let (path, request) = (Path(name.clone()), form.request());
    let _ = admin::enable(State(service), viewer.operator, path, request).await?;
    session.flash("success", "Enabled: it may sign in again.")?;
    Ok(go(&paths::with(SUBJECT, &name)))
}

#[derive(Deserialize)]
pub(super) struct Erasure {
    reason: String,
    /// The subject once more: what is erased does not come back.
    meant: String,
}

/// `POST /admin/ui/subjects/{subject}/erase`.
pub(super) async fn erase(
    State(service): State<Arc<Service>>,
    viewer: Viewer,
    Path(name): Path<String>,
    Form(Erasure { reason, meant }): Form<Erasure>,
) -> Answer {
    let session = viewer.session.clone();
    if meant.trim() != name {
        session.flash("error", "Nothing was erased: what was typed is not the subject's name.")?;
        return Ok(go(&paths::with(SUBJECT, &name)));
    }
    let (path, request) = (Path(name.clone()), Reason { reason }.request());
    let _ = admin::erase(State(service), viewer.operator, path, request).await?;
    session.flash("success", "Erased: nothing personal of it is kept any more.")?;
    Ok(go(&paths::with(SUBJECT, &name)))
}

/// `POST /admin/ui/subjects/{subject}/end`: signs it out everywhere.
pub(super) async fn end(
    State(service): State<Arc<Service>>,
    viewer: Viewer,
    Path(name): Path<String>,
    Form(Pressed {}): Form<Pressed>,
) -> Answer {
    let by = Some(&*viewer.operator.name);
    let ended = service.sessions.end_all(&parse(&name)?, None, EndReason::Admin, by).await?;
    viewer.session.flash("success", &format!("{} ended.", counted(ended.into(), "session")))?;
    Ok(go(&paths::with(SUBJECT, &name)))
}
