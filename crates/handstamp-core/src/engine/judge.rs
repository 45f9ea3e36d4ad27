//! The verdict on a session cookie, and what follows from it.

use std::sync::Arc;

use super::Engine;
use crate::cache::Cached;
use crate::commit::Step;
use crate::error::{Refused, SessionError};
use crate::event::Action;
use crate::id::SessionId;
use crate::policy::{self, Standing};
use crate::record::{EndReason, Transport};
use crate::time::Timestamp;
use crate::token::{Token, TokenText};
use crate::verdict::{CookieVerdict, Rotation, judge_cookie};

/// What a presented cookie is worth.
#[derive(Debug)]
pub(crate) enum Judged {
    /// Good; `must_send` says that the current cookie is to be sent (again).
    Good { session: Arc<Cached>, must_send: bool },
    /// The session of the request is nobody's. `proven` names the session whose token it was, if
    /// that much was shown: its holder may still sign it out.
    Refused { why: Refused, proven: Option<SessionId> },
}

impl Engine {
    /// The session of a cookie with this text, if the cache alone can say yes and nothing is to be
    /// rotated, and when it said so: a lookup and a comparison.
    pub(crate) fn known_good(&self, text: &TokenText) -> Option<(Arc<Cached>, Timestamp)> {
        let (cached, now) = self.known_live(text)?;
        (!self.is_rotation_due(&cached, now)).then_some((cached, now))
    }

    /// The same for somebody who rotates nothing.
    #[inline]
    fn known_live(&self, text: &TokenText) -> Option<(Arc<Cached>, Timestamp)> {
        let (cached, now) = self.coherence.trusted(&text.session()?)?;
        let (record, lineage) = (&cached.record, &cached.record.lineage);
        let is_good = cached.is_current(text)
            && record.transport == Transport::Cookie
            && self.keys.is_usable(lineage.key_id)
            && lineage.is_seen
            && self.is_live_at(&cached, now);
        is_good.then_some((cached, now))
    }

    fn is_rotation_due(&self, cached: &Cached, now: Timestamp) -> bool {
        policy::is_rotation_due(&cached.record, &self.config, self.keys.active_id(), now)
    }

    /// Judges a cookie that the cache did not know for good. An error is a fault of the system:
    /// never a yes, never a no.
    pub(crate) async fn judge(self: &Arc<Self>, token: &Token) -> Result<Judged, SessionError> {
        match self.proven_cookie(token).await? {
            Ok(session) => self.weigh(token, session).await,
            Err(why) => Ok(Judged::refused(why)),
        }
    }

    /// Judges a cookie for somebody who cannot hand the holder another: nothing is rotated, and what
    /// [`Judged::Good`] says of sending is of no use.
    pub(crate) async fn look(self: &Arc<Self>, text: &TokenText) -> Result<Judged, SessionError> {
        if let Some((session, _)) = self.known_live(text) {
            return Ok(Judged::Good { session, must_send: false });
        }
        let Some(token) = text.to_cookie() else { return Ok(Judged::refused(Refused::Invalid)) };
        match self.proven_cookie(&token).await? {
            Ok(session) => self.verdict(&token, session, self.now()).await,
            Err(why) => Ok(Judged::refused(why)),
        }
    }

    /// The session whose cookie `token` was at some time.
    async fn proven_cookie(
        &self,
        token: &Token,
    ) -> Result<Result<Arc<Cached>, Refused>, SessionError> {
        if !token.is_checked(&self.keys) {
            tracing::debug!("a forged or mistyped session cookie was refused");
            return Ok(Err(Refused::Invalid));
        }
        let session = match self.fetch(token.session()).await {
            Ok(Some(session)) => session,
            Ok(None) => {
                tracing::info!(session = %token.session(), "a cookie of no known session came");
                return Ok(Err(Refused::NotFound));
            }
            // Reported where it was read. The holder may sign in anew.
            Err(SessionError::Corrupt(_)) => return Ok(Err(Refused::Corrupt)),
            Err(fault) => return Err(fault),
        };
        let salt = &session.record.lineage.salt;
        let is_cookie = session.record.transport == Transport::Cookie;
        let is_good = is_cookie && token.is_proven(&self.keys, salt);
        Ok(if is_good { Ok(session) } else { Err(Refused::Invalid) })
    }

    /// Judges a cookie whose proof is valid.
    async fn weigh(
        self: &Arc<Self>,
        token: &Token,
        session: Arc<Cached>,
    ) -> Result<Judged, SessionError> {
        let now = self.now();
        let judged = self.verdict(token, session, now).await?;
        match judged {
            Judged::Good { session, must_send: false }
                if session.is_current(&TokenText::of(token))
                    && self.is_rotation_due(&session, now) =>
            {
                self.rotate_due(token, session).await
            }
            judged => Ok(judged),
        }
    }

    /// The verdict: what the session's standing and the table of [`judge_cookie`] say.
    async fn verdict(
        self: &Arc<Self>,
        token: &Token,
        session: Arc<Cached>,
        now: Timestamp,
    ) -> Result<Judged, SessionError> {
        let proven = Some(session.record.id);
        match self.standing_at(&session, now) {
            Standing::Live => {}
            Standing::Suspended => return Ok(Judged::Refused { why: Refused::Suspended, proven }),
            Standing::Over { ended, is_written } => {
                if !is_written {
                    self.write_end(&session);
                }
                return Ok(Judged::refused(Refused::from(&ended)));
            }
        }
        let lineage = &session.record.lineage;
        match judge_cookie(lineage, token.generation(), token.key_id(), now) {
            CookieVerdict::Good { is_first_sight } => {
                if is_first_sight {
                    self.mark_seen(&session);
                }
                Ok(Judged::Good { session, must_send: false })
            }
            CookieVerdict::GoodResend => Ok(Judged::Good { session, must_send: true }),
            CookieVerdict::GoodStale => Ok(Judged::Good { session, must_send: false }),
            CookieVerdict::Superseded { is_recent: true } => {
                Ok(Judged::Refused { why: Refused::Superseded, proven })
            }
            CookieVerdict::Superseded { is_recent: false } | CookieVerdict::Older => {
                self.tell_alarm(&session, Action::RefreshReused, token.generation());
                if self.config.end_on_cookie_reuse() {
                    self.end(session.record.id, EndReason::Reuse, None).await?;
                }
                Ok(Judged::Refused { why: Refused::Superseded, proven })
            }
            CookieVerdict::Ahead => {
                tracing::error!(session = %token.session(), "a token is ahead of the store: was it restored from the past?");
                let alarm = Action::Risk("store_restored".into());
                self.tell_alarm(&session, alarm, token.generation());
                Ok(Judged::refused(Refused::Invalid))
            }
            CookieVerdict::Foreign => Ok(Judged::refused(Refused::Invalid)),
        }
    }

    /// Rotates a cookie whose age or key asks for it, and judges it again by what is there then:
    /// others may have rotated, replaced or ended it meanwhile. One that a fault of the store
    /// keeps from being rotated stays good.
    async fn rotate_due(
        self: &Arc<Self>,
        token: &Token,
        session: Arc<Cached>,
    ) -> Result<Judged, SessionError> {
        let (keys, generation) = (self.keys.clone(), token.generation());
        let rotated = self.change(
            session.record.id,
            Box::new(move |draft| {
                draft.require_live()?;
                if draft.record.lineage.generation != generation {
                    return Ok(Step::Unchanged);
                }
                draft.tell(Action::SessionRotated)?;
                let (key, now) = (keys.active_id(), draft.now);
                draft.record.lineage.rotate(Rotation::Routine, key, None, now);
                Ok(Step::Changed)
            }),
        );
        match rotated.await {
            Ok(committed) => {
                let session = committed.session.unwrap_or(session);
                self.verdict(token, session, self.now()).await
            }
            Err(error) if error.is_fault() => {
                tracing::warn!(%error, "a session cookie could not be rotated");
                Ok(Judged::Good { session, must_send: false })
            }
            Err(error) => Ok(Judged::refused(Refused::from(&error))),
        }
    }
}

impl Judged {
    const fn refused(why: Refused) -> Self {
        Self::Refused { why, proven: None }
    }
}
