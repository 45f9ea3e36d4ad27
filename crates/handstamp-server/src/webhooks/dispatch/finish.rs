//! Noting what came of a delivery, and what follows for its webhook.

use std::sync::Arc;
use std::time::Duration;

use handstamp_core::ledger::Put;
use handstamp_core::time::Timestamp;
use http::StatusCode;

use super::claim::{Outcome, Sent};
use super::lane::Lane;
use crate::webhooks::delivery::{Delivery, State, Tried};
use crate::webhooks::error::WebhookError;
use crate::webhooks::hook::{Hook, Roster};
use crate::webhooks::retry;
use crate::webhooks::send::Attempt;
use crate::webhooks::shared::Shared;

/// How long nothing but failures turns a webhook off.
const PATIENCE: Duration = Duration::from_secs(3 * 86_400);

const GONE: &str = "the receiver answered 410 Gone";
const FAILED: &str = "nothing but failures for three days";
const LOST: &str = "the event is no longer kept in the audit log";

impl Lane {
    /// Notes what came of `sent`.
    pub(super) async fn finish(
        &mut self,
        shared: &Arc<Shared>,
        sent: Sent,
    ) -> Result<(), WebhookError> {
        self.on_the_way.remove(&sent.delivery.key());
        self.look_again();
        let now = shared.now();
        let Sent { mut delivery, version, is_early, outcome, .. } = sent;
        let attempt = match outcome {
            Outcome::Tried(attempt) => attempt,
            Outcome::Lost => {
                delivery.state = State::Failed;
                delivery.last = Some(Tried::new(now, &Attempt::unmade(LOST)));
                return self.move_to_over(shared, &delivery, version, now).await.map(drop);
            }
        };
        tell(&self.hook.id, &delivery, &attempt);
        delivery.last = Some(Tried::new(now, &attempt));
        if attempt.is_taken() {
            return self.taken(shared, delivery, version, is_early, now).await;
        }
        self.respect(&attempt, now);
        self.failed(shared, delivery, version, is_early, &attempt, now).await?;
        self.mind(shared, &attempt, now).await
    }

    async fn taken(
        &mut self,
        shared: &Arc<Shared>,
        mut delivery: Delivery,
        version: u64,
        is_early: bool,
        now: Timestamp,
    ) -> Result<(), WebhookError> {
        delivery.state = State::Delivered;
        delivery.attempts += u32::from(is_early);
        self.move_to_over(shared, &delivery, version, now).await?;
        if self.is_failing() {
            self.change(shared, |progress| progress.failing_since = None).await?;
            self.shelves.hurry(&shared.ledger, now, &self.on_the_way).await?;
        }
        Ok(())
    }

    /// Puts a delivery that failed where it belongs: back, or to those that are over.
    async fn failed(
        &mut self,
        shared: &Arc<Shared>,
        mut delivery: Delivery,
        version: u64,
        is_early: bool,
        attempt: &Attempt,
        now: Timestamp,
    ) -> Result<(), WebhookError> {
        let is_last = !is_early && delivery.attempts >= shared.options.max_attempts;
        if is_last || attempt.is_gone() {
            delivery.state = State::Failed;
            return self.move_to_over(shared, &delivery, version, now).await;
        }
        delivery.was_early = is_early;
        if !is_early {
            let wait = retry::wait(delivery.attempts, &*shared.rng);
            delivery.next_at = now.plus(wait.max(attempt.retry_after.unwrap_or_default()));
        }
        let put = self.shelves.wait(&delivery, delivery.next_at)?.if_version(version);
        write(shared, vec![put]).await.map(drop)
    }

    /// Moves a delivery to those that are over.
    async fn move_to_over(
        &self,
        shared: &Shared,
        delivery: &Delivery,
        version: u64,
        now: Timestamp,
    ) -> Result<(), WebhookError> {
        let removal = Put::removal(&self.shelves.waiting, &delivery.key()).if_version(version);
        let end = self.shelves.end(delivery, now.plus(shared.options.kept))?;
        write(shared, vec![removal, end]).await.map(drop)
    }

    /// Leaves a receiver alone that asked for it; all of it, not only what it answered to.
    fn respect(&mut self, attempt: &Attempt, now: Timestamp) {
        let asks = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];
        if let (Some(status), Some(wait)) = (attempt.status, attempt.retry_after)
            && asks.contains(&status)
        {
            self.hold_until = self.hold_until.max(now.plus(wait));
        }
    }

    /// Notes that the receiver refuses, and turns the webhook off when it has done so for long or
    /// wants nothing any more.
    async fn mind(
        &mut self,
        shared: &Arc<Shared>,
        attempt: &Attempt,
        now: Timestamp,
    ) -> Result<(), WebhookError> {
        if attempt.is_gone() {
            return self.disable(shared, GONE).await;
        }
        if !self.is_failing() {
            self.change(shared, |progress| progress.failing_since = Some(now)).await?;
        }
        let since = self.progress.as_ref().and_then(|(progress, _)| progress.failing_since);
        if since.is_some_and(|since| now.since(since) >= PATIENCE) {
            return self.disable(shared, FAILED).await;
        }
        Ok(())
    }

    async fn disable(&self, shared: &Shared, reason: &'static str) -> Result<(), WebhookError> {
        tracing::warn!(webhook = %self.hook.id, reason, "a webhook was turned off");
        let disable = |hook: &mut Hook| hook.disable(reason);
        Roster::change_one(&shared.ledger, &self.hook.id, disable).await?;
        Ok(())
    }
}

/// Writes, and answers whether it was applied: otherwise another process took over, and what it
/// does is as good.
async fn write(shared: &Shared, puts: Vec<Put>) -> Result<bool, WebhookError> {
    Ok(shared.ledger.write(puts).await?.is_applied())
}

/// Says what came of a try, in the log of the program.
fn tell(hook: &str, delivery: &Delivery, attempt: &Attempt) {
    let (message, attempts) = (&delivery.message, delivery.attempts);
    match &attempt.error {
        None => tracing::debug!(webhook = hook, %message, attempts, "delivered"),
        Some(error) => tracing::info!(webhook = hook, %message, attempts, error, "not delivered"),
    }
}
