//! A guest becomes a user: the session that a sign-in takes over from is named by its token.

use std::sync::Arc;

use super::Engine;
use crate::commit::Draft;
use crate::error::SessionError;
use crate::event::Action;
use crate::policy::Standing;
use crate::record::{Kind, Record, Transport};
use crate::sign_in::Upgrade;
use crate::token::Token;
use crate::verdict::{CookieVerdict, RefreshVerdict, judge_cookie, judge_refresh};

/// What a token is worth as the word of its session's holder.
enum Word {
    Good,
    /// Forged, of the other transport, or superseded just now.
    Bad,
    /// Superseded long ago.
    Old,
    /// Ahead of the store.
    Ahead,
}

impl Engine {
    /// The guest whose token was presented, as it is before the sign-in begins.
    pub(super) async fn guest_of(
        self: &Arc<Self>,
        upgrade: &Upgrade,
    ) -> Result<Arc<Record>, SessionError> {
        let token = upgrade.0.as_ref().filter(|token| token.is_checked(&self.keys));
        let token = token.ok_or(SessionError::Invalid)?;
        let session = self.fetch(token.session()).await?.ok_or(SessionError::NotFound)?;
        let alarm = match self.word(token, &session.record) {
            Word::Bad => return Err(SessionError::Invalid),
            Word::Good => None,
            Word::Old => Some(Action::RefreshReused),
            Word::Ahead => Some(Action::Risk("store_restored".into())),
        };
        match self.standing(&session) {
            Standing::Live => {}
            Standing::Suspended => return Err(SessionError::Suspended),
            Standing::Over { ended, .. } => return Err(SessionError::ended(&ended)),
        }
        if let Some(alarm) = alarm {
            self.tell_alarm(&session, alarm, token.generation());
            return Err(SessionError::Invalid);
        }
        match session.record.kind {
            Kind::Guest | Kind::Anonymous => Ok(Arc::clone(&session.record)),
            Kind::User => Err(SessionError::Invalid),
        }
    }

    /// Refuses unless the guest is still live and the token still its holder's word.
    pub(super) fn check_upgrade(
        &self,
        token: &Token,
        guest: Option<&Draft<'_>>,
    ) -> Result<(), SessionError> {
        let guest = guest.ok_or(SessionError::NotFound)?;
        guest.require_live()?;
        match self.word(token, &guest.record) {
            Word::Good => Ok(()),
            Word::Bad | Word::Old | Word::Ahead => Err(SessionError::Invalid),
        }
    }

    fn word(&self, token: &Token, record: &Record) -> Word {
        let lineage = &record.lineage;
        if token.transport() != record.transport || !token.is_proven(&self.keys, &lineage.salt) {
            return Word::Bad;
        }
        let (generation, key, now) = (token.generation(), token.key_id(), self.now());
        match record.transport {
            Transport::Cookie => match judge_cookie(lineage, generation, key, now) {
                CookieVerdict::Good { .. }
                | CookieVerdict::GoodResend
                | CookieVerdict::GoodStale => Word::Good,
                CookieVerdict::Superseded { is_recent: true } | CookieVerdict::Foreign => Word::Bad,
                CookieVerdict::Superseded { .. } | CookieVerdict::Older => Word::Old,
                CookieVerdict::Ahead => Word::Ahead,
            },
            Transport::Token => {
                match judge_refresh(lineage, generation, key, None, self.config.grace(), now) {
                    RefreshVerdict::Rotate
                    | RefreshVerdict::Concurrent
                    | RefreshVerdict::Retried { .. } => Word::Good,
                    RefreshVerdict::Stale | RefreshVerdict::Foreign => Word::Bad,
                    RefreshVerdict::Reuse => Word::Old,
                    RefreshVerdict::Ahead => Word::Ahead,
                }
            }
        }
    }
}
