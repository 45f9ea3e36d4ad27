//! The audit log is checked: every chain of it, against checkpoints that were kept elsewhere.

use super::SessionManager;
use crate::chain::{BrokenAt, Checkpoint, Cut, Flaw, Link, Marks, Sealer, Walk};
use crate::error::SessionError;
use crate::event::Action;
use crate::record::Client;
use crate::store::{EventFilter, Page};
use crate::time::Timestamp;

/// How many batches are checked at a time.
const STEP: usize = 500;

/// How often the log is gone through at most, while it is erased from.
const PASSES: usize = 4;

/// What came of checking the audit log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogCheck {
    /// How many events were read.
    pub checked: u64,
    /// The first place that does not follow from what stands before it.
    pub first_bad: Option<BrokenAt>,
}

fn unsigned() -> SessionError {
    SessionError::Refused("a checkpoint is not signed by this key ring".into())
}

/// One time through the log.
struct Pass {
    check: LogCheck,
    heard: Marks,
}

impl SessionManager {
    /// Checks every chain of the audit log, from its start or from where it was cut. What was cut
    /// off at the end shows only against checkpoints:
    /// [`verify_log_against`](Self::verify_log_against).
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when the store is out of reach.
    pub async fn verify_log(&self) -> Result<LogCheck, SessionError> {
        self.verify_log_against(&[]).await
    }

    /// Checks every chain of the audit log against itself and against `checkpoints`.
    ///
    /// # Errors
    /// [`SessionError::Refused`] for a checkpoint that this key ring did not sign;
    /// [`SessionError::Unavailable`] when the store is out of reach.
    pub async fn verify_log_against(
        &self,
        checkpoints: &[Checkpoint],
    ) -> Result<LogCheck, SessionError> {
        let sealer = self.sealer();
        if !checkpoints.iter().all(|checkpoint| sealer.is_checkpoint(checkpoint)) {
            return Err(unsigned());
        }
        let mut marks = self.listed_marks().await?;
        let mut pass = self.pass(&sealer, checkpoints, &marks).await?;
        for _ in 1..PASSES {
            // Only what the chains themselves say was erased counts; erasures go on meanwhile.
            let is_otherwise = pass.check.first_bad.is_some_and(|bad| bad.why != Flaw::Blank);
            if pass.heard == marks || is_otherwise {
                break;
            }
            marks = pass.heard;
            pass = self.pass(&sealer, checkpoints, &marks).await?;
        }
        Ok(pass.check)
    }

    /// Where every chain of the audit log ends now, signed: to be kept where nobody who can write
    /// to the store can reach it.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when the store is out of reach.
    pub async fn checkpoint(&self) -> Result<Checkpoint, SessionError> {
        let chains = self.engine.store.ends(Timestamp::MAX).await?;
        Ok(self.sealer().checkpoint(self.now(), chains))
    }

    /// Whether the log still reaches to where `checkpoint` knows it, by the same links: answers the
    /// first place that it does not. Reads one batch of each chain, so it says nothing of what lies
    /// between: that is [`verify_log_against`](Self::verify_log_against).
    ///
    /// # Errors
    /// [`SessionError::Refused`] for a checkpoint that this key ring did not sign;
    /// [`SessionError::Unavailable`] when the store is out of reach.
    pub async fn reaches(&self, checkpoint: &Checkpoint) -> Result<Option<BrokenAt>, SessionError> {
        let sealer = self.sealer();
        if !sealer.is_checkpoint(checkpoint) {
            return Err(unsigned());
        }
        for known in checkpoint.chains().iter().filter(|end| end.batch > 0) {
            let store = &self.engine.store;
            let found = store.sealed(known.writer, known.batch - 1, 1).await?.pop();
            let found = found.filter(|batch| batch.number == known.batch).map(|it| it.link);
            // Asked for afterwards: it may have been cut off just now.
            let is_cut = |cut: &Cut| {
                let is_there = cut.end.batch > known.batch || cut.end == *known;
                cut.end.writer == known.writer && is_there && sealer.is_cut(cut)
            };
            let why = match found {
                Some(link) if link == known.link => continue,
                Some(_) => Flaw::Rewritten,
                None if store.cuts().await?.iter().any(is_cut) => continue,
                None => Flaw::Tail,
            };
            let (writer, batch, event) = (known.writer, known.batch, known.event);
            return Ok(Some(BrokenAt { writer, batch, event, why }));
        }
        Ok(None)
    }

    /// Whether every chain of the audit log begins, or begins again where it was cut, as this key
    /// ring sealed it: `false` for the log of another ring. Reads one batch of each chain.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when the store is out of reach.
    pub async fn is_own_log(&self) -> Result<bool, SessionError> {
        let (sealer, store) = (self.sealer(), &self.engine.store);
        let cuts = store.cuts().await?;
        for writer in store.writers().await? {
            let is_own = match cuts.iter().find(|cut| cut.end.writer == writer) {
                Some(cut) => sealer.is_cut(cut),
                None => {
                    let first = store.sealed(writer, 0, 1).await?.pop();
                    first.is_none_or(|batch| sealer.verify(&Link::START, &batch))
                }
            };
            if !is_own {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes a checkpoint into the log itself, from where webhooks and exports carry it away.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] or [`SessionError::Unknown`] when the store is out of reach.
    pub async fn tell_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), SessionError> {
        let mut event = self.event(Action::Checkpoint, &Client::default())?;
        event.details.insert("checkpoint".into(), checkpoint.to_string().into());
        self.tell(vec![event]).await
    }

    pub(super) fn sealer(&self) -> Sealer {
        Sealer::new(self.engine.keys.clone())
    }

    /// The marks that the store lists, which need not be in any chain.
    pub(super) async fn listed_marks(&self) -> Result<Marks, SessionError> {
        let mut marks = Marks::none();
        for action in Marks::ACTIONS {
            let filter = EventFilter { actions: vec![action], ..EventFilter::default() };
            let mut page = Page::first(STEP);
            loop {
                let listed = self.engine.store.events(&filter, &page).await?;
                listed.events.iter().for_each(|event| marks.add(event));
                let Some(next) = listed.next else { break };
                page.after = Some(next);
            }
        }
        Ok(marks)
    }

    async fn pass(
        &self,
        sealer: &Sealer,
        checkpoints: &[Checkpoint],
        marks: &Marks,
    ) -> Result<Pass, SessionError> {
        let check = LogCheck { checked: 0, first_bad: None };
        let mut pass = Pass { check, heard: Marks::none() };
        for writer in self.writers_known(checkpoints).await? {
            let mut walk = Walk::new(sealer, marks, checkpoints, writer);
            let broken = self.walk(&mut walk, u64::MAX).await?.or(walk.finish().err());
            let first_bad = walk.blank().or(broken);
            pass.check.first_bad = pass.check.first_bad.or(first_bad);
            pass.check.checked += walk.checked();
            pass.heard.add_all(walk.heard());
        }
        Ok(pass)
    }

    /// The writers whose chains the store has, and those whose chains it should have.
    async fn writers_known(&self, checkpoints: &[Checkpoint]) -> Result<Vec<u32>, SessionError> {
        let mut writers = self.engine.store.writers().await?;
        let known = checkpoints.iter().flat_map(Checkpoint::chains);
        writers.extend(known.filter(|end| end.batch > 0).map(|end| end.writer));
        writers.sort_unstable();
        writers.dedup();
        Ok(writers)
    }

    /// Walks through a chain, from where it was cut to the end or to batch number `through`;
    /// answers where it is broken.
    pub(super) async fn walk(
        &self,
        walk: &mut Walk<'_>,
        through: u64,
    ) -> Result<Option<BrokenAt>, SessionError> {
        if let Err(broken) = self.take_up_cut(walk).await? {
            return Ok(Some(broken));
        }
        while walk.end().batch < through {
            let (writer, after) = (walk.end().writer, walk.end().batch);
            let step = usize::try_from(through - after).unwrap_or(STEP).min(STEP);
            let batches = self.engine.store.sealed(writer, after, step).await?;
            if batches.is_empty() {
                break;
            }
            if let Err(broken) = walk.step(&batches) {
                // What is missing may have been cut off just now.
                let is_cut = broken.why == Flaw::Missing && self.take_up_cut(walk).await?.is_ok();
                if !is_cut || walk.end().batch == after {
                    return Ok(Some(broken));
                }
            }
        }
        Ok(None)
    }

    /// Goes on after the cut of a chain, if that is ahead.
    async fn take_up_cut(&self, walk: &mut Walk<'_>) -> Result<Result<(), BrokenAt>, SessionError> {
        let cuts = self.engine.store.cuts().await?;
        let is_its = |cut: &&Cut| cut.end.writer == walk.end().writer;
        let ahead = cuts.iter().find(is_its).filter(|cut| cut.end.batch > walk.end().batch);
        Ok(ahead.map_or(Ok(()), |cut| walk.resume(cut)))
    }
}
