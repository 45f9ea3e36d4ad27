//! Webhooks, signed per Standard Webhooks.

use serde::{Deserialize, Serialize};

use crate::logs::LogEntry;
use crate::names::names;
use crate::{Secret, Time};

/// Header: names the message; the same for every try.
pub const ID_HEADER: &str = "webhook-id";
/// Header: when this try was made, in seconds since the epoch.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// Header: `v1,` and the signature in base64; several are separated by spaces.
pub const SIGNATURE_HEADER: &str = "webhook-signature";
/// How signing secrets begin.
pub const SECRET_PREFIX: &str = "whsec_";

/// `POST /admin/webhooks`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WebhookRequest {
    /// Where to send to.
    pub url: String,
    /// Which events, by name; `risk.*` is all whose name begins with `risk.`. All by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<String>>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// `PATCH /admin/webhooks/{id}`: what is not named stays.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WebhookUpdate {
    /// Where to send to from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Which events from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<String>>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether it sends. One that is turned on again goes on where it stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_enabled: Option<bool>,
}

/// One webhook.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Webhook {
    /// Names it.
    pub id: String,
    /// Where it sends to.
    pub url: String,
    /// Which events.
    pub events: Vec<String>,
    /// What it is for.
    pub description: Option<String>,
    /// When it was added.
    pub created_at: Time,
    /// Whether it sends; three days of nothing but failures turn it off, and so does an answer of
    /// 410 Gone.
    pub is_enabled: bool,
    /// Why it was turned off, if not by an operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<String>,
    /// Since when nothing was taken, if the last try failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Time>,
    /// What it signs with; told once, when it is added or the secret is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
}

/// `GET /admin/webhooks`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WebhookList {
    /// The webhooks, oldest first.
    pub webhooks: Vec<Webhook>,
    /// Where the next page begins; `null` at the end.
    pub next: Option<String>,
}

/// `POST /admin/webhooks/{id}/test`: what came of one try.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WebhookTest {
    /// Whether it was taken.
    pub delivered: bool,
    /// What the other side answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

names! {
    /// How far a delivery is.
    DeliveryState {
        /// It will be tried, perhaps again.
        Waiting = "waiting",
        /// The other side took it.
        Delivered = "delivered",
        /// It was given up.
        Failed = "failed",
    }
}

/// One event on its way to one webhook, without the event itself.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeliveryStatus {
    /// Names it among the deliveries of its webhook.
    pub id: String,
    /// The `webhook-id` that the other side sees; the same for every webhook and every try.
    pub message_id: String,
    /// What happened: `session.ended`.
    pub event: String,
    /// When that happened.
    pub event_at: Time,
    /// How far it is.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was tried last.
    pub last_attempt_at: Option<Time>,
    /// What the other side answered last.
    pub last_status: Option<u16>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it is tried next; `null` when it is not.
    pub next_attempt_at: Option<Time>,
}

/// `GET /admin/webhooks/{id}/deliveries`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeliveryList {
    /// First those that wait, then the others, newest first.
    pub deliveries: Vec<DeliveryStatus>,
    /// Where the next page begins; `null` at the end.
    pub next: Option<String>,
}

/// The body of a delivery.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Delivery {
    /// What happened: `session.ended`.
    #[serde(rename = "type")]
    pub name: String,
    /// When it happened.
    pub timestamp: Time,
    /// The line of the log.
    pub data: LogEntry,
}
