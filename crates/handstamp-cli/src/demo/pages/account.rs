//! Your account: what you bought, and what the stamp on your hand says.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use handstamp_axum::RequireUser;
use handstamp_core::record::Record;
use handstamp_core::time::Timestamp;

use super::{Answer, Frame, page};
use crate::demo::App;
use crate::demo::shop::Order;
use crate::demo::wording::{ago, left, span};

#[derive(Template)]
#[template(path = "account.html")]
struct Page {
    frame: Frame,
    orders: Vec<Order>,
    facts: Vec<(&'static str, String)>,
}

/// Orders and session of whoever is signed in.
pub(in crate::demo) async fn show(State(app): State<Arc<App>>, user: RequireUser) -> Answer {
    let orders = app.shop.orders_of(user.id().as_str());
    let facts = user.record().map(|record| facts(&record, app.sessions.now())).unwrap_or_default();
    page(&Page { frame: Frame::of(user.session(), "account")?, orders, facts })
}

/// What a session knows of itself; none of it is secret from its holder.
fn facts(record: &Record, now: Timestamp) -> Vec<(&'static str, String)> {
    let roles: Vec<&str> = record.roles.iter().collect();
    let idle = record.idle_lifetime.map_or_else(|| "never".into(), span);
    vec![
        ("Session", record.id.to_string()),
        ("Subject", record.subject.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("Roles", if roles.is_empty() { "none".into() } else { roles.join(", ") }),
        ("Signed in", ago(now.since(record.authenticated_at))),
        ("Proved by", record.amr.join(", ")),
        ("Ends when idle for", idle),
        ("Ends at the latest in", left(record.absolute_expiry.since(now))),
        ("Outlives the browser", if record.is_remembered { "yes" } else { "no" }.into()),
    ]
}
