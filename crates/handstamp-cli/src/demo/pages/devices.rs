//! Your devices: every session of the account, and how to end them.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use handstamp_axum::{CsrfForm, RequireUser};
use handstamp_core::id::SessionId;
use handstamp_core::record::Record;
use handstamp_core::store::Page as Portion;
use handstamp_core::time::Timestamp;
use handstamp_server::client::device_words;
use serde::Deserialize;

use super::{Answer, Frame, Pressed, go, page};
use crate::demo::App;
use crate::demo::wording::{ago, left, why_in_short};

/// How much of the past the page shows.
const LATELY: usize = 6;
/// The longest name of a device, in characters.
const LONGEST_NAME: usize = 40;

#[derive(Template)]
#[template(path = "devices.html")]
struct Page {
    frame: Frame,
    here: Vec<Device>,
    others: Vec<Device>,
    ended: Vec<Past>,
    longest_name: usize,
}

struct Device {
    id: SessionId,
    name: Option<String>,
    words: String,
    began: String,
    seen: String,
    lasts: String,
    is_remembered: bool,
}

struct Past {
    words: String,
    why: &'static str,
    when: String,
}

/// The list.
pub(in crate::demo) async fn show(State(app): State<Arc<App>>, user: RequireUser) -> Answer {
    let now = app.sessions.now();
    let records = app.sessions.sessions_of(user.id(), true, &Portion::first(100)).await?.records;
    let is_live = |record: &&Record| !record.is_tombstone() && record.due_at() > now;
    let (here, others) = records
        .iter()
        .filter(is_live)
        .partition::<Vec<_>, _>(|record| user.session().id() == Some(record.id));
    let device =
        |records: Vec<&Record>| records.into_iter().map(|r| self::device(r, now)).collect();
    let ended = records.iter().filter_map(|record| past(record, now)).take(LATELY).collect();
    let frame = Frame::of(user.session(), "devices")?;
    let (here, others) = (device(here), device(others));
    page(&Page { frame, here, others, ended, longest_name: LONGEST_NAME })
}

/// What a device is: in its own words if it has any, as a terminal has.
fn words(record: &Record) -> String {
    let told = record.client.device.as_deref().map(Into::into);
    let known = || record.client.user_agent.as_deref().and_then(device_words);
    told.or_else(known).unwrap_or_else(|| "Unknown device".into())
}

fn device(record: &Record, now: Timestamp) -> Device {
    Device {
        id: record.id,
        name: record.label.as_deref().map(Into::into),
        words: words(record),
        began: ago(now.since(record.created_at)),
        seen: ago(now.since(record.last_seen)),
        lasts: left(record.due_at().since(now)),
        is_remembered: record.is_remembered,
    }
}

fn past(record: &Record, now: Timestamp) -> Option<Past> {
    let ended = record.ended.as_ref()?;
    let words = record.label.as_deref().map_or_else(|| words(record), Into::into);
    Some(Past { words, why: why_in_short(ended.reason), when: ago(now.since(ended.at)) })
}

#[derive(Deserialize)]
pub(in crate::demo) struct One {
    id: SessionId,
}

/// Ends one session of the account.
pub(in crate::demo) async fn end_one(user: RequireUser, CsrfForm(one): CsrfForm<One>) -> Answer {
    if user.session().id() == Some(one.id) {
        user.logout().await?;
        return go("/signed-out");
    }
    match user.end_other(one.id).await? {
        true => user.flash("success", "That device is signed out.")?,
        false => user.flash("error", "That device was signed out already.")?,
    }
    go("/devices")
}

/// Ends every session of the account but this one.
pub(in crate::demo) async fn end_others(
    user: RequireUser,
    CsrfForm(Pressed {}): CsrfForm<Pressed>,
) -> Answer {
    let said = match user.end_others().await? {
        0 => "No other device was signed in.".to_owned(),
        1 => "1 other device is signed out.".to_owned(),
        count => format!("{count} other devices are signed out."),
    };
    user.flash("success", &said)?;
    go("/devices")
}

#[derive(Deserialize)]
pub(in crate::demo) struct Name {
    name: String,
}

/// Gives this device a name; an empty one takes it away.
pub(in crate::demo) async fn name(user: RequireUser, CsrfForm(form): CsrfForm<Name>) -> Answer {
    let name = form.name.trim();
    if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Ok(StatusCode::UNPROCESSABLE_ENTITY.into_response());
    }
    user.label(Some(name).filter(|name| !name.is_empty())).await?;
    let said =
        if name.is_empty() { "This device has no name now." } else { "This device is named." };
    user.flash("success", said)?;
    go("/devices")
}
