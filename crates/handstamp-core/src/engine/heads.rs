//! What can be done to a subject, or to everybody: through the head, at once, whatever is under
//! way. The tombstones of the sessions concerned follow in batches.

use std::sync::Arc;

use super::Engine;
use crate::commit::{Job, Spared, blank_event};
use crate::error::SessionError;
use crate::event::{Action, Event};
use crate::head::Head;
use crate::id::{SessionId, Subject};
use crate::policy::Standing;
use crate::record::{Client, EndReason, Ended, Record};
use crate::roles::Roles;
use crate::store::{HeadChange, HeadTarget, Page};

/// How many tombstones are written at once.
const BATCH: usize = 200;

impl Engine {
    /// Ends every session of `subject` but `spared`; answers how many there were.
    pub(crate) async fn end_all(
        self: &Arc<Self>,
        subject: &Subject,
        spared: Spared,
        reason: EndReason,
        by: Option<Arc<str>>,
    ) -> Result<u32, SessionError> {
        let mut change = HeadChange::of(HeadTarget::Subject(subject.clone()));
        change.bump_epoch = Some(self.moved(reason, by.clone()));
        let mut event = self.tell_of(subject, Action::SubjectEnded, by)?;
        event.details.insert("reason".into(), reason.as_str().into());
        self.change_head(change, spared, vec![event]).await?;
        Ok(self.bury(subject).await)
    }

    /// Disables a subject: ends all its sessions and refuses new ones.
    pub(crate) async fn disable(
        self: &Arc<Self>,
        subject: &Subject,
        by: Option<Arc<str>>,
    ) -> Result<u32, SessionError> {
        let mut change = HeadChange::of(HeadTarget::Subject(subject.clone()));
        change.bump_epoch = Some(self.moved(EndReason::Disabled, by.clone()));
        change.disabled = Some(true);
        let event = self.tell_of(subject, Action::SubjectDisabled, by)?;
        self.change_head(change, Spared::Nobody, vec![event]).await?;
        Ok(self.bury(subject).await)
    }

    /// Lets a disabled subject sign in again.
    pub(crate) async fn enable(
        self: &Arc<Self>,
        subject: &Subject,
        by: Option<Arc<str>>,
    ) -> Result<(), SessionError> {
        let mut change = HeadChange::of(HeadTarget::Subject(subject.clone()));
        change.disabled = Some(false);
        let event = self.tell_of(subject, Action::SubjectEnabled, by)?;
        self.change_head(change, Spared::Nobody, vec![event]).await.map(drop)
    }

    /// Narrows the roles of every session of a subject, or takes the narrowing away.
    pub(crate) async fn set_roles(
        self: &Arc<Self>,
        subject: &Subject,
        roles: Option<Roles>,
        by: Option<Arc<str>>,
    ) -> Result<(), SessionError> {
        let mut event = self.tell_of(subject, Action::RolesChanged, by)?;
        let told = roles.as_ref().map(|roles| roles.iter().collect::<Vec<_>>());
        event.details.insert("roles".into(), told.into());
        let mut change = HeadChange::of(HeadTarget::Subject(subject.clone()));
        change.roles = Some(roles);
        self.change_head(change, Spared::Nobody, vec![event]).await.map(drop)
    }

    /// Ends every session of the deployment.
    pub(crate) async fn end_everybody(
        self: &Arc<Self>,
        by: Option<Arc<str>>,
    ) -> Result<(), SessionError> {
        let mut change = HeadChange::of(HeadTarget::Deployment);
        change.bump_epoch = Some(self.moved(EndReason::Admin, by.clone()));
        let (action, now) = (Action::DeploymentEnded, self.now());
        let mut event = blank_event(action, &Client::default(), now, &*self.rng)?;
        event.actor = by;
        self.change_head(change, Spared::Nobody, vec![event]).await.map(drop)
    }

    fn moved(&self, reason: EndReason, by: Option<Arc<str>>) -> Ended {
        Ended { at: self.now(), reason, by, successor: None }
    }

    fn tell_of(
        &self,
        subject: &Subject,
        action: Action,
        by: Option<Arc<str>>,
    ) -> Result<Event, SessionError> {
        let mut event = blank_event(action, &Client::default(), self.now(), &*self.rng)?;
        (event.subject, event.actor) = (Some(subject.clone()), by);
        Ok(event)
    }

    async fn change_head(
        &self,
        change: HeadChange,
        spared: Spared,
        events: Vec<Event>,
    ) -> Result<Option<Arc<Head>>, SessionError> {
        let job = |reply| Job::Head { change, spared, events, reply };
        Ok(self.committer.run(job).await?.head)
    }

    /// Writes the tombstones of a subject's sessions that its head has forbidden; answers how
    /// many. They are dead already: what fails here is written when they are next met. One that
    /// was spared is left alone because it lives; one that could not be spared goes with the others.
    async fn bury(self: &Arc<Self>, subject: &Subject) -> u32 {
        let (mut count, mut page) = (0, Page::first(BATCH));
        loop {
            let listed = match self.store.by_subject(subject, false, &page).await {
                Ok(listed) => listed,
                Err(error) => {
                    tracing::warn!(%error, %subject, "ended, but not all tombstones are written");
                    return count;
                }
            };
            count += self.bury_these(listed.records.iter().map(|record| record.id)).await;
            match listed.next {
                Some(next) => page.after = Some(next),
                None => return count,
            }
        }
    }

    /// Writes the tombstones of all sessions of a subject that are over.
    pub(crate) async fn bury_all(self: &Arc<Self>, subject: &Subject) -> Result<(), SessionError> {
        let mut page = Page::first(BATCH);
        loop {
            let heads = self.store.heads(std::slice::from_ref(subject)).await?;
            let listed = self.store.by_subject(subject, false, &page).await?;
            let is_over = |record: &&Record| {
                matches!(self.standing_of(record, heads.first()), Standing::Over { .. })
            };
            let over: Vec<_> = listed.records.iter().filter(is_over).map(|it| it.id).collect();
            if (self.bury_these(over.iter().copied()).await as usize) < over.len() {
                return Err(SessionError::Unavailable("not all tombstones are written".into()));
            }
            let Some(next) = listed.next else { return Ok(()) };
            page.after = Some(next);
        }
    }

    /// Submits the ends of these sessions together, so that they share a batch; answers how many
    /// are tombstones now.
    pub(super) async fn bury_these(&self, ids: impl Iterator<Item = SessionId>) -> u32 {
        let answers: Vec<_> = ids
            .map(|id| {
                let mutation = Self::end_if_over();
                self.committer.submit(|reply| Job::Change { id, mutation, reply })
            })
            .collect();
        let mut count = 0;
        for answer in answers {
            if let Ok(Ok(committed)) = answer.await {
                let is_over = |session: &Arc<crate::cache::Cached>| session.record.is_tombstone();
                count += u32::from(committed.session.as_ref().is_some_and(is_over));
            }
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SessionConfig;
    use crate::engine::Begin;
    use crate::key::KeyRing;
    use crate::random::SystemRng;
    use crate::sign_in::{SignIn, Suspension};
    use crate::store::MemoryStore;
    use crate::time::SystemClock;

    /// Regression: its tombstone was not written, so its end was neither counted nor told.
    #[tokio::test]
    async fn an_end_of_all_but_a_suspended_session_ends_that_one_too() {
        let (config, keys) = (SessionConfig::default(), KeyRing::generate().unwrap());
        let (clock, rng) = (Arc::new(SystemClock::new()), Arc::new(SystemRng));
        let store = Arc::new(MemoryStore::new());
        let engine = Engine::new(store, config, keys, clock, rng, false);
        let (sign_in, client) = (Some(SignIn::new("ada").unwrap()), Client::default());
        let begin = Begin { sign_in, client, old: None, delta: Arc::default() };
        let id = engine.begin(begin).await.unwrap().record.id;
        engine.change(id, Engine::suspend_as(Suspension::default())).await.unwrap();
        let (ada, reason) = (Subject::new("ada").unwrap(), EndReason::LogoutAll);
        assert_eq!(engine.end_all(&ada, Spared::IfLive(id), reason, None).await.unwrap(), 1);
        assert!(engine.fetch(id).await.unwrap().unwrap().record.is_tombstone());
    }
}
