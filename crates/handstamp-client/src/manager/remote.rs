//! What the server knows of its user's sessions.

use std::sync::Arc;

use handstamp_protocol::logs::LogList;
use handstamp_protocol::sessions::SessionList;
use handstamp_protocol::status::Status;

use super::{Inner, SessionManager};
use crate::backend::{Answer, AuthBackend, BackendError};
use crate::error::AuthError;
use crate::token::Token;

impl Inner {
    /// Asks with the access token; once more with the next one of the same session if that one was
    /// refused.
    async fn ask_with_token<'a, T>(
        self: &'a Arc<Self>,
        call: impl Fn(&'a dyn AuthBackend, Token) -> Answer<'a, T>,
    ) -> Result<T, AuthError> {
        let session = self.usable().await?;
        match self.in_time(call(&*self.backend, session.token().clone())).await {
            Err(BackendError::Refused { .. } | BackendError::Status { status: 401 }) => {
                let session = self.renewed(&session).await?;
                Ok(self.in_time(call(&*self.backend, session.token().clone())).await?)
            }
            answer => Ok(answer?),
        }
    }

    /// An answer of the server, if it comes in time.
    pub(super) async fn in_time<T>(&self, answer: Answer<'_, T>) -> Result<T, BackendError> {
        tokio::select! {
            answer = answer => answer,
            () = self.clock.sleep(self.config.answer_within) => Err(BackendError::passing()),
        }
    }
}

impl SessionManager {
    /// What the server says of this session. Asking is no activity.
    ///
    /// # Errors
    /// [`AuthError::Backend`] if it could not be asked, and as [`token`](Self::token).
    pub async fn session_status(&self) -> Result<Status, AuthError> {
        self.inner.ask_with_token(|backend, token| backend.status(token)).await
    }

    /// The user's sessions on all devices, a page of them; the next page begins at `next` of the
    /// one before.
    ///
    /// # Errors
    /// As [`session_status`](Self::session_status).
    pub async fn user_sessions(&self, cursor: Option<&str>) -> Result<SessionList, AuthError> {
        let cursor = || cursor.map(str::to_owned);
        self.inner.ask_with_token(|backend, token| backend.sessions(token, cursor())).await
    }

    /// What happened to the user's sessions, a page of it.
    ///
    /// # Errors
    /// As [`session_status`](Self::session_status).
    pub async fn session_logs(&self, cursor: Option<&str>) -> Result<LogList, AuthError> {
        let cursor = || cursor.map(str::to_owned);
        self.inner.ask_with_token(|backend, token| backend.logs(token, cursor())).await
    }

    /// Ends another session of the user; answers whether this call ended it.
    ///
    /// # Errors
    /// As [`session_status`](Self::session_status).
    pub async fn end_session(&self, id: &str) -> Result<bool, AuthError> {
        self.inner.ask_with_token(|backend, token| backend.end(token, id.to_owned())).await
    }

    /// Names a session of the user; none takes the name away.
    ///
    /// # Errors
    /// As [`session_status`](Self::session_status).
    pub async fn name_session(&self, id: &str, label: Option<&str>) -> Result<(), AuthError> {
        let label = || label.map(str::to_owned);
        self.inner
            .ask_with_token(|backend, token| backend.name(token, id.to_owned(), label()))
            .await
    }

    /// Ends every session of the user, this one last and here too; answers how many. Asks the
    /// server first, because it takes this session to do so. Whoever signs in meanwhile stays.
    ///
    /// # Errors
    /// As [`session_status`](Self::session_status); then nobody was signed out here.
    pub async fn logout_all_devices(&self) -> Result<u64, AuthError> {
        let session = self.session().await?.ok_or_else(|| self.inner.nobody())?;
        let ended = self.inner.ask_with_token(|backend, token| backend.end_all(token, false));
        let ended = ended.await?;
        let inner = Arc::clone(&self.inner);
        self.inner.for_sure(async move { inner.drop_session(&session).await }).await?;
        Ok(ended)
    }

    /// Ends every other session of the user; answers how many.
    ///
    /// # Errors
    /// As [`session_status`](Self::session_status).
    pub async fn logout_other_devices(&self) -> Result<u64, AuthError> {
        self.inner.ask_with_token(|backend, token| backend.end_all(token, true)).await
    }
}
