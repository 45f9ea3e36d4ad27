//! "Why was I signed out?"

use serde::{Deserialize, Serialize};

use crate::sessions::Reason;
use crate::status::FirstToExpire;
use crate::{Secret, Time};

/// `POST /sessions/why`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WhyRequest {
    /// A token of the session; answered only if its proof is good.
    pub token: Secret,
}

/// What is the matter with a session.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Why {
    /// Whether it is live.
    pub is_active: bool,
    /// Why it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,
    /// What will end it first, while it is live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_to_expire: Option<FirstToExpire>,
    /// When that will be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
}
