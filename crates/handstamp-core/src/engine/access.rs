//! The verdict on an access token whose signature was checked: whether its session still lives.

use std::sync::Arc;

use super::Engine;
use crate::cache::Cached;
use crate::error::SessionError;
use crate::event::Action;
use crate::policy::Standing;
use crate::token::AccessClaim;
use crate::verdict::{AccessVerdict, judge_access};

impl Engine {
    /// The session of `claim`, if the cache alone can say yes: a lookup and a few comparisons.
    pub(crate) fn known_access(&self, claim: &AccessClaim) -> Option<Arc<Cached>> {
        let (cached, now) = self.coherence.trusted(&claim.session)?;
        let verdict = judge_access(&cached.record.lineage, claim.generation);
        let is_good = verdict == AccessVerdict::Good { is_first_sight: false }
            && !claim.is_ahead_of(&cached.record)
            && self.is_live_at(&cached, now);
        is_good.then_some(cached)
    }

    /// Judges an access token by record and head. The epochs that it claims decide nothing, save
    /// that they cannot be ahead: a session that an end-all spared keeps its access tokens.
    pub(crate) async fn judge_access(
        self: &Arc<Self>,
        claim: &AccessClaim,
    ) -> Result<Arc<Cached>, SessionError> {
        if let Some(session) = self.known_access(claim) {
            return Ok(session);
        }
        let session = self.fetch(claim.session).await?.ok_or(SessionError::NotFound)?;
        match self.standing(&session) {
            Standing::Live => {}
            Standing::Suspended => return Err(SessionError::Suspended),
            Standing::Over { ended, is_written } => {
                if !is_written {
                    self.write_end(&session);
                }
                return Err(SessionError::ended(&ended));
            }
        }
        if claim.is_ahead_of(&session.record) {
            tracing::error!(session = %claim.session, "an access token is ahead of the store: was it restored from the past?");
            let alarm = Action::Risk("store_restored".into());
            self.tell_alarm(&session, alarm, claim.generation);
            return Err(SessionError::Invalid);
        }
        match judge_access(&session.record.lineage, claim.generation) {
            AccessVerdict::Good { is_first_sight } => {
                if is_first_sight {
                    self.mark_seen(&session);
                }
                Ok(session)
            }
            AccessVerdict::Superseded | AccessVerdict::Ahead => Err(SessionError::Invalid),
        }
    }
}
