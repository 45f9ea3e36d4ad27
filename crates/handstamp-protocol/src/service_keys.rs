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

/// Asks for a service key.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServiceKeyRequest {
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The roles it may grant; none by default.
    #[serde(default)]
    pub grant_roles: Vec<String>,
}

/// Every service key.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServiceKeyList {
    /// By their ids.
    pub service_keys: Vec<ServiceKey>,
}

/// What became of a service key that was to be revoked.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServiceKeyRevoked {
    /// Whether this revoked it; `false` where it had been before.
    pub revoked: bool,
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
    /// When it was revoked; `null` while it is good.
    pub revoked_at: Option<Time>,
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
