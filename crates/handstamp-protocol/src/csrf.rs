//! Tokens against cross-site requests.

use serde::{Deserialize, Serialize};

use crate::Secret;

/// `GET /sessions/csrf`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CsrfAnswer {
    /// What the header `X-CSRF-Token` is to carry; masked anew in each answer.
    pub csrf_token: Secret,
}
