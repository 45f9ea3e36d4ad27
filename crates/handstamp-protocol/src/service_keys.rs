//! Keys of services that call.

use serde::{Deserialize, Serialize};

use crate::names::names;
use crate::{Secret, Time};

/// How every service key begins, for scanners that look for lost secrets.
pub const PREFIX: &str = "hsk_";

names! {
    /// What a service key may do.
    Scope {
        /// Begin sessions.
        Begin = "begin",
        /// Look into tokens.
        Introspect = "introspect",
        /// Tell of failed sign-ins.
        Failures = "failures",
        /// Tell of fresh factors.
        StepUp = "step-up",
        /// Follow the revocation feed.
        Feed = "feed",
        /// All five of those.
        Sessions = "sessions",
        /// Everything under `/admin`.
        Admin = "admin",
    }
}

/// A service key as it is listed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServiceKey {
    /// Names it.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The roles it may grant.
    #[serde(default)]
    pub grant_roles: Vec<String>,
    /// When it was made.
    pub created_at: Time,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Time>,
}

/// A service key when it is made: the only time that the key itself is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServiceKeyCreated {
    /// Names it.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The key.
    pub key: Secret,
}
