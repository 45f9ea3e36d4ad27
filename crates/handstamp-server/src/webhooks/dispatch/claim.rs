//! Beginning deliveries: each is claimed in the ledger, then sent by a task of its own.

use std::sync::Arc;
use std::time::Duration;

use handstamp_core::ledger::{Put, Written};
use handstamp_core::time::Timestamp;
use tokio::task::JoinSet;

use super::lane::{Lane, Waiting};
use crate::webhooks::delivery::Delivery;
use crate::webhooks::error::WebhookError;
use crate::webhooks::send::{Attempt, Message};
use crate::webhooks::shared::Shared;

/// How long after the longest try a claim runs out: whoever made it is gone.
const MARGIN: Duration = Duration::from_secs(30);

/// A delivery that came to an end, and how.
pub(super) struct Sent {
    pub(super) hook: String,
    pub(super) delivery: Delivery,
    /// The version that was claimed.
    pub(super) version: u64,
    /// Whether it was tried before its time.
    pub(super) is_early: bool,
    pub(super) outcome: Outcome,
}

/// What came of a delivery.
pub(super) enum Outcome {
    /// It was tried.
    Tried(Attempt),
    /// There is nothing to send any more.
    Lost,
}

impl Lane {
    /// Claims `chosen` and begins to send them.
    pub(super) async fn claim(
        &mut self,
        shared: &Arc<Shared>,
        sends: &mut JoinSet<Sent>,
        chosen: Vec<Waiting>,
        now: Timestamp,
    ) -> Result<(), WebhookError> {
        let until = now.plus(shared.options.timeout).plus(MARGIN);
        for mut it in chosen {
            let is_early = it.delivery.next_at > now;
            it.delivery.attempts += u32::from(!is_early);
            // Read before it is claimed: if the log is out of reach, nothing was tried.
            let event = shared.log.event(it.delivery.place).await.map_err(WebhookError::Log)?;
            let put = self.shelves.wait(&it.delivery, until)?.if_version(it.version);
            let Some(version) = self.put(shared, put).await? else { continue };
            self.on_the_way.insert(it.delivery.key());
            self.last_try = now;
            let message = event
                .map(|event| shared.message(&self.hook, &it.delivery.message, &event))
                .transpose();
            let (hook, shared) = (Arc::clone(&self.hook), Arc::clone(shared));
            let id = hook.id.clone();
            // In a task of its own, so that the slot is free again whatever happens in there.
            let sending = tokio::spawn(async move { send(&shared, &hook.url, message).await });
            sends.spawn(async move {
                let outcome = sending.await.unwrap_or_else(|_| unmade("sending broke off"));
                Sent { hook: id, delivery: it.delivery, version, is_early, outcome }
            });
        }
        Ok(())
    }

    /// Writes `put`; `None` if another process was faster.
    async fn put(&self, shared: &Shared, put: Put) -> Result<Option<u64>, WebhookError> {
        Ok(match shared.ledger.write(vec![put]).await? {
            Written::Applied(version) => Some(version),
            _ => None,
        })
    }
}

async fn send(
    shared: &Shared,
    url: &str,
    message: Result<Option<Message>, WebhookError>,
) -> Outcome {
    match message {
        Ok(Some(message)) => Outcome::Tried(shared.sender.send(url, message).await),
        Ok(None) => Outcome::Lost,
        Err(_) => unmade(UNSIGNED),
    }
}

fn unmade(why: &str) -> Outcome {
    Outcome::Tried(Attempt::unmade(why))
}

/// Said of a webhook whose signing secret is lost.
const UNSIGNED: &str = "the signing secret cannot be opened: the root key that sealed it is not in \
    the key ring, or is retired. Give the webhook another secret";
