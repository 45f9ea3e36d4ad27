//! Webhooks: added, tried, turned off, and what came of their deliveries.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use handstamp_core::SessionError;
use handstamp_core::store::Page as Portion;
use handstamp_protocol::paths;
use handstamp_protocol::webhooks::{
    DeliveryState, DeliveryStatus, Webhook, WebhookRequest, WebhookUpdate,
};
use serde::Deserialize;

use super::frame::{Frame, go, page};
use super::sign_in::Pressed;
use super::viewer::{Form, Viewer};
use super::views::When;
use super::{Answer, Stop};
use crate::answer::timestamp;
use crate::path::Path;
use crate::routes::admin::webhooks::{failed, noted};
use crate::service::Service;

/// The page of one webhook.
const WEBHOOK: &str = "/admin/ui/webhooks/{id}";
const LIST: &str = "/admin/ui/webhooks";
/// How many deliveries are shown, and how many webhooks.
const SHOWN: usize = 50;

struct Hook {
    id: String,
    link: String,
    url: String,
    events: String,
    description: Option<String>,
    is_enabled: bool,
    disabled_reason: Option<String>,
    failing_since: Option<When>,
}

impl Hook {
    fn of(webhook: Webhook) -> Self {
        Self {
            link: paths::with(WEBHOOK, &webhook.id),
            id: webhook.id,
            url: webhook.url,
            events: match webhook.events.iter().any(|name| name == "*") {
                true => "all events".into(),
                false => webhook.events.join(", "),
            },
            description: webhook.description,
            is_enabled: webhook.is_enabled,
            disabled_reason: webhook.disabled_reason,
            failing_since: webhook.failing_since.map(|at| When::of(timestamp(at))),
        }
    }
}

#[derive(Template)]
#[template(path = "webhooks.html")]
struct List {
    frame: Frame,
    hooks: Vec<Hook>,
    /// The secret of one that was just added, told this once.
    secret: Option<String>,
}

/// `GET /admin/ui/webhooks`.
pub(super) async fn list(State(service): State<Arc<Service>>, viewer: Viewer) -> Answer {
    page(&listed(&service, &viewer, None).await?)
}

async fn listed(service: &Service, viewer: &Viewer, secret: Option<String>) -> Result<List, Stop> {
    let listed = service.webhooks.list(&Portion::first(SHOWN)).await.map_err(failed)?;
    let hooks = listed.webhooks.into_iter().map(Hook::of).collect();
    Ok(List { frame: Frame::of(viewer, service, "webhooks"), hooks, secret })
}

#[derive(Deserialize)]
pub(super) struct New {
    url: String,
    events: String,
    description: String,
}

/// `POST /admin/ui/webhooks`. Answers the page itself, with the signing secret: nothing that is
/// stored may hold it, so no message can carry it over a redirect.
pub(super) async fn create(
    State(service): State<Arc<Service>>,
    viewer: Viewer,
    Form(new): Form<New>,
) -> Answer {
    let events: Vec<String> =
        new.events.split([',', ' ']).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let request = WebhookRequest {
        url: new.url.trim().to_owned(),
        events: Some(events).filter(|events| !events.is_empty()),
        description: Some(new.description).filter(|text| !text.trim().is_empty()),
    };
    let added = service.webhooks.create(request).await.map_err(failed)?;
    noted(&service, &viewer.operator, "webhook_created", &added.id).await?;
    let secret = added.secret.map(|secret| secret.expose().to_owned());
    page(&listed(&service, &viewer, secret).await?)
}

struct Sent {
    id: String,
    event: String,
    when: When,
    /// A class and a word.
    state: (&'static str, &'static str),
    attempts: u32,
    last: String,
    next: Option<When>,
    may_retry: bool,
}

impl Sent {
    fn of(one: DeliveryStatus) -> Self {
        let status = one.last_status.map(|status| format!("answered {status}"));
        Self {
            id: one.id,
            event: one.event,
            when: When::of(timestamp(one.event_at)),
            state: match one.state {
                DeliveryState::Delivered => ("good", "delivered"),
                DeliveryState::Failed => ("bad", "given up"),
                _ => ("warn", "waiting"),
            },
            attempts: one.attempts,
            last: one.last_error.or(status).unwrap_or_default(),
            next: one.next_attempt_at.map(|at| When::of(timestamp(at))),
            may_retry: one.state != DeliveryState::Waiting,
        }
    }
}

#[derive(Template)]
#[template(path = "webhook.html")]
struct One {
    frame: Frame,
    hook: Hook,
    sent: Vec<Sent>,
}

/// `GET /admin/ui/webhooks/{id}`.
pub(super) async fn show(
    State(service): State<Arc<Service>>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Answer {
    let hook = found(service.webhooks.get(&id).await.map_err(failed)?)?;
    let sent = service.webhooks.deliveries(&id, &Portion::first(SHOWN)).await.map_err(failed)?;
    page(&One {
        frame: Frame::of(&viewer, &service, "webhooks").live(paths::ADMIN_EVENTS),
        hook: Hook::of(hook),
        sent: found(sent)?.deliveries.into_iter().map(Sent::of).collect(),
    })
}

fn found<T>(one: Option<T>) -> Result<T, Stop> {
    one.ok_or_else(|| SessionError::NotFound.into())
}

/// `POST /admin/ui/webhooks/{id}/test`.
pub(super) async fn test(
    State(service): State<Arc<Service>>,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(Pressed {}): Form<Pressed>,
) -> Answer {
    let tried = found(service.webhooks.test(&id).await.map_err(failed)?)?;
    let (key, said) = match (tried.delivered, tried.status, tried.error) {
        (true, ..) => ("success", format!("It was taken, in {} ms.", tried.duration_ms)),
        (false, Some(status), _) => ("error", format!("The other side answered {status}.")),
        (false, None, error) => ("error", error.unwrap_or_else(|| "It did not arrive".into())),
    };
    viewer.session.flash(key, &said)?;
    Ok(go(&paths::with(WEBHOOK, &id)))
}

#[derive(Deserialize)]
pub(super) struct Switch {
    is_enabled: bool,
}

/// `POST /admin/ui/webhooks/{id}`: turns it on or off.
pub(super) async fn switch(
    State(service): State<Arc<Service>>,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(to): Form<Switch>,
) -> Answer {
    let update = WebhookUpdate { is_enabled: Some(to.is_enabled), ..WebhookUpdate::default() };
    found(service.webhooks.update(&id, update).await.map_err(failed)?)?;
    noted(&service, &viewer.operator, "webhook_changed", &id).await?;
    let said = if to.is_enabled { "It sends again." } else { "It sends nothing any more." };
    viewer.session.flash("success", said)?;
    Ok(go(&paths::with(WEBHOOK, &id)))
}

/// `POST /admin/ui/webhooks/{id}/remove`.
pub(super) async fn remove(
    State(service): State<Arc<Service>>,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(Pressed {}): Form<Pressed>,
) -> Answer {
    let is_removed = service.webhooks.remove(&id).await.map_err(failed)?;
    found(is_removed.then_some(()))?;
    noted(&service, &viewer.operator, "webhook_removed", &id).await?;
    viewer.session.flash("success", "The webhook is removed.")?;
    Ok(go(LIST))
}

#[derive(Deserialize)]
pub(super) struct Again {
    delivery: String,
}

/// `POST /admin/ui/webhooks/{id}/retry`.
pub(super) async fn retry(
    State(service): State<Arc<Service>>,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(again): Form<Again>,
) -> Answer {
    let is_sent = service.webhooks.retry(&id, &again.delivery).await.map_err(failed)?;
    found(is_sent.then_some(()))?;
    noted(&service, &viewer.operator, "webhook_delivery_retried", &id).await?;
    viewer.session.flash("success", "It is sent once more.")?;
    Ok(go(&paths::with(WEBHOOK, &id)))
}
