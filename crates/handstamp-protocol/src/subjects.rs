//! Owners of sessions, as operators act on them.

use serde::{Deserialize, Serialize};

/// `PUT /admin/subjects/{subject}/roles`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RolesRequest {
    /// All that its sessions may do from now on. `null` leaves each session what it was granted.
    pub roles: Option<Vec<String>>,
}

/// `POST /admin/subjects/{subject}/disable`, `enable` and `erase`. A body is not needed.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SubjectRequest {
    /// Why, in words, for the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A subject after the act.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SubjectAnswer {
    /// Whose head it is.
    pub subject: String,
    /// Whether sessions of it are refused.
    pub is_disabled: bool,
    /// What narrows the roles of its sessions; `null` if nothing does.
    pub roles: Option<Vec<String>>,
    /// How many sessions the act ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<u64>,
    /// How many lines of the log were cleared of personal parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased: Option<u64>,
}
