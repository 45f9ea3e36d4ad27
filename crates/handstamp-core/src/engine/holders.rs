//! What a token's proof is authority enough for, however old the token is: to end its session, to
//! look at it, to hear why it ended.

use std::sync::Arc;

use super::Engine;
use crate::cache::Cached;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::policy::Standing;
use crate::token::Token;

impl Engine {
    /// The session of a token whose proof is good, live or not, whatever its generation.
    pub(crate) async fn proven(
        self: &Arc<Self>,
        text: &str,
    ) -> Result<(Arc<Cached>, Token), SessionError> {
        let token = Token::parse(text).filter(|token| token.is_checked(&self.keys));
        let token = token.ok_or(SessionError::Invalid)?;
        let session = self.fetch(token.session()).await?.ok_or(SessionError::NotFound)?;
        let record = &session.record;
        let is_proven = token.transport() == record.transport
            && token.is_proven(&self.keys, &record.lineage.salt);
        if is_proven { Ok((session, token)) } else { Err(SessionError::Invalid) }
    }

    /// The live session of a token that is current, to be looked at: nothing is exchanged, nothing
    /// noted.
    pub(crate) async fn peek(self: &Arc<Self>, text: &str) -> Result<Arc<Cached>, SessionError> {
        let (session, token) = self.proven(text).await?;
        match self.standing(&session) {
            Standing::Live => {}
            Standing::Suspended => return Err(SessionError::Suspended),
            Standing::Over { ended, .. } => return Err(SessionError::ended(&ended)),
        }
        let is_current = token.generation() == session.record.lineage.generation;
        if is_current { Ok(session) } else { Err(SessionError::Invalid) }
    }

    /// The live session under `id` while its first token is current.
    pub(crate) async fn first_token_of(
        self: &Arc<Self>,
        id: SessionId,
    ) -> Result<Option<Arc<Cached>>, SessionError> {
        let session = self.fetch(id).await?;
        Ok(session.filter(|session| {
            session.record.lineage.generation == 1 && self.standing(session) == Standing::Live
        }))
    }
}
