//! What of webhooks can be set.

use std::time::Duration;

use crate::settings::Webhooks;

/// How deliveries are made. The settings `webhooks.*` become one of these.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WebhookOptions {
    /// How long a receiver may take to answer, all in all. 10 seconds by default.
    pub timeout: Duration,
    /// How often a delivery is tried before it is given up. 10 by default, which takes three
    /// days.
    pub max_attempts: u32,
    /// Whether receivers may be at private, loopback and link-local addresses, and are then
    /// reached over plain `http` too. Off by default.
    ///
    /// # Security
    /// With it, whoever may add a webhook can make the service send requests to its own network
    /// (SSRF, OWASP A10:2021). The answer is never shown, its status is.
    pub allow_private_networks: bool,
    /// How long deliveries that are over stay in the list. 7 days by default.
    pub kept: Duration,
}

impl From<&Webhooks> for WebhookOptions {
    fn from(settings: &Webhooks) -> Self {
        let Webhooks { timeout, max_attempts, allow_private_networks, .. } = *settings;
        Self { timeout, max_attempts, allow_private_networks, ..Self::default() }
    }
}

impl Default for WebhookOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            max_attempts: 10,
            allow_private_networks: false,
            kept: Duration::from_secs(7 * 86_400),
        }
    }
}
