//! What operators do to many sessions at once.

use std::sync::Arc;

use super::SessionManager;
use crate::engine::{Bulk, Engine};
use crate::id::SessionId;
use crate::record::EndReason;
use crate::sign_in::Suspension;

impl SessionManager {
    /// Ends these sessions, a hundred or so to a batch. For all of one subject,
    /// [`end_all`](Self::end_all) is at once and misses nobody who signs in meanwhile.
    pub async fn end_these(&self, ids: &[SessionId], reason: EndReason, by: Option<&str>) -> Bulk {
        let by: Option<Arc<str>> = by.map(Arc::from);
        self.engine.change_these(ids, || Engine::end_as(reason, by.clone(), None)).await
    }

    /// Sets these sessions aside. One that is set aside already is passed over: the answer names
    /// those that [`resume_these`](Self::resume_these) may take back.
    pub async fn suspend_these(
        &self,
        ids: &[SessionId],
        by: Option<&str>,
        why: Option<&str>,
    ) -> Bulk {
        let (by, why) = (by.map(Arc::from), why.map(Arc::from));
        let suspension = Suspension { by, why, is_until_step_up: false };
        self.engine.change_these(ids, || Engine::suspend_as(suspension.clone())).await
    }

    /// Takes these sessions back.
    pub async fn resume_these(&self, ids: &[SessionId], by: Option<&str>) -> Bulk {
        let by: Option<Arc<str>> = by.map(Arc::from);
        self.engine.change_these(ids, || Engine::resume_as(by.clone())).await
    }
}
