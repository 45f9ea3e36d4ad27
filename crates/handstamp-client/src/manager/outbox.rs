//! Sign-outs that the server has yet to hear of.

use std::sync::Arc;

use super::{Inner, Save, SessionManager};
use crate::backend::BackendError;
use crate::state::AuthEvent;
use crate::storage::Revocation;
use crate::token::Token;

impl Inner {
    /// Delivers in the background what waits, if anything does.
    pub(crate) fn deliver_later(self: &Arc<Self>) {
        if !self.held().outbox.is_empty() {
            let inner = Arc::clone(self);
            tokio::spawn(async move { inner.deliver().await });
        }
    }

    /// Delivers what waits. Each is struck off when the server has heard it, and not before.
    /// Answers whether nothing waits any more.
    pub(super) async fn deliver(self: &Arc<Self>) -> bool {
        let _one_at_a_time = self.delivery.lock().await;
        let waiting = self.held().outbox.clone();
        for revocation in waiting {
            let was_heard = self.revoke(&revocation).await;
            let is_done = was_heard || self.is_moot(&revocation);
            if !is_done || !self.strike_off(&revocation).await {
                return false;
            }
            if was_heard {
                self.tell(AuthEvent::Revoked);
            }
        }
        true
    }

    fn is_moot(&self, revocation: &Revocation) -> bool {
        revocation.until.is_some_and(|until| self.clock.now() >= until)
    }

    async fn revoke(&self, revocation: &Revocation) -> bool {
        match self.ask_to_revoke(revocation.token.clone()).await {
            Ok(()) | Err(BackendError::Unsupported) => true,
            Err(BackendError::Transient { .. }) => false,
            Err(error) => {
                // The same question would get the same answer for ever.
                tracing::warn!(%error, "a sign-out cannot be told to the server");
                true
            }
        }
    }

    /// Has the server end the session of a token, which may take so long and no longer. One that
    /// it refuses is dead.
    pub(super) async fn ask_to_revoke(&self, token: Token) -> Result<(), BackendError> {
        match self.in_time(self.backend.revoke(token)).await {
            Err(BackendError::Refused { .. }) => Ok(()),
            answer => answer,
        }
    }

    async fn strike_off(&self, revocation: &Revocation) -> bool {
        let struck = self.change(Save::Always, |draft| {
            draft.outbox.retain(|waiting| !waiting.token.is(&revocation.token));
        });
        struck.await.is_ok()
    }
}

impl SessionManager {
    /// How many sign-outs wait for the server to hear of them.
    pub fn waiting_sign_outs(&self) -> usize {
        self.inner.held().outbox.len()
    }

    /// Tries to tell the server of them now. Answers whether none waits any more.
    pub async fn deliver_sign_outs(&self) -> bool {
        self.inner.restore().await.is_ok() && self.inner.deliver().await
    }
}
