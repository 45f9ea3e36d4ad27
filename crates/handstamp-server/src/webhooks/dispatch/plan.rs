//! Reading the log on: events that a webhook wants become deliveries that wait.

use std::collections::BTreeMap;
use std::time::Duration;

use handstamp_core::ledger::Written;
use handstamp_core::time::Timestamp;

use super::lane::{Lane, Waiting};
use crate::webhooks::delivery::Delivery;
use crate::webhooks::error::WebhookError;
use crate::webhooks::progress::{Position, Progress};
use crate::webhooks::shared::Shared;

/// How many batches are read on before somebody else has a turn.
const TURN: u64 = 1000;

/// After how many batches without anything wanted, and after how long, the place in the log is
/// noted all the same: until then, a crash makes them be read again, which shows nobody anything.
const NOTE: u64 = 1000;
const NOTE_AFTER: Duration = Duration::from_secs(60);

impl Lane {
    /// Reads on and puts up to `room` deliveries to those that wait, in one write with the new
    /// place in the log. Answers whether all of the log is read.
    pub(super) async fn plan(
        &mut self,
        shared: &Shared,
        ends: &BTreeMap<u32, u64>,
        room: usize,
        waiting: &mut Vec<Waiting>,
    ) -> Result<bool, WebhookError> {
        let (mut progress, version) = self.take_progress(shared).await?;
        let mut found = Found { room, turn: TURN, deliveries: Vec::new() };
        for (writer, end) in ends {
            let position = progress.positions.entry(*writer).or_default();
            found.read_on(self, shared, *writer, *end, position).await?;
        }
        self.unsaved += TURN - found.turn;
        let is_all_read = found.turn > 0 && found.room > 0;
        let is_found = !found.deliveries.is_empty();
        if is_found {
            self.note(shared, progress, version, found.deliveries, waiting).await?;
            return Ok(is_all_read);
        }
        self.progress = Some((progress, version));
        if self.unsaved >= NOTE || shared.now().since(self.saved_at) >= NOTE_AFTER {
            self.save(shared).await?;
        }
        Ok(is_all_read)
    }

    async fn take_progress(&mut self, shared: &Shared) -> Result<(Progress, u64), WebhookError> {
        Ok(match self.progress.take() {
            Some(known) => known,
            None => Progress::read(&shared.ledger, &self.hook.id).await?,
        })
    }

    /// Notes the new place in the log and what was found on the way, or nothing of it.
    async fn note(
        &mut self,
        shared: &Shared,
        progress: Progress,
        version: u64,
        found: Vec<Delivery>,
        waiting: &mut Vec<Waiting>,
    ) -> Result<(), WebhookError> {
        let mut puts = vec![progress.put(&self.hook.id, version)?];
        for delivery in &found {
            puts.push(self.shelves.wait(delivery, delivery.next_at)?);
        }
        // If another process was faster, what it found is in the ledger, and so is its place.
        if let Written::Applied(version) = shared.ledger.write(puts).await? {
            self.saved((progress, version), shared.now());
            let as_waiting = |delivery: Delivery| {
                let due = delivery.next_at;
                Waiting { delivery, version, due }
            };
            waiting.extend(found.into_iter().map(as_waiting));
            waiting.sort_by_key(|it| it.due);
        }
        Ok(())
    }

    /// Notes the place in the log, if there is anything to note.
    pub(super) async fn save(&mut self, shared: &Shared) -> Result<(), WebhookError> {
        if self.unsaved == 0 {
            return Ok(());
        }
        self.change(shared, |_| {}).await
    }

    /// Changes what is noted of the webhook's way, and notes the place in the log with it: the
    /// farther one, if another process noted one too.
    pub(super) async fn change(
        &mut self,
        shared: &Shared,
        change: impl Fn(&mut Progress),
    ) -> Result<(), WebhookError> {
        let (mut progress, mut version) = self.take_progress(shared).await?;
        loop {
            change(&mut progress);
            let put = progress.put(&self.hook.id, version)?;
            if let Written::Applied(version) = shared.ledger.write(vec![put]).await? {
                self.saved((progress, version), shared.now());
                return Ok(());
            }
            let ours = progress.positions;
            (progress, version) = Progress::read(&shared.ledger, &self.hook.id).await?;
            progress.be_at_least(&ours);
        }
    }

    fn saved(&mut self, noted: (Progress, u64), now: Timestamp) {
        (self.progress, self.unsaved, self.saved_at) = (Some(noted), 0, now);
    }
}

/// What was found on the way.
struct Found {
    room: usize,
    turn: u64,
    deliveries: Vec<Delivery>,
}

impl Found {
    /// Reads the log of one writer on, up to batch `end`.
    async fn read_on(
        &mut self,
        lane: &Lane,
        shared: &Shared,
        writer: u32,
        end: u64,
        position: &mut Position,
    ) -> Result<(), WebhookError> {
        while position.batch < end && self.room > 0 && self.turn > 0 {
            let next = shared.log.next(writer, position.batch).await.map_err(WebhookError::Log)?;
            let Some(batch) = next else { return Ok(()) };
            self.turn -= 1;
            let done = position.event;
            for event in batch.events.iter().filter(|event| event.number > done) {
                if self.room == 0 {
                    return Ok(());
                }
                position.event = event.number;
                if lane.hook.events.accept(&event.action.to_string()) {
                    self.room -= 1;
                    self.deliveries.push(Delivery::new(event, batch.number, shared.now()));
                }
            }
            position.batch = batch.number;
        }
        Ok(())
    }
}
