//! Fresh factors.

use serde::{Deserialize, Serialize};

use crate::sessions::Session;

/// `POST /sessions/step-up`: a fresh factor of the user was checked.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StepUpRequest {
    /// Whose sign-in is fresh now.
    pub session_id: String,
    /// What was checked (RFC 8176): 1 to 16 methods, each of 1 to 64 characters. With those that the
    /// session names already they are 16 at most.
    pub amr: Vec<String>,
}

/// The session with its sign-in renewed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StepUpAnswer {
    /// The session.
    pub session: Session,
}
