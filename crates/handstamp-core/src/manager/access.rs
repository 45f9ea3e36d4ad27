//! Sessions by access token: the caller has checked its signature.

use std::sync::Arc;

use super::SessionManager;
use crate::error::SessionError;
use crate::record::Client;
use crate::session::Session;
use crate::token::AccessClaim;

impl SessionManager {
    /// The live session of an access token, if the near cache alone can say that it is good: no
    /// waiting and no cryptography. `None` is no verdict: ask [`load_access`](Self::load_access).
    ///
    /// # Security
    /// Whoever calls has checked signature, issuer, audience and expiry of the token.
    pub fn try_access(&self, claim: &AccessClaim, client: Client) -> Option<Session> {
        let cached = self.engine.known_access(claim)?;
        Some(Session::of_access(Arc::clone(&self.engine), cached, client))
    }

    /// The live session of an access token.
    ///
    /// One that was minted before the latest privilege change is refused, and so is one of a session
    /// that is suspended or over, by its record, its subject's head or the deployment's. A refresh
    /// in between does not matter. The first that shows the current generation marks the refresh
    /// token of that generation as seen.
    ///
    /// The session cannot be signed in again, regenerated or stepped up, and its
    /// [`outgoing`](Session::outgoing) sets no cookie: whoever presents an access token could not
    /// keep one.
    ///
    /// # Errors
    /// [`SessionError::Invalid`] for a superseded claim, or one that is ahead of the store (the
    /// store was restored from the past; an alarm event tells of it), [`SessionError::NotFound`],
    /// [`SessionError::Expired`], [`SessionError::Ended`], [`SessionError::Suspended`];
    /// [`SessionError::Unavailable`] when the store is out of reach.
    ///
    /// # Security
    /// As [`try_access`](Self::try_access).
    pub async fn load_access(
        &self,
        claim: &AccessClaim,
        client: Client,
    ) -> Result<Session, SessionError> {
        self.engine.ensure_maintenance();
        let cached = self.engine.judge_access(claim).await?;
        Ok(Session::of_access(Arc::clone(&self.engine), cached, client))
    }
}
