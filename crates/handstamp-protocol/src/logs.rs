//! The audit log, as holders and operators read it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::sessions::Location;
use crate::{Object, Time};

/// One line. A holder sees the lines of its own sessions, without the last four fields.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogEntry {
    /// Names the line.
    pub id: String,
    /// What happened: `login`, `logout`, `token_refresh`, `session_expired` and so on.
    pub action: String,
    /// Which session it concerns.
    pub session_id: Option<String>,
    /// Where from.
    pub ip_address: Option<IpAddr>,
    /// `User-Agent`.
    pub user_agent: Option<String>,
    /// What it runs on, in words.
    pub device_info: Option<String>,
    /// The place of the address, where it is known.
    pub location: Option<Location>,
    /// Whether what was tried came about.
    pub success: bool,
    /// What went wrong.
    pub error_message: Option<String>,
    /// When.
    pub created_at: Time,
    /// Whom it concerns. For operators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Who did it. For operators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// What else is worth knowing. For operators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Object>,
    /// Its name in the OWASP Logging Vocabulary, where that has one. For operators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owasp_name: Option<String>,
}

/// A page of the log, newest first.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogList {
    /// The lines.
    pub logs: Vec<LogEntry>,
    /// Where the next page begins; `null` at the end.
    pub next: Option<String>,
}

/// `GET /admin/logs`: lines that match everything given.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogsQuery {
    /// Whom it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Which session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// What happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Where from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// Whether it came about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<bool>,
    /// Not before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Time>,
    /// Before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Time>,
    /// How many: 1 to 200, 50 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 200)))]
    pub limit: Option<u16>,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// `GET /admin/logs/verify`: what to hold the log against, besides the checkpoints that the service
/// knows itself.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VerifyLogsQuery {
    /// A checkpoint that was kept elsewhere: its line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
}

/// A piece of the log, read forward to be copied elsewhere. By the local socket only.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogPiece {
    /// The lines, each chain in its order.
    pub logs: Vec<LogEntry>,
    /// Where the next piece begins, also later on.
    pub next: String,
    /// Whether there is more already.
    pub has_more: bool,
}

/// `GET /admin/logs/verify`: whether the chain is whole.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogsVerified {
    /// Whether it is.
    pub ok: bool,
    /// How many lines were looked at.
    pub checked: u64,
    /// The first line that does not fit, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_bad: Option<String>,
    /// When the newest checkpoint was signed that the log was held against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_at: Option<Time>,
}
