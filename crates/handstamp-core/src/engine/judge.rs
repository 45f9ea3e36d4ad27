//! The verdict on a session cookie, and what follows from it.

use std::sync::Arc;

use super::Engine;
use crate::cache::Cached;
use crate::commit::{Job, Step, event_of};
use crate::error::{Refused, SessionError};
use crate::event::Action;
use crate::policy::{self, Standing};
use crate::record::{EndReason, Transport};
use crate::time::Timestamp;
use crate::token::Token;
use crate::verdict::{CookieVerdict, Rotation, judge_cookie};

/// What a presented cookie is worth.
#[derive(Debug)]
pub(crate) enum Judged {
    /// Good; `must_send` says that the current cookie is to be sent (again).
    Good { session: Arc<Cached>, must_send: bool },
    /// The session of the request is nobody's.
    Refused(Refused),
}

impl Engine {
    /// The session of `token`, if the cache alone can say yes: a lookup and a comparison.
    pub(crate) fn known_good(&self, token: &Token) -> Option<Arc<Cached>> {
        let (cached, now) = (self.cache.get(&token.session())?, self.now());
        let is_good = cached.is_current(token)
            && self.keys.is_usable(token.key_id())
            && cached.record.lineage.is_seen
            && self.standing_at(&cached, now) == Standing::Live
            && !self.is_rotation_due(&cached, now);
        is_good.then_some(cached)
    }

    fn is_rotation_due(&self, cached: &Cached, now: Timestamp) -> bool {
        policy::is_rotation_due(&cached.record, &self.config, self.keys.active_id(), now)
    }

    /// Judges a cookie. An error is a fault of the system: never a yes, never a no.
    pub(crate) async fn judge(self: &Arc<Self>, token: &Token) -> Result<Judged, SessionError> {
        if let Some(session) = self.known_good(token) {
            return Ok(Judged::Good { session, must_send: false });
        }
        if !token.is_checked(&self.keys) {
            tracing::debug!("a forged or mistyped session cookie was refused");
            return Ok(Judged::Refused(Refused::Invalid));
        }
        let Some(session) = self.fetch(token.session()).await? else {
            tracing::info!(session = %token.session(), "a cookie of no known session was refused");
            return Ok(Judged::Refused(Refused::NotFound));
        };
        let salt = &session.record.lineage.salt;
        let is_cookie = session.record.transport == Transport::Cookie;
        if !is_cookie || !token.is_proven(&self.keys, salt) {
            return Ok(Judged::Refused(Refused::Invalid));
        }
        match self.standing(&session) {
            Standing::Live => self.weigh(token, session).await,
            Standing::Suspended => Ok(Judged::Refused(Refused::Suspended)),
            Standing::Over { ended, is_written } => {
                if !is_written {
                    self.write_end(session.record.id);
                }
                let (reason, ended_at) = (ended.reason, ended.at);
                Ok(Judged::Refused(Refused::Ended { reason, ended_at }))
            }
        }
    }

    /// The verdict table, for a cookie of a live session.
    async fn weigh(
        self: &Arc<Self>,
        token: &Token,
        session: Arc<Cached>,
    ) -> Result<Judged, SessionError> {
        let lineage = &session.record.lineage;
        let verdict = judge_cookie(lineage, token.generation(), token.key_id(), self.now());
        match verdict {
            CookieVerdict::Good { is_first_sight } => {
                if is_first_sight {
                    self.mark_seen(&session);
                }
                Ok(self.rotated_if_due(token, session).await)
            }
            CookieVerdict::GoodResend => Ok(Judged::Good { session, must_send: true }),
            CookieVerdict::GoodStale => Ok(Judged::Good { session, must_send: false }),
            CookieVerdict::Superseded { is_recent: true } => {
                Ok(Judged::Refused(Refused::Superseded))
            }
            CookieVerdict::Superseded { is_recent: false } | CookieVerdict::Older => {
                self.tell_alarm(&session, Action::RefreshReused, token);
                if self.config.end_on_cookie_reuse() {
                    self.end(session.record.id, EndReason::Reuse, None).await?;
                }
                Ok(Judged::Refused(Refused::Superseded))
            }
            CookieVerdict::Ahead => {
                tracing::error!(session = %token.session(), "a token is ahead of the store: was it restored from the past?");
                self.tell_alarm(&session, Action::Risk("store_restored".into()), token);
                Ok(Judged::Refused(Refused::Invalid))
            }
            CookieVerdict::Foreign => Ok(Judged::Refused(Refused::Invalid)),
        }
    }

    /// Notes that the current generation has been presented, without waiting.
    fn mark_seen(self: &Arc<Self>, session: &Cached) {
        let (id, generation) = (session.record.id, session.record.lineage.generation);
        drop(self.committer.submit(|reply| Job::Change {
            id,
            mutation: Box::new(move |draft| {
                // One that has ended meanwhile cannot be changed, and need not be.
                let is_over = matches!(draft.standing(), Standing::Over { .. });
                let lineage = &mut draft.record.lineage;
                if is_over || lineage.generation != generation || lineage.is_seen {
                    return Ok(Step::Unchanged);
                }
                lineage.is_seen = true;
                Ok(Step::Changed)
            }),
            reply,
        }));
    }

    /// Rotates a cookie whose age or key asks for it. One that could not be rotated stays good.
    async fn rotated_if_due(self: &Arc<Self>, token: &Token, session: Arc<Cached>) -> Judged {
        if !self.is_rotation_due(&session, self.now()) {
            return Judged::Good { session, must_send: false };
        }
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
                let must_send = !session.record.lineage.is_seen;
                Judged::Good { session, must_send }
            }
            Err(error) => {
                tracing::warn!(%error, "a session cookie could not be rotated");
                Judged::Good { session, must_send: false }
            }
        }
    }

    /// Writes the tombstone of a session that is over, without waiting.
    fn write_end(self: &Arc<Self>, id: crate::id::SessionId) {
        let mutation = Self::end_if_over();
        drop(self.committer.submit(|reply| Job::Change { id, mutation, reply }));
    }

    /// Tells of a token that should not have come, at most once a minute for each session.
    fn tell_alarm(self: &Arc<Self>, session: &Cached, action: Action, token: &Token) {
        let now = self.now();
        if !session.activity.may_alarm(now) {
            return;
        }
        let Ok(mut event) = event_of(&session.record, action, now, &*self.rng) else { return };
        event.is_success = false;
        event.error = Some("token_superseded".into());
        event.details.insert("transport".into(), session.record.transport.as_str().into());
        event.details.insert("presented_generation".into(), token.generation().into());
        let current = session.record.lineage.generation;
        event.details.insert("current_generation".into(), current.into());
        drop(self.committer.submit(|reply| Job::Tell { events: vec![event], reply }));
    }
}
