//! What operators do: list, end, disable, narrow, suspend.

use std::sync::Arc;

use super::SessionManager;
use crate::commit::Spared;
use crate::engine::Engine;
use crate::error::SessionError;
use crate::event::Event;
use crate::id::{SessionId, Subject};
use crate::policy::Standing;
use crate::record::EndReason;
use crate::roles::Roles;
use crate::sign_in::Suspension;
use crate::store::{Page, RecordPage};

impl SessionManager {
    /// The sessions of `subject`, newest first: those that are live, or with `include_ended` also
    /// those that are not.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when the store is out of reach, [`SessionError::Refused`] for
    /// a cursor that is none.
    pub async fn sessions_of(
        &self,
        subject: &Subject,
        include_ended: bool,
        page: &Page,
    ) -> Result<RecordPage, SessionError> {
        self.engine.flush_touches().await?;
        let mut listed = self.engine.store.by_subject(subject, include_ended, page).await?;
        if !include_ended {
            // Before the first load of a session nothing is known of the deployment's epoch.
            let known = self.engine.store.load(&[]).await?;
            self.engine.cache.put_deployment(known.deployment);
            let heads = self.engine.store.heads(std::slice::from_ref(subject)).await?;
            listed.records.retain(|record| {
                let standing = self.engine.standing_of(record, heads.first());
                matches!(standing, Standing::Live | Standing::Suspended)
            });
        }
        Ok(listed)
    }

    /// Ends a session; `false` if it had ended already or is not there.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] or [`SessionError::Unknown`] when the store is out of reach.
    pub async fn end(
        &self,
        id: SessionId,
        reason: EndReason,
        by: Option<&str>,
    ) -> Result<bool, SessionError> {
        self.engine.end(id, reason, by.map(Arc::from)).await
    }

    /// Ends every session of `subject` but `except`, at once, whatever is under way; answers how
    /// many there were.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] or [`SessionError::Unknown`] when the store is out of reach.
    pub async fn end_all(
        &self,
        subject: &Subject,
        except: Option<SessionId>,
        reason: EndReason,
        by: Option<&str>,
    ) -> Result<u32, SessionError> {
        let spared = except.map_or(Spared::Nobody, Spared::IfLive);
        self.engine.end_all(subject, spared, reason, by.map(Arc::from)).await
    }

    /// Disables a subject: all its sessions end, and none begins until it is enabled. Answers how
    /// many ended.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] or [`SessionError::Unknown`] when the store is out of reach.
    pub async fn disable(&self, subject: &Subject, by: Option<&str>) -> Result<u32, SessionError> {
        self.engine.disable(subject, by.map(Arc::from)).await
    }

    /// Lets a disabled subject sign in again. Sessions that ended stay ended.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] or [`SessionError::Unknown`] when the store is out of reach.
    pub async fn enable(&self, subject: &Subject, by: Option<&str>) -> Result<(), SessionError> {
        self.engine.enable(subject, by.map(Arc::from)).await
    }

    /// Narrows every session of `subject` to these roles, at the next check; `None` takes the
    /// narrowing away. A role that a session was not granted needs a new sign-in.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] or [`SessionError::Unknown`] when the store is out of reach.
    pub async fn set_roles(
        &self,
        subject: &Subject,
        roles: Option<Roles>,
        by: Option<&str>,
    ) -> Result<(), SessionError> {
        self.engine.set_roles(subject, roles, by.map(Arc::from)).await
    }

    /// Sets a session aside: its tokens are refused until it is resumed.
    ///
    /// # Errors
    /// [`SessionError::NotFound`], [`SessionError::Ended`], [`SessionError::Expired`],
    /// [`SessionError::Suspended`] when it is already; [`SessionError::Unavailable`].
    pub async fn suspend(
        &self,
        id: SessionId,
        by: Option<&str>,
        why: Option<&str>,
    ) -> Result<(), SessionError> {
        let (by, why) = (by.map(Arc::from), why.map(Arc::from));
        self.suspend_telling(id, Suspension { by, why, is_until_step_up: false }, Vec::new()).await
    }

    /// Sets a session aside until its user has shown a fresh factor: its tokens are refused until
    /// it is [stepped up](Self::step_up), or resumed by somebody.
    ///
    /// # Errors
    /// As [`suspend`](Self::suspend).
    pub async fn suspend_until_step_up(
        &self,
        id: SessionId,
        by: Option<&str>,
        why: Option<&str>,
    ) -> Result<(), SessionError> {
        let (by, why) = (by.map(Arc::from), why.map(Arc::from));
        self.suspend_telling(id, Suspension { by, why, is_until_step_up: true }, Vec::new()).await
    }

    /// Sets a session aside, and tells `events` of it in the same commit: both or neither. For
    /// whoever found something out about the session, so that what was told was also done.
    ///
    /// # Errors
    /// As [`suspend`](Self::suspend); nothing is told then.
    pub async fn suspend_telling(
        &self,
        id: SessionId,
        suspension: Suspension,
        events: Vec<Event>,
    ) -> Result<(), SessionError> {
        let suspend = Engine::telling(Engine::suspend_as(suspension), events);
        self.engine.change(id, suspend).await.map(drop)
    }

    /// Ends a session as [`end`](Self::end) does, and tells `events` of it in the same commit: both
    /// or neither. Answers whether this ended it; nothing is told otherwise.
    ///
    /// # Errors
    /// As [`end`](Self::end).
    pub async fn end_telling(
        &self,
        id: SessionId,
        reason: EndReason,
        by: Option<&str>,
        events: Vec<Event>,
    ) -> Result<bool, SessionError> {
        self.engine.end_telling(id, reason, by.map(Arc::from), events).await
    }

    /// Takes a suspended session back. One that was not suspended stays as it is.
    ///
    /// # Errors
    /// [`SessionError::NotFound`], [`SessionError::Ended`], [`SessionError::Expired`];
    /// [`SessionError::Unavailable`].
    pub async fn resume(&self, id: SessionId, by: Option<&str>) -> Result<(), SessionError> {
        self.engine.change(id, Engine::resume_as(by.map(Arc::from))).await.map(drop)
    }

    /// Ends every session of the deployment at once: for incidents and restored backups.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] or [`SessionError::Unknown`] when the store is out of reach.
    pub async fn end_everybody(&self, by: Option<&str>) -> Result<(), SessionError> {
        self.engine.end_everybody(by.map(Arc::from)).await
    }
}
