//! Why a service does not start.

use handstamp_core::ledger::LedgerError;

/// Why a service does not start. `Display` with its sources is one line that says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The data was written under another key ring. Nothing was written under this one.
    #[error("this is not the key ring of the data: {0}; name the right one with --keys")]
    OtherRing(String),
    /// The signing keys cannot be read or made.
    #[error("the signing keys of access tokens cannot be used: {0}")]
    SigningKeys(String),
    /// The file of places cannot be read.
    #[error(transparent)]
    Geo(#[from] crate::geo::GeoError),
    /// A threshold of a risk rule is out of its range.
    #[error(transparent)]
    Risk(#[from] crate::risk::RiskConfigError),
    /// Webhooks cannot be sent.
    #[error("webhooks cannot be used")]
    Webhooks(#[from] crate::webhooks::WebhookError),
    /// The sessions are out of reach.
    #[error("the sessions cannot be read")]
    Sessions(#[from] handstamp_core::SessionError),
    /// What is kept beside the sessions is out of reach.
    #[error("the ledger of the service cannot be used")]
    Ledger(#[from] LedgerError),
    /// The file of checkpoints cannot be read or appended to.
    #[error("audit.checkpoint_file {} cannot be used", path.display())]
    Checkpoints {
        /// Which.
        path: std::path::PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The address is taken, or may not be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}
