//! Lists with a verdict: what is stored, and whether it is live.

use std::collections::HashMap;

use super::SessionManager;
use crate::error::SessionError;
use crate::head::Head;
use crate::id::Subject;
use crate::policy::{Standing, effective_roles};
use crate::record::Record;
use crate::roles::Roles;
use crate::store::{Filter, Page, RecordPage};

/// A session of a list.
#[derive(Clone, PartialEq, Debug)]
pub struct Listed {
    /// What is stored.
    pub record: Record,
    /// Whether it is live, also where its tombstone is not written yet.
    pub standing: Standing,
    /// The roles that it has now: those it was granted, narrowed by its subject's head.
    pub roles: Roles,
}

/// A page of sessions.
#[derive(Clone, PartialEq, Debug)]
pub struct ListedPage {
    /// The sessions, newest first.
    pub sessions: Vec<Listed>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
}

impl SessionManager {
    /// The sessions of `subject`, newest first: those that are live or set aside, or with
    /// `include_ended` also those that are over.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when the store is out of reach, [`SessionError::Refused`] for
    /// a cursor that is none.
    pub async fn list(
        &self,
        subject: &Subject,
        include_ended: bool,
        page: &Page,
    ) -> Result<ListedPage, SessionError> {
        let mut listed = self.judged(self.sessions_of(subject, include_ended, page).await?).await?;
        if !include_ended {
            listed.sessions.retain(|one| !matches!(one.standing, Standing::Over { .. }));
        }
        Ok(listed)
    }

    /// Sessions of everybody by `filter`, newest first. Where the filter asks for live ones, those
    /// whose end is not written yet are left out, so a page may hold fewer than there are to come.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when the store is out of reach, [`SessionError::Refused`] for
    /// a cursor that is none or a filter that the store does not have.
    pub async fn scan(&self, filter: &Filter, page: &Page) -> Result<ListedPage, SessionError> {
        self.engine.flush_touches().await?;
        let mut listed = self.judged(self.engine.store.scan(filter, page).await?).await?;
        if filter.is_live == Some(true) {
            listed.sessions.retain(|one| !matches!(one.standing, Standing::Over { .. }));
        }
        Ok(listed)
    }

    async fn judged(&self, page: RecordPage) -> Result<ListedPage, SessionError> {
        let engine = &self.engine;
        let mut subjects: Vec<Subject> =
            page.records.iter().filter_map(|record| record.subject.clone()).collect();
        subjects.sort_unstable();
        subjects.dedup();
        // Before the first load of a session nothing is known of the deployment's epoch.
        engine.cache.put_deployment(engine.store.load(&[]).await?.deployment);
        let heads = engine.store.heads(&subjects).await?;
        let heads: HashMap<&Subject, &Head> =
            heads.iter().map(|head| (&head.subject, head)).collect();
        let sessions = page.records.into_iter().map(|record| {
            let head = record.subject.as_ref().and_then(|subject| heads.get(subject).copied());
            let standing = engine.standing_of(&record, head);
            let roles = effective_roles(&record, head);
            Listed { record, standing, roles }
        });
        Ok(ListedPage { sessions: sessions.collect(), next: page.next })
    }
}
