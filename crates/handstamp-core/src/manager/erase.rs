//! What is personal is erased, and what is old is cut off; the log goes on to verify.

use std::sync::Arc;
use std::time::Duration;

use super::SessionManager;
use crate::chain::{BrokenAt, ChainEnd, Marks, Walk};
use crate::commit::Spared;
use crate::error::SessionError;
use crate::event::Action;
use crate::id::Subject;
use crate::record::{Client, EndReason};
use crate::store::Page;
use crate::time::Timestamp;

/// How many records are looked at, at a time.
const STEP: usize = 500;

/// What came of erasing a subject.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Erased {
    /// How many of its sessions ended.
    pub sessions: u32,
    /// How many events lost their personal part.
    pub events: usize,
}

/// How long the audit log is kept; `None` for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Retention {
    /// Whole events.
    pub events: Option<Duration>,
    /// Their personal parts: address, user agent, device, place, hash of what was typed.
    pub personal: Option<Duration>,
}

/// What came of [`SessionManager::retain`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Retained {
    /// How many events were cut off.
    pub cut: usize,
    /// How many lost their personal part.
    pub blanked: usize,
    /// Old events that do not verify, and therefore stay.
    pub first_bad: Option<BrokenAt>,
}

impl SessionManager {
    /// Erases what is personal of a subject: ends its sessions, then blanks client, label and
    /// profile in their tombstones and the personal parts of its events. The subject itself and
    /// what happened stay in the log, which goes on to verify. A ledger is to
    /// [`forget`](crate::ledger::Ledger::forget) the subject after this.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] or [`SessionError::Unknown`] when the store is out of reach;
    /// what was done stays done, and trying again does the rest.
    pub async fn erase_subject(
        &self,
        subject: &Subject,
        by: Option<&str>,
    ) -> Result<Erased, SessionError> {
        let by: Option<Arc<str>> = by.map(Arc::from);
        let engine = &self.engine;
        let sessions =
            engine.end_all(subject, Spared::Nobody, EndReason::Admin, by.clone()).await?;
        engine.bury_all(subject).await?;
        let through = engine.store.ends(Timestamp::MAX).await?;
        let mut mark = self.event(Action::SubjectErased, &Client::default())?;
        (mark.subject, mark.actor) = (Some(subject.clone()), by);
        Marks::write(&through, &mut mark.details);
        self.tell(vec![mark]).await?;
        let events = engine.store.erase(Some(subject), &through).await?;
        self.forget_cached(subject).await?;
        Ok(Erased { sessions, events })
    }

    /// Drops what the near cache holds of a subject's tombstones.
    async fn forget_cached(&self, subject: &Subject) -> Result<(), SessionError> {
        let mut page = Page::first(STEP);
        loop {
            let listed = self.engine.store.by_subject(subject, true, &page).await?;
            let over = listed.records.iter().filter(|record| record.is_tombstone());
            over.for_each(|record| self.engine.cache.forget(&record.id));
            let Some(next) = listed.next else { return Ok(()) };
            page.after = Some(next);
        }
    }

    /// Keeps the audit log as long as `retention` says: personal parts that are older are blanked,
    /// and older events cut off with a signed cut in their place. Only what verifies is cut off, so
    /// that nobody gets rid of traces by waiting. To be called by a schedule, and after
    /// [`Ledger::roll_up`](crate::ledger::Ledger::roll_up) where reports are wanted.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] or [`SessionError::Unknown`] when the store is out of reach;
    /// what was done stays done.
    pub async fn retain(&self, retention: Retention) -> Result<Retained, SessionError> {
        let mut retained = Retained::default();
        if let Some(events) = retention.events {
            self.cut(self.now().minus(events), &mut retained).await?;
        }
        if let Some(personal) = retention.personal {
            retained.blanked = self.blank(self.now().minus(personal)).await?;
        }
        Ok(retained)
    }

    async fn cut(&self, before: Timestamp, retained: &mut Retained) -> Result<(), SessionError> {
        let (sealer, marks) = (self.sealer(), self.listed_marks().await?);
        let mut through = Vec::new();
        for end in self.engine.store.ends(before).await? {
            let mut walk = Walk::new(&sealer, &marks, &[], end.writer);
            let broken = self.walk(&mut walk, end.batch).await?;
            let is_older = walk.latest() < before;
            match walk.blank().or(broken) {
                None if is_older && walk.end() == end => through.push(end),
                None => {
                    tracing::warn!(writer = end.writer, "a chain is not as old as its store says")
                }
                bad => retained.first_bad = retained.first_bad.or(bad),
            }
        }
        retained.cut = self.engine.store.cut(&through, &sealer).await?;
        Ok(())
    }

    async fn blank(&self, before: Timestamp) -> Result<usize, SessionError> {
        let mut through: Vec<ChainEnd> = self.engine.store.ends(before).await?;
        let cuts = self.engine.store.cuts().await?;
        // What was cut off has nothing left to blank.
        through.retain(|end| !cuts.iter().any(|cut| cut.end == *end));
        if !self.listed_marks().await?.reach(&through) {
            let mut mark = self.event(Action::PersonalExpired, &Client::default())?;
            Marks::write(&through, &mut mark.details);
            self.tell(vec![mark]).await?;
        }
        Ok(self.engine.store.erase(None, &through).await?)
    }
}
