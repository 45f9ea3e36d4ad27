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

impl Listed {
    /// Whether it is over, tombstone or not.
    pub const fn is_over(&self) -> bool {
        matches!(self.standing, Standing::Over { .. })
    }

    fn is_wanted(&self, filter: &Filter) -> bool {
        filter.is_live.is_none_or(|is_live| is_live != self.is_over())
    }
}

/// A page of sessions.
#[derive(Clone, PartialEq, Debug)]
pub struct ListedPage {
    /// The sessions, newest first.
    pub sessions: Vec<Listed>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
}

/// How many pages of the store one page of a list is made of at most.
const MOST_PAGES: usize = 8;

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
        let is_live = (!include_ended).then_some(true);
        let filter = Filter { subject: Some(subject.clone()), is_live, ..Filter::default() };
        self.filled(&filter, page).await
    }

    /// Sessions of everybody by `filter`, newest first. Whether one is live is judged by record and
    /// heads: one that is forbidden or has run out is over, also where its tombstone is not written
    /// yet. A page may hold fewer than asked for, or none, with more to come.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when the store is out of reach, [`SessionError::Refused`] for
    /// a cursor that is none or a filter that the store does not have.
    pub async fn scan(&self, filter: &Filter, page: &Page) -> Result<ListedPage, SessionError> {
        self.filled(filter, page).await
    }

    /// A page of what `filter` accepts, from as many pages of the store as it takes.
    async fn filled(&self, filter: &Filter, page: &Page) -> Result<ListedPage, SessionError> {
        self.engine.flush_touches().await?;
        let (limit, mut after) = (page.clamped(), page.after.clone());
        let mut sessions = Vec::new();
        for _ in 0..MOST_PAGES {
            let rest = Page { limit: limit - sessions.len(), after };
            let stored = self.judged(self.stored(filter, &rest).await?).await?;
            sessions.extend(stored.sessions.into_iter().filter(|one| one.is_wanted(filter)));
            after = stored.next;
            if after.is_none() || sessions.len() >= limit {
                break;
            }
        }
        Ok(ListedPage { sessions, next: after })
    }

    /// What the store holds of it. What is over may have no tombstone yet, so that is looked for
    /// among all.
    async fn stored(&self, filter: &Filter, page: &Page) -> Result<RecordPage, SessionError> {
        let is_live = filter.is_live.filter(|is_live| *is_live);
        let store = &self.engine.store;
        let of_subject = Filter { subject: filter.subject.clone(), is_live, ..Filter::default() };
        let stored = Filter { is_live, ..filter.clone() };
        match &filter.subject {
            Some(subject) if stored == of_subject => {
                Ok(store.by_subject(subject, is_live.is_none(), page).await?)
            }
            _ => Ok(store.scan(&stored, page).await?),
        }
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
