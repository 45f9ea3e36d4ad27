//! The lane of one webhook: all that concerns it and no other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use handstamp_core::ledger::{Entry, Put};
use handstamp_core::time::Timestamp;
use tokio::task::JoinSet;

use super::STEP;
use super::claim::Sent;
use crate::webhooks::delivery::{Delivery, Shelves, WINDOW};
use crate::webhooks::error::WebhookError;
use crate::webhooks::hook::Hook;
use crate::webhooks::progress::Progress;
use crate::webhooks::shared::Shared;

/// How many deliveries are on their way to one receiver at once.
pub(super) const SLOTS: usize = 4;

/// How often a receiver that takes nothing is asked whether it is back, once its window is full.
const PROBE: Duration = Duration::from_secs(600);

/// How often a lane is looked at though nothing is due: old deliveries are forgotten then, and
/// what another process left behind is seen.
const ROUND: Duration = Duration::from_secs(60);

/// A delivery that waits, as it stands in the ledger.
pub(super) struct Waiting {
    pub(super) delivery: Delivery,
    pub(super) version: u64,
    pub(super) due: Timestamp,
}

impl Waiting {
    fn read(entry: &Entry) -> Result<Self, WebhookError> {
        let due = entry.due_at.unwrap_or_default();
        Ok(Self { delivery: entry.read()?, version: entry.version, due })
    }
}

pub(super) struct Lane {
    pub(super) hook: Arc<Hook>,
    pub(super) shelves: Shelves,
    /// How far it has come; `None` is to be read.
    pub(super) progress: Option<(Progress, u64)>,
    /// How many batches were read since the place in the log was noted, and when that was.
    pub(super) unsaved: u64,
    pub(super) saved_at: Timestamp,
    /// The keys of what is on its way.
    pub(super) on_the_way: BTreeSet<String>,
    /// The receiver asked to be left alone until then.
    pub(super) hold_until: Timestamp,
    pub(super) last_try: Timestamp,
    /// When there is something to do; `None` is at once.
    next_at: Option<Timestamp>,
    purge_at: Timestamp,
}

impl Lane {
    pub(super) fn new(hook: Hook) -> Self {
        Self {
            shelves: Shelves::of(&hook.id),
            hook: Arc::new(hook),
            progress: None,
            unsaved: 0,
            saved_at: Timestamp::default(),
            on_the_way: BTreeSet::new(),
            hold_until: Timestamp::default(),
            last_try: Timestamp::default(),
            next_at: None,
            purge_at: Timestamp::default(),
        }
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.hook.is_enabled
    }

    /// Looks at everything at the next pass.
    pub(super) const fn look_again(&mut self) {
        self.next_at = None;
    }

    /// Does nothing until `at`, unless something happens.
    pub(super) const fn rest(&mut self, at: Timestamp) {
        self.next_at = Some(at);
    }

    /// The webhook, as it was just read. Where the lane stands is noted before: what was not
    /// wanted until now is not to be looked at by what is wanted from now on.
    pub(super) async fn become_now(
        &mut self,
        hook: Hook,
        shared: &Shared,
    ) -> Result<(), WebhookError> {
        if *self.hook != hook {
            self.save(shared).await?;
            self.progress = None;
            self.hook = Arc::new(hook);
            self.look_again();
        }
        Ok(())
    }

    pub(super) fn is_failing(&self) -> bool {
        self.progress.as_ref().is_some_and(|(progress, _)| progress.failing_since.is_some())
    }

    /// Does what can be done now; answers when there is more.
    pub(super) async fn work(
        &mut self,
        shared: &Arc<Shared>,
        sends: &mut JoinSet<Sent>,
        ends: &BTreeMap<u32, u64>,
    ) -> Result<Timestamp, WebhookError> {
        let now = shared.now();
        self.purge(shared, now).await?;
        if !self.hook.is_enabled {
            return Ok(now.plus(ROUND));
        }
        if self.next_at.is_none_or(|at| at <= now) {
            let next = self.advance(shared, sends, ends, now).await?;
            self.next_at = Some(next.min(now.plus(ROUND)));
        }
        Ok(self.next_at.unwrap_or(now).min(self.purge_at))
    }

    async fn advance(
        &mut self,
        shared: &Arc<Shared>,
        sends: &mut JoinSet<Sent>,
        ends: &BTreeMap<u32, u64>,
        now: Timestamp,
    ) -> Result<Timestamp, WebhookError> {
        // Whatever is due some day: the earliest of what is not due yet tells when to come again.
        let waiting = shared.ledger.due(&self.shelves.waiting, Timestamp::MAX, WINDOW).await?;
        let mut waiting = waiting.iter().map(Waiting::read).collect::<Result<Vec<_>, _>>()?;
        let room = WINDOW.saturating_sub(waiting.len());
        let is_all_read = self.plan(shared, ends, room, &mut waiting).await?;
        let is_full = waiting.len() >= WINDOW;
        waiting.retain(|it| !self.on_the_way.contains(&it.delivery.key()));
        if now < self.hold_until {
            return Ok(self.hold_until);
        }
        let free = SLOTS.saturating_sub(self.on_the_way.len());
        let due = |it: &Waiting| it.due <= now;
        let split = waiting.iter().take_while(|it| due(it)).count();
        let later = waiting.split_off(split);
        let next = later.first().map_or(Timestamp::MAX, |it| it.due);
        if waiting.is_empty() && is_full && free > 0 && self.is_failing() {
            return self.probe(shared, sends, later, now).await.map(|again| again.min(next));
        }
        // What finds no slot now is begun when a receiver answers.
        let has_room = waiting.len() <= free;
        waiting.truncate(free);
        self.claim(shared, sends, waiting, now).await?;
        let next = if has_room { next } else { Timestamp::MAX };
        Ok(if is_all_read || is_full { next } else { now })
    }

    /// Asks a receiver that takes nothing, and to which as much waits as may, whether it is back.
    async fn probe(
        &mut self,
        shared: &Arc<Shared>,
        sends: &mut JoinSet<Sent>,
        later: Vec<Waiting>,
        now: Timestamp,
    ) -> Result<Timestamp, WebhookError> {
        let again = self.last_try.plus(PROBE);
        if now < again {
            return Ok(again);
        }
        let one = later.into_iter().find(|it| !it.delivery.was_early);
        self.claim(shared, sends, one.into_iter().collect(), now).await?;
        Ok(now.plus(PROBE))
    }

    /// Forgets old deliveries that are over.
    async fn purge(&mut self, shared: &Shared, now: Timestamp) -> Result<(), WebhookError> {
        if now < self.purge_at {
            return Ok(());
        }
        let old = shared.ledger.due(&self.shelves.over, now, STEP).await?;
        let is_all = old.len() < STEP;
        let removal = |it: &Entry| Put::removal(&self.shelves.over, &it.key).if_version(it.version);
        // One that is sent once more meanwhile stays; the others go next time.
        let _ = shared.ledger.write(old.iter().map(removal).collect()).await?;
        self.purge_at = if is_all { now.plus(ROUND) } else { now };
        Ok(())
    }
}
