//! Refresh tokens exchanged.

use serde::{Deserialize, Serialize};

use crate::names::names;
use crate::{Secret, Time};

/// `POST /sessions/refresh`. A session with a cookie sends none of the tokens.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RefreshRequest {
    /// The current refresh token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Secret>,
    /// At least 128 random bits that the client wrote down before it asked. With them, a lost
    /// answer is given again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_id: Option<Secret>,
    /// When the user was last active, as the client saw it; moved into what can be. A refresh
    /// alone is no activity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_active_at: Option<Time>,
}

names! {
    /// Which case served a refresh: the header `Handstamp-Refresh`.
    Served {
        /// The next generation.
        Rotated = "rotated",
        /// Another call of the same moment had the next generation made; this is the same one.
        Concurrent = "concurrent",
        /// The answer to an earlier attempt, once more.
        Retried = "retried",
    }
}
