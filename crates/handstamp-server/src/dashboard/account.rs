//! The holder's own page: where they are signed in, and how to end that.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use handstamp_core::Listed;
use handstamp_core::event::Event;
use handstamp_core::policy::{Standing, first_to_expire};
use handstamp_core::store::{EventFilter, Page as Portion};
use handstamp_protocol::paths;
use handstamp_protocol::sessions::{LabelRequest, LogoutAllRequest};
use serde::Deserialize;

use super::frame::{Frame, go, page};
use super::sign_in::Pressed;
use super::viewer::{Form, Owner};
use super::views::{Line, Row, When};
use super::{Answer, Stop};
use crate::body::{Json, OptionalJson};
use crate::caller::refused;
use crate::path::Path;
use crate::routes::sessions;
use crate::service::Service;

/// How many sessions are shown, and how many events.
const SHOWN: usize = 100;
const LATELY: usize = 15;
/// The longest name of a device, in characters.
const LONGEST_NAME: usize = 100;

/// Forms about one session.
const ONE: &str = "/account/sessions/{id}";

#[derive(Template)]
#[template(path = "account.html")]
struct Page {
    frame: Frame,
    devices: Vec<Device>,
    has_others: bool,
    lately: Vec<Line>,
    longest_name: usize,
}

struct Device {
    row: Row,
    action: String,
    lasts: When,
}

/// `GET /account/sessions`.
pub(super) async fn show(State(service): State<Arc<Service>>, owner: Owner) -> Answer {
    let session = &owner.holder.session;
    let nobody = || refused(handstamp_core::SessionError::Unauthenticated);
    let subject = session.user_id().ok_or_else(|| Stop::Holder(nobody()))?;
    let listed = service.sessions.list(&subject, false, &Portion::first(SHOWN)).await;
    let listed = listed.map_err(Stop::from).map_err(Stop::for_holder)?;
    let filter = EventFilter { subject: Some(subject), ..EventFilter::default() };
    let told = service.sessions.events(&filter, &Portion::first(LATELY)).await;
    let told = told.map_err(Stop::from).map_err(Stop::for_holder)?;
    let current = session.id();
    let mut devices: Vec<Device> =
        listed.sessions.iter().map(|one| Device::of(one, current)).collect();
    devices.sort_by_key(|device| !device.row.is_current);
    let frame = Frame::around(session, &service, "account", owner.is_renewal);
    page(&Page {
        frame: frame.live(paths::EVENTS),
        has_others: devices.iter().any(|device| !device.row.is_current),
        devices,
        lately: told.events.iter().filter(is_of_interest).map(Line::of).collect(),
        longest_name: LONGEST_NAME,
    })
}

impl Device {
    fn of(one: &Listed, current: Option<handstamp_core::SessionId>) -> Self {
        let row = Row::of(one, current);
        let (until, _) = first_to_expire(&one.record, one.record.last_seen);
        debug_assert!(!matches!(one.standing, Standing::Over { .. }), "the list is of live ones");
        Self { action: paths::with(ONE, &row.id), lasts: When::of(until), row }
    }
}

/// What operators do among themselves is not for the holder, nor what happens by the minute.
fn is_of_interest(event: &&Event) -> bool {
    use handstamp_core::event::Action;
    !matches!(
        event.action,
        Action::Admin(_)
            | Action::SessionRefreshed
            | Action::SessionRotated
            | Action::RequestLimited
            | Action::AccessDenied
    )
}

/// `POST /account/sessions/{id}/end`.
pub(super) async fn end(
    State(service): State<Arc<Service>>,
    owner: Owner,
    Path(id): Path<String>,
    Form(Pressed {}): Form<Pressed>,
) -> Answer {
    let session = owner.holder.session.clone();
    let is_own = session.id().is_some_and(|own| own.to_string() == id);
    let ended = sessions::end(State(service), owner.holder, Path(id)).await;
    ended.map_err(Stop::Holder)?;
    if !is_own {
        session.flash("success", "That device is signed out.")?;
    }
    Ok(go(paths::ACCOUNT_SESSIONS))
}

/// `POST /account/sessions/end-others`.
pub(super) async fn end_others(
    State(service): State<Arc<Service>>,
    owner: Owner,
    Form(Pressed {}): Form<Pressed>,
) -> Answer {
    let session = owner.holder.session.clone();
    let spare = OptionalJson(LogoutAllRequest { except_current: Some(true) });
    let ended = sessions::logout_all(State(service), owner.holder, spare).await;
    ended.map_err(Stop::Holder)?;
    session.flash("success", "All other devices are signed out.")?;
    Ok(go(paths::ACCOUNT_SESSIONS))
}

#[derive(Deserialize)]
pub(super) struct Name {
    name: String,
}

/// `POST /account/sessions/{id}/name`; an empty name takes it away.
pub(super) async fn name(
    State(service): State<Arc<Service>>,
    owner: Owner,
    Path(id): Path<String>,
    Form(form): Form<Name>,
) -> Answer {
    let session = owner.holder.session.clone();
    let label = Some(form.name).filter(|name| !name.trim().is_empty());
    let said = match label {
        Some(_) => "That device is named.",
        None => "That device has no name now.",
    };
    let request = Json(LabelRequest { label });
    let named = sessions::label(State(service), owner.holder, Path(id), request).await;
    named.map_err(Stop::Holder)?;
    session.flash("success", said)?;
    Ok(go(paths::ACCOUNT_SESSIONS))
}

/// `POST /account/sessions/sign-out`.
pub(super) async fn sign_out(owner: Owner, Form(Pressed {}): Form<Pressed>) -> Answer {
    let out = owner.holder.session.logout().await;
    out.map_err(Stop::from).map_err(Stop::for_holder)?;
    Ok(go(paths::ACCOUNT_SESSIONS))
}
