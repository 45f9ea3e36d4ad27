//! Watching over a session: validated at the start, renewed in time.

use std::sync::Arc;
use std::time::Duration;

use handstamp_protocol::status::Status;
use tokio::task::AbortHandle;

use super::{Inner, SessionManager};
use crate::backend::BackendError;
use crate::clock;
use crate::error::AuthError;
use crate::refresh::Outcome;

/// The longest while without a look at what is kept: another process may have changed it.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// How long to wait until a sign-out is told again to a server that could not be reached.
const TELL_AGAIN: Duration = Duration::from_secs(30);

/// Keeps a session renewed in the background until it is dropped.
#[derive(Debug)]
#[must_use = "the monitoring ends when this is dropped"]
pub struct Monitoring(AbortHandle);

impl Drop for Monitoring {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Inner {
    /// Renews the session when it is due, until what is answered here is dropped.
    pub(crate) fn monitor(self: &Arc<Self>) -> Monitoring {
        Monitoring(tokio::spawn(Arc::clone(self).watch_over()).abort_handle())
    }

    async fn watch_over(self: Arc<Self>) {
        let mut changes = self.state.subscribe();
        loop {
            changes.borrow_and_update();
            tokio::select! {
                () = self.clock.sleep(self.until_due()) => self.do_what_is_due().await,
                changed = changes.changed() => if changed.is_err() { return },
            }
        }
    }

    fn until_due(&self) -> Duration {
        let outbox = if self.held().outbox.is_empty() { LONGEST_WAIT } else { TELL_AGAIN };
        let Some(session) = self.session().filter(|it| it.tokens.refresh_token.is_some()) else {
            return outbox;
        };
        let due = self.due_at(&session).map(|due| clock::between(self.now(&session), due));
        let pause = self.pace().wait(self.clock.elapsed()).unwrap_or_default();
        due.unwrap_or(LONGEST_WAIT).max(pause).min(outbox).max(Duration::from_millis(1))
    }

    async fn do_what_is_due(self: &Arc<Self>) {
        if let Err(error) = self.restore().await {
            tracing::debug!(%error, "what is kept cannot be read yet");
            return;
        }
        if let Err(error) = self.adopt_what_is_kept().await {
            tracing::debug!(%error, "what is kept cannot be looked at now");
        }
        let session = self.session().filter(|it| it.tokens.refresh_token.is_some());
        if let Some(session) = session.filter(|session| self.is_due(session)) {
            self.refresh_from(session.generation).await;
        }
        self.deliver().await;
    }

    /// Whether the user stays signed in, as far as the server can be asked.
    async fn is_good(self: &Arc<Self>) -> Result<bool, AuthError> {
        let token = match self.token().await {
            Ok(token) => token,
            // What is kept was read: it is the renewal that cannot be written down now.
            Err(AuthError::Offline { .. } | AuthError::Storage(_)) => return Ok(true),
            Err(error) if error.needs_sign_in() => return Ok(false),
            Err(error) => return Err(error),
        };
        let generation = self.session().map_or(0, |session| session.generation);
        let is_doubted = match self.in_time(self.backend.status(token)).await {
            Ok(Status::Inactive(_)) | Err(BackendError::Refused { .. }) => true,
            Err(BackendError::Status { status }) => status == 401,
            Ok(Status::Active(_)) | Err(_) => false,
        };
        if !is_doubted {
            return Ok(true);
        }
        // An access token may be dead while the session lives. The refresh token decides.
        let outcome = self.refresh_from(generation).await;
        Ok(!matches!(outcome, Outcome::Rejected { .. }))
    }
}

impl SessionManager {
    /// Whether the user may stay signed in: there is a session, and the server, if it can be
    /// reached, says that it lives. A server that cannot be reached signs nobody out.
    ///
    /// # Errors
    /// [`AuthError::Storage`].
    pub async fn should_stay_logged_in(&self) -> Result<bool, AuthError> {
        self.inner.restore().await?;
        self.inner.is_good().await
    }

    /// Reads what is kept, asks the server about it as
    /// [`should_stay_logged_in`](Self::should_stay_logged_in) does, and from then on renews the
    /// session when it is due, until what is answered here is dropped. [`state`](Self::state) says
    /// whether to resume or to lead to sign-in.
    ///
    /// # Errors
    /// [`AuthError::Storage`].
    pub async fn initialize_session_monitoring(&self) -> Result<Monitoring, AuthError> {
        self.should_stay_logged_in().await?;
        self.inner.deliver_later();
        Ok(self.inner.monitor())
    }
}
