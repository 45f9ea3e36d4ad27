//! Whether the service is well.

use serde::{Deserialize, Serialize};

use crate::names::names;

names! {
    /// How it is.
    HealthStatus {
        /// Well.
        Ok = "ok",
        /// Alive, but its store does not answer.
        Unavailable = "unavailable",
    }
}

/// `GET /healthz` and `GET /readyz`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Health {
    /// How it is; anything but `ok` comes with 503.
    pub status: HealthStatus,
}
