//! What can go wrong around webhooks, but for deliveries: those are tried again.

use handstamp_core::data::DataError;
use handstamp_core::ledger::LedgerError;
use handstamp_core::random::RandomError;
use handstamp_core::store::StoreError;

use crate::seal::SealError;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An act on webhooks that did not come about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// What was asked for breaks a rule: `field` names it and `why` says it to whoever asked.
    /// Retrying never helps.
    #[error("{field}: {why}")]
    Invalid {
        /// The field of the request.
        field: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// There are as many webhooks as there may be. Retrying helps once one is removed.
    #[error("there are {most} webhooks, and there may be no more")]
    Full {
        /// How many there may be.
        most: usize,
    },
    /// What is kept of webhooks is out of reach or cannot be read; what that means for a change,
    /// and whether to try again, the source tells.
    #[error("the ledger of webhooks did not do it")]
    Ledger(#[from] LedgerError),
    /// The audit log is out of reach; retrying helps once the cause is gone.
    #[error("the audit log cannot be read")]
    Log(#[source] StoreError),
    /// The signing secret of a webhook is lost with the key that sealed it. Retrying never helps;
    /// another secret does.
    #[error("a signing secret cannot be sealed or opened")]
    Secret(#[source] BoxError),
    /// No random bytes could be had; retrying seldom helps.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// A client for HTTPS cannot be made: the system has no certificates that can be used.
    /// Retrying helps once it has.
    #[error("no client for HTTPS can be made")]
    Client(#[source] BoxError),
}

impl WebhookError {
    pub(super) fn invalid(field: &'static str, why: impl Into<String>) -> Self {
        Self::Invalid { field, why: why.into() }
    }

    pub(super) fn client(error: reqwest::Error) -> Self {
        Self::Client(error.without_url().into())
    }
}

impl From<SealError> for WebhookError {
    fn from(error: SealError) -> Self {
        Self::Secret(error.into())
    }
}

impl From<StoreError> for WebhookError {
    fn from(error: StoreError) -> Self {
        Self::Ledger(error.into())
    }
}

impl From<DataError> for WebhookError {
    fn from(error: DataError) -> Self {
        Self::Ledger(error.into())
    }
}
