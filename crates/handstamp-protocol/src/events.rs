//! Server-sent events: what happens, as it happens.
//!
//! The name of an event is the `event:` line, its body one JSON object in the `data:` line.
//! Operators get a [`LogEntry`](crate::logs::LogEntry) as body, holders a [`HolderEvent`].

use serde::{Deserialize, Serialize};

use crate::Time;
use crate::names::names;
use crate::sessions::Reason;

names! {
    /// What a holder hears of.
    HolderEventName {
        /// The session that listens has new tokens or times.
        SessionRefreshed = "session.refreshed",
        /// A session of the holder ended; after its own end the stream closes.
        SessionEnded = "session.ended",
        /// The list of sessions is another: read it again.
        SessionsChanged = "sessions.changed",
    }
}

/// What happened to a session of the holder.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HolderEvent {
    /// Which.
    pub session_id: Option<String>,
    /// When.
    pub at: Time,
    /// Why it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}
