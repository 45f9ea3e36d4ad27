//! What would other limits do?

use serde::{Deserialize, Serialize};

use crate::sessions::Session;

/// `POST /admin/policy/dry-run`: limits to try; those left out stay as they are.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DryRunRequest {
    /// How long a session may be idle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_seconds: Option<u64>,
    /// How long it lasts whatever happens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absolute_seconds: Option<u64>,
    /// How many live sessions a subject may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_sessions: Option<u32>,
}

/// Whom those limits would have signed out.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DryRunAnswer {
    /// How many live sessions were looked at.
    pub checked: u64,
    /// How many would be over.
    pub sessions: u64,
    /// Of how many subjects.
    pub subjects: u64,
    /// Some of them.
    pub sample: Vec<Session>,
}
