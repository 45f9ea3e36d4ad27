//! Sign-ins that failed.

use serde::{Deserialize, Serialize};

use crate::names::names;
use crate::object;
use crate::sessions::Client;

/// `POST /sessions/failures`: somebody failed to sign in.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FailureRequest {
    /// Who it would have been, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What was typed as the name. Kept as a keyed hash only: people type passwords there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identifier: Option<String>,
    /// What went wrong, as the application names it: `bad_password`.
    pub reason: String,
    /// Who is at the other end, as the caller sees it.
    #[serde(default, deserialize_with = "object::only")]
    pub client: Client,
}

names! {
    /// What to do with the next try.
    Advice {
        /// Let it come.
        Allow = "allow",
        /// Let it wait.
        Delay = "delay",
        /// Refuse it.
        Block = "block",
    }
}

/// What the service makes of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FailureAnswer {
    /// How many failures are recent for this subject, name or address.
    pub failures_recent: u64,
    /// What to do with the next try.
    pub advice: Advice,
    /// For how long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
}
