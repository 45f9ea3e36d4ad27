//! What those who manage webhooks and those who deliver have in common.

use std::sync::Arc;

use handstamp_core::SessionManager;
use handstamp_core::event::Event;
use handstamp_core::ledger::Ledger;
use handstamp_core::random::Rng;
use handstamp_core::time::{Clock, Timestamp};
use tokio::sync::watch;

use super::error::WebhookError;
use super::hook::Hook;
use super::log::Log;
use super::options::WebhookOptions;
use super::payload;
use super::secret::signatures;
use super::send::{Message, Sender};
use bytes::Bytes;

pub(super) struct Shared {
    pub(super) sessions: SessionManager,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) rng: Arc<dyn Rng>,
    pub(super) sender: Sender,
    pub(super) log: Log,
    pub(super) options: WebhookOptions,
    /// Told when somebody changed a webhook.
    pub(super) changed: watch::Sender<()>,
}

impl Shared {
    /// Tells that somebody changed a webhook.
    pub(super) fn has_changed(&self) {
        self.changed.send_replace(());
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What tells the receiver of `hook` about `event`.
    pub(super) fn message(
        &self,
        hook: &Hook,
        id: &str,
        event: &Event,
    ) -> Result<Message, WebhookError> {
        self.sign(hook, id, payload::of_event(event))
    }

    /// Signs `body` for the receiver of `hook`, as sent now.
    pub(super) fn sign(&self, hook: &Hook, id: &str, body: Bytes) -> Result<Message, WebhookError> {
        let now = self.now();
        let secrets = hook.secrets(self.sessions.keys(), now)?;
        let timestamp = now.as_seconds();
        let signature = signatures(&secrets, id, timestamp, &body);
        Ok(Message { id: id.to_owned(), timestamp, signature, body })
    }
}
