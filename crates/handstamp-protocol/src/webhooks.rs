//! Webhooks, signed per Standard Webhooks.

use serde::{Deserialize, Serialize};

use crate::logs::LogEntry;
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
    /// Which events; names may end in `*`. All by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<String>>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
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
    /// Whether it sends; too many failures in a row turn it off.
    pub is_enabled: bool,
    /// What it signs with; told once, when it is added.
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
