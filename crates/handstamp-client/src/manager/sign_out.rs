//! Signing out: here at once, and at the server as soon as it can be reached.

use std::sync::Arc;

use handstamp_protocol::Time;

use super::change::Draft;
use super::{Inner, Phase, Save, SessionManager};
use crate::error::AuthError;
use crate::session::Session;
use crate::state::AuthEvent;
use crate::storage::Revocation;

/// What became of a sign-out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SignedOut {
    /// Signed out here, and the server has heard of it.
    Everywhere,
    /// Signed out here. The server could not be reached and will hear of it later.
    Here,
    /// Nobody was signed in.
    Nobody,
}

impl Draft {
    /// Puts the end of a session into the outbox, unless its token lives on in the present one.
    pub(super) fn retire(&mut self, session: Option<Session>, since: Time) {
        let Some(tokens) = session.map(|session| session.tokens) else { return };
        let Some(token) = tokens.refresh_token else { return };
        let present = self.session.as_ref().and_then(|it| it.tokens.refresh_token.as_ref());
        if present.is_none_or(|present| !present.is(&token)) {
            self.outbox.push(Revocation { token, since, until: tokens.refresh_expires_at });
        }
    }
}

impl Inner {
    async fn sign_out(self: &Arc<Self>) -> Result<SignedOut, AuthError> {
        self.restore().await?;
        let now = self.clock.now();
        let ended = self.change(Save::Always, |draft| {
            let session = draft.session.take();
            let was_there = session.is_some();
            draft.retire(session, now);
            was_there
        });
        let ended = ended.await;
        if matches!(ended, Ok(true) | Err(_)) {
            self.tell(AuthEvent::SignedOut);
        }
        self.settle();
        let is_delivered = self.deliver().await;
        Ok(match ended? {
            false => SignedOut::Nobody,
            true if is_delivered => SignedOut::Everywhere,
            true => SignedOut::Here,
        })
    }

    /// Nobody is signed in, and that is in order: the end of an earlier session was seen.
    fn settle(&self) {
        self.held_mut().phase = Phase::Settled;
        self.publish();
    }

    /// The server has ended this session already. Another one that has taken its place stays.
    pub(super) async fn drop_session(&self, ended: &Session) -> Result<(), AuthError> {
        let is_it = |there: &mut Session| there.lineage == ended.lineage;
        let dropped = self.change(Save::Always, |draft| draft.session.take_if(is_it).is_some());
        if dropped.await? {
            self.tell(AuthEvent::SignedOut);
        }
        Ok(())
    }

    async fn forget(&self) -> Result<(), AuthError> {
        let _turn = self.turn.lock().await;
        self.on_storage(|storage| storage.clear()).await?;
        let mut held = self.held_mut();
        *held = super::Held { phase: Phase::Settled, ..super::Held::default() };
        self.show_quickly(&held);
        drop(held);
        self.publish();
        self.tell(AuthEvent::SignedOut);
        Ok(())
    }
}

impl SessionManager {
    /// Signs out: first here, in memory and in what is kept, then at the server. A refresh that is
    /// under way brings nothing back: what it gets is revoked too. If the server cannot be reached
    /// now, the revocation waits in an outbox, through restarts, until it was heard.
    ///
    /// # Errors
    /// [`AuthError::Storage`]: what is kept could not be read, and nothing has changed; or not be
    /// written, and only memory is signed out.
    pub async fn logout(&self) -> Result<SignedOut, AuthError> {
        let inner = Arc::clone(&self.inner);
        self.inner.for_sure(async move { inner.sign_out().await }).await
    }

    /// The same as [`logout`](Self::logout).
    ///
    /// # Errors
    /// As [`logout`](Self::logout).
    pub async fn clear(&self) -> Result<SignedOut, AuthError> {
        self.logout().await
    }

    /// The same as [`logout`](Self::logout).
    ///
    /// # Errors
    /// As [`logout`](Self::logout).
    pub async fn clear_session(&self) -> Result<SignedOut, AuthError> {
        self.logout().await
    }

    /// Removes everything that is kept, readable or not, the outbox included, without telling the
    /// server. For a file whose key is lost; to sign out there is [`logout`](Self::logout).
    ///
    /// # Errors
    /// [`AuthError::Storage`].
    pub async fn forget(&self) -> Result<(), AuthError> {
        self.inner.forget().await
    }

    /// Signs out if the session cannot be used any more: past its time, and not to be renewed.
    /// Answers whether it was so.
    ///
    /// # Errors
    /// As [`logout`](Self::logout).
    pub async fn clear_if_expired(&self) -> Result<bool, AuthError> {
        if self.session().await?.is_none() || self.is_session_valid().await {
            return Ok(false);
        }
        Ok(self.logout().await? != SignedOut::Nobody)
    }
}
