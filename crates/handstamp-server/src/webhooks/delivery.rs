//! Deliveries as they are kept: one event on its way to one webhook. The event itself stays in the
//! audit log, so that what is erased there is erased here.

use std::collections::BTreeSet;
use std::sync::Arc;

use handstamp_core::data::DataError;
use handstamp_core::event::Event;
use handstamp_core::ledger::{Entry, Ledger, LedgerError, Put};
use handstamp_core::store::Page;
use handstamp_core::time::Timestamp;
use handstamp_protocol::webhooks::{DeliveryList, DeliveryState, DeliveryStatus};
use serde::{Deserialize, Serialize};

use super::send::Attempt;
use crate::answer::time;

/// How many deliveries of one webhook wait at a time. What comes after them waits in the audit
/// log, where it costs nothing, however long a receiver is away.
pub(super) const WINDOW: usize = 256;

/// Where an event stands in the audit log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) writer: u32,
    pub(super) batch: u64,
    pub(super) number: u64,
}

/// How far a delivery is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// It will be tried, perhaps again.
    Waiting,
    /// The receiver took it.
    Delivered,
    /// It was given up.
    Failed,
}

/// What came of the last try.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Tried {
    at: Timestamp,
    status: Option<u16>,
    error: Option<String>,
}

impl Tried {
    pub(super) fn new(at: Timestamp, attempt: &Attempt) -> Self {
        let status = attempt.status.map(|status| status.as_u16());
        Self { at, status, error: attempt.error.clone() }
    }
}

/// A delivery.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Delivery {
    pub(super) place: Place,
    /// The `webhook-id`: the same for every try and every webhook.
    pub(super) message: String,
    pub(super) event: String,
    pub(super) event_at: Timestamp,
    pub(super) state: State,
    /// How many tries began, without those that came early.
    pub(super) attempts: u32,
    /// When it is to be tried by the schedule. The entry may be due before: once between two
    /// tries, when there is hope.
    pub(super) next_at: Timestamp,
    /// Whether it was tried early since the last try by the schedule.
    pub(super) was_early: bool,
    pub(super) last: Option<Tried>,
}

impl Delivery {
    /// The delivery of `event`, which stands in batch `batch`, to be tried at `now`.
    pub(super) fn new(event: &Event, batch: u64, now: Timestamp) -> Self {
        Self {
            place: Place { writer: event.writer, batch, number: event.number },
            message: format!("msg_{}", event.id),
            event: event.action.to_string(),
            event_at: event.at,
            state: State::Waiting,
            attempts: 0,
            next_at: now,
            was_early: false,
            last: None,
        }
    }

    /// Its key among those of its webhook: newest first, always the same for one event.
    pub(super) fn key(&self) -> String {
        let age = i64::MAX.wrapping_sub(self.event_at.as_millis());
        format!("{age:016x}-{}", self.message)
    }

    /// As the wire shows it.
    fn to_wire(&self) -> DeliveryStatus {
        let last = self.last.as_ref();
        let is_waiting = self.state == State::Waiting;
        DeliveryStatus {
            id: self.key(),
            message_id: self.message.clone(),
            event: self.event.clone(),
            event_at: time(self.event_at),
            state: match self.state {
                State::Waiting => DeliveryState::Waiting,
                State::Delivered => DeliveryState::Delivered,
                State::Failed => DeliveryState::Failed,
            },
            attempts: self.attempts,
            last_attempt_at: last.map(|last| time(last.at)),
            last_status: last.and_then(|last| last.status),
            last_error: last.and_then(|last| last.error.clone()),
            next_attempt_at: is_waiting.then(|| time(self.next_at)),
        }
    }
}

/// Where the deliveries of one webhook are kept: those that wait, due when they are to be tried,
/// and those that are over, due when they are forgotten.
#[derive(Clone, Debug)]
pub(super) struct Shelves {
    pub(super) waiting: String,
    pub(super) over: String,
}

impl Shelves {
    pub(super) fn of(hook: &str) -> Self {
        let shelf = |state| format!("webhook_{state}/{hook}");
        Self { waiting: shelf("waiting"), over: shelf("over") }
    }

    /// Puts `delivery` among those that wait, due at `due`.
    pub(super) fn wait(&self, delivery: &Delivery, due: Timestamp) -> Result<Put, DataError> {
        Ok(Put::new(&self.waiting, &delivery.key(), delivery)?.due(due))
    }

    /// Puts `delivery` among those that are over, to be forgotten at `until`.
    pub(super) fn end(&self, delivery: &Delivery, until: Timestamp) -> Result<Put, DataError> {
        Ok(Put::new(&self.over, &delivery.key(), delivery)?.due(until))
    }

    /// Lets all that waits be tried now, once, and otherwise when it would have been; but for
    /// those of these keys. A receiver is back, or somebody says so.
    pub(super) async fn hurry(
        &self,
        ledger: &Arc<dyn Ledger>,
        now: Timestamp,
        but: &BTreeSet<String>,
    ) -> Result<(), LedgerError> {
        let mut puts = Vec::new();
        for entry in ledger.due(&self.waiting, Timestamp::MAX, WINDOW).await? {
            let delivery: Delivery = entry.read()?;
            let may_hurry = delivery.next_at > now && !delivery.was_early;
            if may_hurry && !but.contains(&*entry.key) {
                puts.push(self.wait(&delivery, now)?.if_version(entry.version));
            }
        }
        // If another process works on one of them, all come when they would have come.
        let _ = ledger.write(puts).await?;
        Ok(())
    }

    /// A page of both: first what waits, then what is over, each newest first. `None` when the
    /// page is to begin at what is no place in this list.
    pub(super) async fn list(
        &self,
        ledger: &Arc<dyn Ledger>,
        page: &Page,
    ) -> Result<Option<DeliveryList>, LedgerError> {
        let (is_over, after) = match page.after.as_deref().map(|after| after.split_at_checked(1)) {
            None => (false, None),
            Some(Some(("w", key))) => (false, Some(key.to_owned())),
            Some(Some(("o", key))) => (true, Some(key.to_owned())),
            Some(_) => return Ok(None),
        };
        let limit = page.clamped();
        let mut entries = Vec::new();
        if !is_over {
            let waiting = Page { limit, after: after.clone() };
            let listed = ledger.list(&self.waiting, "", &waiting).await?;
            entries = listed.entries;
            if let Some(next) = listed.next {
                return Ok(Some(read(&entries, Some(format!("w{next}")))?));
            }
        }
        if entries.len() == limit {
            return Ok(Some(read(&entries, Some("o".to_owned()))?));
        }
        let over = Page { limit: limit - entries.len(), after: after.filter(|_| is_over) };
        let listed = ledger.list(&self.over, "", &over).await?;
        entries.extend(listed.entries);
        let next = listed.next.map(|next| format!("o{next}"));
        Ok(Some(read(&entries, next)?))
    }
}

fn read(entries: &[Entry], next: Option<String>) -> Result<DeliveryList, DataError> {
    let read = |entry: &Entry| entry.read::<Delivery>().map(|delivery| delivery.to_wire());
    Ok(DeliveryList { deliveries: entries.iter().map(read).collect::<Result<_, _>>()?, next })
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_core::event::Action;
    use handstamp_core::id::EventId;

    fn at(millis: i64) -> Delivery {
        let (id, at) = (EventId::from_bytes([7; 16]), Timestamp::from_millis(millis));
        Delivery::new(&Event::new(id, at, Action::StepUp, [0; 16]), 1, at)
    }

    #[test]
    fn keys_put_the_newest_first_and_are_short_enough() {
        let keys: Vec<_> = [i64::MAX, 1_800_000_000_000, 1, 0, -1].map(|it| at(it).key()).into();
        assert!(keys.is_sorted(), "{keys:?}");
        assert!(keys[0].len() < Put::MAX_KEY);
        assert!(Shelves::of("wh_0123456789abcdef").waiting.len() < Put::MAX_SHELF);
    }

    #[test]
    fn an_id_in_a_signed_text_holds_no_full_stop() {
        assert!(!at(0).message.contains('.'));
    }
}
