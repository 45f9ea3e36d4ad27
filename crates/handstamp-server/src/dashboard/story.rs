//! The story of one session: who, where, what happened, and why it is over.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use handstamp_core::event::{Action, Event};
use handstamp_core::policy::{Standing, first_to_expire};
use handstamp_core::record::{EndReason, Record};
use handstamp_core::store::{EventFilter, Filter, Page as Portion};
use handstamp_core::time::Timestamp;
use handstamp_core::{Listed, SessionError};
use handstamp_protocol::admin::{EndRequest, SuspendRequest};
use handstamp_protocol::paths;

use super::frame::{Frame, go, page};
use super::sign_in::Pressed;
use super::viewer::{Form, Viewer};
use super::views::{Line, Row, SESSION, When, device};
use super::{Answer, SIGN_IN, Stop, wording};
use crate::body::OptionalJson;
use crate::path::Path;
use crate::routes::admin;
use crate::service::Service;

/// How much of the story is shown.
const MOST: usize = 200;

#[derive(Template)]
#[template(path = "session.html")]
struct Page {
    frame: Frame,
    row: Row,
    verdict: Verdict,
    facts: Vec<(&'static str, String)>,
    reuses: Vec<Reuse>,
    story: Vec<Line>,
    has_more: bool,
}

/// How it stands and why.
struct Verdict {
    mark: &'static str,
    title: String,
    said: String,
    when: Option<When>,
    by: Option<String>,
    /// The session that took over from it.
    successor: Option<(String, String)>,
    is_live: bool,
    is_suspended: bool,
}

/// A superseded token that came back: the two lines of descent of one session's tokens.
struct Reuse {
    when: When,
    presented: u64,
    current: u64,
    since: Option<When>,
    from: String,
    ip: Option<String>,
    holder_device: String,
    holder_ip: Option<String>,
}

/// `GET /admin/ui/sessions/{id}`.
pub(super) async fn show(
    State(service): State<Arc<Service>>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Answer {
    let one = find(&service, &id).await?;
    let filter = EventFilter { session: Some(one.record.id), ..EventFilter::default() };
    let told = service.sessions.events(&filter, &Portion::first(MOST)).await?;
    page(&Page {
        frame: Frame::of(&viewer, &service, "sessions").live(paths::ADMIN_EVENTS),
        row: Row::of(&one, viewer.session.id()),
        verdict: verdict(&one),
        facts: facts(&one.record, &one),
        reuses: told.events.iter().filter_map(|event| reuse(event, &one.record)).collect(),
        story: told.events.iter().map(Line::of).collect(),
        has_more: told.next.is_some(),
    })
}

/// The session under an id, judged.
pub(super) async fn find(service: &Service, id: &str) -> Result<Listed, Stop> {
    let id = id.parse().map_err(|_| SessionError::NotFound)?;
    let filter = Filter { id: Some(id), ..Filter::default() };
    let found = service.sessions.scan(&filter, &Portion::first(1)).await?;
    Ok(found.sessions.into_iter().next().ok_or(SessionError::NotFound)?)
}

/// `POST /admin/ui/sessions/{id}/end`.
pub(super) async fn end(
    State(service): State<Arc<Service>>,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(Pressed {}): Form<Pressed>,
) -> Answer {
    let is_own = viewer.session.id().is_some_and(|own| own.to_string() == id);
    let request = EndRequest { ids: Some(vec![id.clone()]), ..EndRequest::default() };
    let told = admin::bulk::end_many(&service, &viewer.operator, &request).await?;
    if is_own {
        return Ok(go(SIGN_IN));
    }
    let said = if told.processed > 0 { "The session is over." } else { "It was over already." };
    viewer.session.flash("success", said)?;
    Ok(go(&paths::with(SESSION, &id)))
}

/// `POST /admin/ui/sessions/{id}/suspend`.
pub(super) async fn suspend(
    State(service): State<Arc<Service>>,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(Pressed {}): Form<Pressed>,
) -> Answer {
    let session = viewer.session.clone();
    let nothing = OptionalJson(SuspendRequest::default());
    let _ = admin::suspend(State(service), viewer.operator, Path(id.clone()), nothing).await?;
    session.flash("success", "The session is set aside: its tokens are refused.")?;
    Ok(go(&paths::with(SESSION, &id)))
}

/// `POST /admin/ui/sessions/{id}/resume`.
pub(super) async fn resume(
    State(service): State<Arc<Service>>,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(Pressed {}): Form<Pressed>,
) -> Answer {
    let session = viewer.session.clone();
    let _ = admin::resume(State(service), viewer.operator, Path(id.clone())).await?;
    session.flash("success", "The session is live again.")?;
    Ok(go(&paths::with(SESSION, &id)))
}

fn verdict(one: &Listed) -> Verdict {
    let (record, standing) = (&one.record, &one.standing);
    let nothing = Verdict {
        mark: "●",
        title: String::new(),
        said: String::new(),
        when: None,
        by: None,
        successor: None,
        is_live: *standing == Standing::Live,
        is_suspended: *standing == Standing::Suspended,
    };
    match standing {
        Standing::Live => {
            let (at, which) = first_to_expire(record, record.last_seen);
            let said = match which {
                EndReason::Idle => "It runs out first by being idle, unless it is used before:",
                _ => "It runs out first by its age, whatever happens:",
            };
            let title = "This session is live".into();
            Verdict { title, said: said.into(), when: Some(When::of(at)), ..nothing }
        }
        Standing::Suspended => {
            let aside = record.suspended.as_ref();
            let why = aside.and_then(|aside| aside.why.as_deref());
            Verdict {
                mark: "◐",
                title: "This session is set aside".into(),
                said: why.unwrap_or("Its tokens are refused until it is taken back.").to_owned(),
                when: aside.map(|aside| When::of(aside.at)),
                by: aside.and_then(|aside| aside.by.as_deref()).map(str::to_owned),
                ..nothing
            }
        }
        Standing::Over { ended, .. } => Verdict {
            mark: "○",
            title: format!("This session is over: {}", wording::ended_in_short(ended.reason)),
            said: wording::ended(ended.reason).to_owned(),
            when: Some(When::of(ended.at)),
            by: ended.by.as_deref().map(str::to_owned),
            successor: ended.successor.map(|id| {
                let id = id.to_string();
                (paths::with(SESSION, &id), id)
            }),
            ..nothing
        },
    }
}

/// What is known of it, in the order of interest.
fn facts(record: &Record, one: &Listed) -> Vec<(&'static str, String)> {
    let at = |at: Timestamp| When::exact(at).to_string();
    let roles: Vec<&str> = one.roles.iter().collect();
    let none = |text: String| if text.is_empty() { "none".to_owned() } else { escape(&text) };
    let amr: Vec<&str> = record.amr.iter().map(|method| &**method).collect();
    let profile = &record.profile;
    let mut facts = vec![
        ("Began", at(record.created_at)),
        ("Signed in", at(record.authenticated_at)),
        ("Last active", at(record.last_seen)),
        ("Over at the latest", at(record.absolute_expiry)),
        ("Roles now", none(roles.join(", "))),
        ("Signed in by", none(amr.join(", "))),
        ("Kind", format!("{}, by {}", record.kind.as_str(), record.transport.as_str())),
        ("Generation of its token", record.lineage.generation.to_string()),
    ];
    for (name, text) in [
        ("E-mail", &profile.email),
        ("Phone", &profile.phone),
        ("Begun by service", &record.client_id),
        ("User agent", &record.client.user_agent),
    ] {
        facts.extend(text.as_deref().map(|text| (name, escape(text))));
    }
    facts
}

fn escape(text: &str) -> String {
    askama::filters::escape(text, askama::filters::Html)
        .map_or_else(|never| match never {}, |safe| safe.to_string())
}

fn reuse(event: &Event, record: &Record) -> Option<Reuse> {
    if event.action != Action::RefreshReused {
        return None;
    }
    let number = |name: &str| event.details.get(name).and_then(serde_json::Value::as_u64);
    let client = event.personal.as_ref().map(|personal| &personal.client);
    let since = event.details.get("current_since_ms").and_then(serde_json::Value::as_i64);
    Some(Reuse {
        when: When::of(event.at),
        presented: number("presented_generation")?,
        current: number("current_generation")?,
        since: since.map(|at| When::of(Timestamp::from_millis(at))),
        from: client.map_or_else(|| "erased".into(), device),
        ip: client.and_then(|client| client.ip).map(|ip| ip.to_string()),
        holder_device: device(&record.client),
        holder_ip: record.client.ip.map(|ip| ip.to_string()),
    })
}
