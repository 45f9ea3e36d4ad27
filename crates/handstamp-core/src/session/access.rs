//! The session of a request that presents an access token.

use std::sync::Arc;

use super::Session;
use super::inner::Inner;
use super::opened::Outside;
use super::state::State;
use crate::cache::Cached;
use crate::engine::Engine;
use crate::error::SessionError;
use crate::record::Client;
use crate::token::AccessClaim;

impl Session {
    /// The session of a request whose access token was judged, or that was found by anything else
    /// than its cookie: whoever asks takes no token from the answer.
    pub(crate) fn of_access(engine: Arc<Engine>, cached: Arc<Cached>, client: Client) -> Self {
        Self(Inner::of_access(cached, Outside { engine, client }))
    }

    /// What an access token that is minted now for this session claims; `None` for a visitor
    /// without one.
    pub fn access_claim(&self) -> Option<AccessClaim> {
        self.read(AccessClaim::of)
    }
}

impl State {
    /// Refuses what would replace the token of a holder who could not be told the new one.
    pub(super) fn require_cookie(&self) -> Result<(), SessionError> {
        match self.is_by_access {
            false => Ok(()),
            true => Err(SessionError::Refused("an access token takes no new token".into())),
        }
    }
}
