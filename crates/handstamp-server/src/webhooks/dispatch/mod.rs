//! The dispatcher: reads the audit log forward and brings what it finds to receivers.
//!
//! Each webhook has a lane of its own: its place in the log, the deliveries that wait, and slots
//! to send in. A receiver that is slow, refuses or is gone fills its own slots and its own window,
//! and nothing else; what comes after waits in the log, where it costs nothing.
//!
//! Whatever is decided is in the ledger before it is acted on: the place in the log moves in the
//! same write that puts the deliveries there, and a delivery is claimed before it is sent. So
//! nothing is lost over a crash, and what was sent just before one is sent again: at least once.

mod claim;
mod finish;
mod lane;
mod plan;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use handstamp_core::ledger::Put;
use handstamp_core::store::Page;
use handstamp_core::time::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::delivery::Shelves;
use super::error::WebhookError;
use super::hook::Roster;
use super::progress::Progress;
use super::shared::Shared;
use claim::Sent;
use lane::Lane;

/// How often webhooks are read again if nobody says that they changed: another process may have
/// changed them.
const RECHECK: Duration = Duration::from_secs(5);

/// How long to collect what happens before it is looked at together.
const COLLECT: Duration = Duration::from_millis(20);

/// How many entries are cleared at a time.
const STEP: usize = 500;

/// Delivers events to webhooks. Made by [`Webhooks::dispatcher`](super::Webhooks::dispatcher).
pub struct Dispatcher {
    shared: Arc<Shared>,
    lanes: BTreeMap<String, Lane>,
    sends: JoinSet<Sent>,
    /// The last batch of each writer, as far as lanes were told to read.
    ends: BTreeMap<u32, u64>,
    changed: watch::Receiver<()>,
}

impl fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher")
            .field("webhooks", &self.lanes.len())
            .field("sends", &self.sends.len())
            .finish_non_exhaustive()
    }
}

impl Dispatcher {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let changed = shared.changed.subscribe();
        let (lanes, sends, ends) = (BTreeMap::new(), JoinSet::new(), BTreeMap::new());
        Self { shared, lanes, sends, ends, changed }
    }

    /// Delivers until `stop` resolves, then lets what is on its way arrive, which takes as long as
    /// a receiver may take to answer. What this process commits is told at once, what another one
    /// commits within five seconds.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        let (mut commits, mut changed) = (self.shared.sessions.commits(), self.changed.clone());
        tokio::pin!(stop);
        loop {
            let next = self.pass().await.unwrap_or_else(|error| {
                tracing::warn!(error = %Chain(&error), "webhooks pause for a while");
                Timestamp::MAX
            });
            let pause = next.since(self.shared.now()).min(RECHECK);
            // Where there is no webhook, nothing that happens costs anything here.
            let is_wanted = self.is_wanted();
            let collect = async {
                tokio::select! {
                    _ = commits.changed(), if is_wanted => {}
                    _ = changed.changed() => {}
                }
                tokio::time::sleep(COLLECT).await;
            };
            tokio::select! {
                () = &mut stop => break,
                () = collect => {}
                Some(sent) = self.sends.join_next() => self.finish(sent.ok()).await,
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.settle().await;
        self.save().await;
    }

    /// Does everything that can be done at this moment and does not wait for receivers: notes what
    /// came of deliveries, reads the log on, begins deliveries that are due. Answers when there is
    /// more to do, unless something is committed or a receiver answers before.
    ///
    /// [`run`](Self::run) calls it; call it yourself to deliver by a schedule of your own.
    ///
    /// # Errors
    /// [`WebhookError`] when ledger or log are out of reach, or what is kept of a webhook cannot be
    /// read; the others had their turn all the same. What was done stands, and a later pass goes
    /// on from there.
    pub async fn pass(&mut self) -> Result<Timestamp, WebhookError> {
        while let Some(sent) = self.sends.try_join_next() {
            self.finish(sent.ok()).await;
        }
        let is_changed = self.changed.has_changed().unwrap_or_default();
        self.changed.mark_unchanged();
        self.read_roster().await?;
        self.follow(is_changed).await?;
        let (mut next, mut trouble) = (Timestamp::MAX, None);
        for lane in self.lanes.values_mut() {
            match lane.work(&self.shared, &mut self.sends, &self.ends).await {
                Ok(at) => next = next.min(at),
                Err(error) => {
                    lane.rest(self.shared.now().plus(RECHECK));
                    trouble = Some(error);
                }
            }
        }
        trouble.map_or(Ok(next), Err)
    }

    fn is_wanted(&self) -> bool {
        self.lanes.values().any(Lane::is_enabled)
    }

    /// Looks at the log, if anybody wants it, and lets all lanes look where there is news.
    async fn follow(&mut self, mut is_new: bool) -> Result<(), WebhookError> {
        if self.is_wanted() {
            let ends = self.shared.log.follow().await.map_err(WebhookError::Log)?;
            is_new |= ends != self.ends;
            self.ends = ends;
        }
        if is_new {
            self.lanes.values_mut().for_each(Lane::look_again);
        }
        Ok(())
    }

    /// How many deliveries are on their way.
    pub fn on_the_way(&self) -> usize {
        self.sends.len()
    }

    /// Waits until every delivery on its way has come to an end, and notes what came of it.
    pub async fn settle(&mut self) {
        while let Some(sent) = self.sends.join_next().await {
            self.finish(sent.ok()).await;
        }
    }

    /// Notes what came of a delivery. If it cannot be noted, the claim runs out and it is sent
    /// once more.
    async fn finish(&mut self, sent: Option<Sent>) {
        let Some(sent) = sent else { return };
        let Some(lane) = self.lanes.get_mut(&sent.hook) else { return };
        if let Err(error) = lane.finish(&self.shared, sent).await {
            tracing::warn!(error = %Chain(&error), "a delivery is not noted and is sent again");
        }
    }

    /// Notes how far the log was read where nothing was found in it.
    async fn save(&mut self) {
        for lane in self.lanes.values_mut() {
            if let Err(error) = lane.save(&self.shared).await {
                tracing::debug!(error = %Chain(&error), "some of the log is read again");
            }
        }
    }

    async fn read_roster(&mut self) -> Result<(), WebhookError> {
        let Roster { hooks, removed } = Roster::read(&self.shared.ledger).await?;
        self.lanes.retain(|id, _| hooks.iter().any(|hook| hook.id == *id));
        for hook in hooks {
            match self.lanes.get_mut(&hook.id) {
                Some(lane) => lane.become_now(hook, &self.shared).await?,
                None => drop(self.lanes.insert(hook.id.clone(), Lane::new(hook))),
            }
        }
        for id in &removed {
            self.clear(id).await?;
        }
        Ok(())
    }

    /// Removes all that is kept of a webhook that was removed.
    async fn clear(&self, id: &str) -> Result<(), WebhookError> {
        let (ledger, shelves) = (&self.shared.ledger, Shelves::of(id));
        for shelf in [&shelves.waiting, &shelves.over] {
            loop {
                let page = ledger.list(shelf, "", &Page::first(STEP)).await?;
                let removal = |key: &Arc<str>| Put::removal(shelf, key);
                let puts = page.entries.iter().map(|entry| removal(&entry.key)).collect();
                let _ = ledger.write(puts).await?;
                if page.next.is_none() {
                    break;
                }
            }
        }
        let _ = ledger.write(vec![Progress::removal(id)]).await?;
        Ok(Roster::change(ledger, |roster| roster.removed.retain(|it| it != id)).await?)
    }
}

/// An error with its causes, for a log.
struct Chain<'a>(&'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        match self.0.source() {
            Some(source) => write!(f, ": {}", Chain(source)),
            None => Ok(()),
        }
    }
}
