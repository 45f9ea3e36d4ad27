//! Forward-auth: what a proxy asks, and the assertion that it passes on.

use serde::{Deserialize, Serialize};

use crate::sessions::Kind;

/// The `typ` of an assertion: it never passes as an access token, nor the other way round.
pub const ASSERTION_TYPE: &str = "handstamp-assertion+jwt";

/// How long an assertion is good.
pub const ASSERTION_SECONDS: u64 = 60;

/// `/sessions/verify`: what the session must satisfy.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VerifyQuery {
    /// A role that it must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// A permission that its roles must give.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission: Option<String>,
    /// How fresh the sign-in must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_seconds: Option<u64>,
    /// Whether a guest will do; not by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_guest: Option<bool>,
    /// Where to send whoever is not signed in; must be on the configured list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect: Option<String>,
}

/// What the assertion in `X-Handstamp-Assertion` says.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AssertionClaims {
    /// Who made it.
    pub iss: String,
    /// The host that the request was for.
    pub aud: String,
    /// The application's id of the user; none for an anonymous session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// The session.
    pub sid: String,
    /// Anonymous, guest or user.
    pub kind: Kind,
    /// What the session may do.
    pub roles: Vec<String>,
    /// When it was made, in seconds since the epoch.
    pub iat: u64,
    /// When it is over.
    pub exp: u64,
    /// Names it.
    pub jti: String,
}
