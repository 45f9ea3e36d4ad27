//! Access tokens (RFC 9068) and the keys that they are checked with (RFC 7517).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::sessions::Kind;

/// The `typ` of an access token.
pub const ACCESS_TOKEN_TYPE: &str = "at+jwt";

/// What an access token says. Times are whole seconds since the epoch.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccessClaims {
    /// Who made it.
    pub iss: String,
    /// Whom it is for.
    pub aud: Audience,
    /// Who asked for it.
    pub client_id: String,
    /// The application's id of the user.
    pub sub: String,
    /// The session.
    pub sid: String,
    /// The session's generation that it was minted with.
    #[serde(rename = "gen")]
    pub generation: u32,
    /// The subject's epoch then.
    pub epoch: u64,
    /// The deployment's epoch then.
    pub deployment: u64,
    /// When it was made.
    pub iat: u64,
    /// When it is over.
    pub exp: u64,
    /// Not before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    /// Names the token.
    pub jti: String,
    /// The last full sign-in.
    pub auth_time: u64,
    /// How the user signed in (RFC 8176).
    pub amr: Vec<String>,
    /// What the session may do.
    pub roles: Vec<String>,
    /// Guest or user.
    pub kind: Kind,
    /// Who acts for the user (RFC 8693); reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Value>,
    /// The key that the token is bound to (RFC 7800); reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Value>,
}

impl AccessClaims {
    /// Whether the session may act in `role`.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|own| own == role)
    }
}

/// One audience or several. One is written as text, several as an array.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Audience {
    /// One.
    One(String),
    /// Several, or none.
    Several(Vec<String>),
}

impl Audience {
    /// Whether `name` is one of them, to the letter.
    pub fn contains(&self, name: &str) -> bool {
        match self {
            Self::One(one) => one == name,
            Self::Several(several) => several.iter().any(|one| one == name),
        }
    }
}

/// `GET /.well-known/jwks.json`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Jwks {
    /// Public keys: those in use, those that come next, those whose tokens still live.
    pub keys: Vec<Jwk>,
}

/// A public key (RFC 7517, RFC 8037). Never a private one, never a secret.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Jwk {
    /// `EC` or `OKP`.
    pub kty: String,
    /// `P-256` or `Ed25519`.
    pub crv: String,
    /// The one algorithm it is good for: `ES256` or `Ed25519`.
    pub alg: String,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub usage: String,
    /// Its name: its thumbprint (RFC 7638).
    pub kid: String,
    /// The public point, or its first coordinate.
    pub x: String,
    /// The second coordinate of an `EC` key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
}
