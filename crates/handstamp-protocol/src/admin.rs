//! Sessions as operators list and end them.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::object;
use crate::sessions::Kind;
use crate::{Secret, Time};

/// `GET /admin/sessions`: sessions that match everything given.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AdminSessionsQuery {
    /// Whose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Anonymous, guest or user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Live ones, or dead ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// Last used from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// What it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// ISO 3166-1 alpha-2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// What it may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Began then or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_after: Option<Time>,
    /// Began earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_before: Option<Time>,
    /// Last active then or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_after: Option<Time>,
    /// Last active earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_before: Option<Time>,
    /// How many: 1 to 200, 50 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 200)))]
    pub limit: Option<u16>,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl AdminSessionsQuery {
    /// What it asks for, without the page.
    pub fn into_filter(self) -> SessionFilter {
        SessionFilter {
            subject: self.subject,
            id: self.id,
            kind: self.kind,
            active: self.active,
            ip: self.ip,
            device: self.device,
            country: self.country,
            role: self.role,
            created_after: self.created_after,
            created_before: self.created_before,
            seen_after: self.seen_after,
            seen_before: self.seen_before,
        }
    }
}

/// The filters of the list, as a bulk end takes them: so the list is its preview.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionFilter {
    /// Whose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Anonymous, guest or user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Live ones, or dead ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// Last used from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// What it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// ISO 3166-1 alpha-2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// What it may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Began then or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_after: Option<Time>,
    /// Began earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_before: Option<Time>,
    /// Last active then or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_after: Option<Time>,
    /// Last active earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_before: Option<Time>,
}

impl SessionFilter {
    /// Whether it names nothing and so would match every session.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// `POST /admin/sessions/end`: either `filter` or `ids`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EndRequest {
    /// Those that match; an empty filter is refused.
    #[serde(
        default,
        deserialize_with = "object::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub filter: Option<SessionFilter>,
    /// These.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<String>>,
    /// Why, in words, for the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Only count; not by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
    /// Set aside first and end only after so long, unless it is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_seconds: Option<u64>,
}

/// What a bulk end came to.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EndAnswer {
    /// How many this call dealt with.
    pub processed: u64,
    /// Whether more match: call again.
    pub more: bool,
    /// What takes it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_id: Option<String>,
}

/// `POST /admin/sessions/{id}/suspend`. A body is not needed.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SuspendRequest {
    /// Why, in words, for the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What became of a session that was to be set aside or taken back.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SuspendedAnswer {
    /// Whether it is set aside now.
    pub suspended: bool,
}

/// `POST /admin/undo/{id}`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UndoAnswer {
    /// How many sessions are back.
    pub resumed: u64,
}

/// `GET /local/clock`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServiceClock {
    /// The present, by the clock that the service judges by. It was set when the service started,
    /// and does not follow the wall clock after that.
    pub now: Time,
}

/// `POST /local/dashboard-link`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DashboardLink {
    /// Signs an operator in: good once, in one browser.
    pub link: Secret,
}
