//! Refresh: a refresh token is exchanged for its successor, once, whoever asks at the same time.

use std::sync::{Arc, Mutex, PoisonError};

use super::Engine;
use super::acts::session_of;
use crate::commit::{Draft, Mutation, Step};
use crate::config::ReusePolicy;
use crate::error::SessionError;
use crate::event::Action;
use crate::policy::{LastSeen, Standing};
use crate::record::{EndReason, Ended, Record, Suspended, Transport};
use crate::roles::Roles;
use crate::time::Timestamp;
use crate::token::{AttemptId, Token};
use crate::verdict::{RefreshVerdict, Rotation, judge_refresh};

/// Which case of the verdict table a refresh was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RefreshCase {
    /// The generation moved on.
    Rotated,
    /// Somebody else had just moved it on; the answer is the same.
    Concurrent,
    /// The same attempt asked again; the answer is the same.
    Retried,
}

/// A refresh token's successor.
#[derive(Clone)]
pub struct Refreshed {
    /// The refresh token that is current now.
    pub token: Token,
    /// How it came about.
    pub case: RefreshCase,
    /// The record as it is now.
    pub record: Arc<Record>,
    /// The roles that the session has now.
    pub roles: Roles,
}

impl std::fmt::Debug for Refreshed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Refreshed").field("token", &self.token).field("case", &self.case).finish()
    }
}

/// What the mutation found; it may run again, so the last run counts.
#[derive(Clone, Copy)]
enum Found {
    Served(RefreshCase),
    /// The token was superseded and the session pays for it.
    Reused,
    /// The token is ahead of the store.
    Ahead,
}

type Told = Arc<Mutex<Option<Found>>>;

impl Engine {
    /// Exchanges a refresh token.
    pub(crate) async fn refresh(
        self: &Arc<Self>,
        text: &str,
        attempt: Option<&AttemptId>,
        last_active_at: Option<Timestamp>,
    ) -> Result<Refreshed, SessionError> {
        let token = Token::from_refresh(text).ok_or(SessionError::Invalid)?;
        if !token.is_checked(&self.keys) {
            return Err(SessionError::Invalid);
        }
        let told = Told::default();
        let mutation =
            self.exchange(token.clone(), attempt.map(|id| *id.hash()), last_active_at, &told);
        let changed = self.change(token.session(), mutation).await;
        let changed = changed.inspect_err(|error| self.bury_refused(&token, error));
        let session = session_of(changed?)?;
        let found = *told.lock().unwrap_or_else(PoisonError::into_inner);
        match found {
            Some(Found::Served(case)) => {
                // What ended it was committed together with this.
                if let Some(ended) = &session.record.ended {
                    return Err(SessionError::ended(ended));
                }
                if let Some(at) = last_active_at {
                    self.touches.note(&session, at.min(self.now()));
                }
                let token = session.token().ok_or(SessionError::Invalid)?;
                let (record, roles) = (Arc::clone(&session.record), session.roles());
                Ok(Refreshed { token, case, record, roles })
            }
            Some(Found::Reused) => match &session.record.ended {
                Some(ended) => Err(SessionError::ended(ended)),
                None => Err(SessionError::Suspended),
            },
            Some(Found::Ahead) | None => Err(SessionError::Invalid),
        }
    }

    /// Writes the tombstone of a session that a refresh was refused for because it is over.
    fn bury_refused(self: &Arc<Self>, token: &Token, error: &SessionError) {
        let is_over = matches!(error, SessionError::Expired { .. } | SessionError::Ended { .. });
        if let Some(session) = self.cache.get(&token.session()).filter(|_| is_over)
            && !session.record.is_tombstone()
        {
            self.write_end(&session);
        }
    }

    fn exchange(
        &self,
        token: Token,
        attempt: Option<[u8; 32]>,
        last_active_at: Option<Timestamp>,
        told: &Told,
    ) -> Mutation {
        let (keys, config, told) = (self.keys.clone(), self.config.clone(), Arc::clone(told));
        Box::new(move |draft| {
            let lineage = &draft.record.lineage;
            let is_ours = draft.record.transport == Transport::Token;
            if !is_ours || !token.is_proven(&keys, &lineage.salt) {
                return Err(SessionError::Invalid);
            }
            if let Some(at) = last_active_at {
                draft.seen = credited(draft, at);
            }
            if let Standing::Over { ended, .. } = draft.standing() {
                return Err(SessionError::ended(&ended));
            }
            if draft.standing() == Standing::Suspended {
                return Err(SessionError::Suspended);
            }
            let (generation, key) = (token.generation(), token.key_id());
            let now = draft.now;
            let verdict =
                judge_refresh(lineage, generation, key, attempt.as_ref(), config.grace(), now);
            if verdict != RefreshVerdict::Rotate && !draft.is_fresh {
                return Ok(Step::NeedsFresh);
            }
            let tell = |found| {
                *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
            };
            match verdict {
                RefreshVerdict::Rotate => {
                    draft.tell(Action::SessionRefreshed)?;
                    let seen = draft.record.last_seen;
                    draft.record.last_seen =
                        last_active_at.map_or(seen, |at| at.min(now).max(seen));
                    let active = keys.active_id();
                    draft.record.lineage.rotate(Rotation::Routine, active, attempt, now);
                    tell(Found::Served(RefreshCase::Rotated));
                    Ok(Step::Changed)
                }
                RefreshVerdict::Concurrent => {
                    tell(Found::Served(RefreshCase::Concurrent));
                    Ok(Step::Unchanged)
                }
                RefreshVerdict::Retried { is_counted } => {
                    draft.record.lineage.retries += u8::from(is_counted);
                    tell(Found::Served(RefreshCase::Retried));
                    Ok(if is_counted { Step::Changed } else { Step::Unchanged })
                }
                RefreshVerdict::Reuse => {
                    punish(draft, &token, config.reuse())?;
                    tell(Found::Reused);
                    Ok(Step::Changed)
                }
                RefreshVerdict::Ahead => {
                    alarm(draft, &token, Action::Risk("store_restored".into()))?;
                    tell(Found::Ahead);
                    Ok(Step::Changed)
                }
                RefreshVerdict::Stale | RefreshVerdict::Foreign => Err(SessionError::Invalid),
            }
        })
    }
}

/// Credits activity that only the client saw, before the idle limit is judged: up to now, and only
/// if the session was live then by what is known. Whoever comes after a silence that was too long
/// cannot make it shorter.
fn credited(draft: &Draft<'_>, at: Timestamp) -> LastSeen {
    let at = at.min(draft.now);
    let was_live = |idle| at <= draft.seen.at.plus(idle);
    let counts = at > draft.seen.at && draft.record.idle_lifetime.is_none_or(was_live);
    if counts { LastSeen { at, is_exact: true } } else { draft.seen }
}

/// A superseded refresh token came back: somebody else has held it. Both lineages go into the
/// event (RFC 9700 §4.14.2).
fn punish(draft: &mut Draft<'_>, token: &Token, policy: ReusePolicy) -> Result<(), SessionError> {
    alarm(draft, token, Action::RefreshReused)?;
    let (at, by) = (draft.now, None);
    match policy {
        ReusePolicy::End => draft.end(Ended { at, reason: EndReason::Reuse, by, successor: None }),
        ReusePolicy::Suspend => {
            draft.tell(Action::SessionSuspended)?;
            let why = Some("refresh token reuse".into());
            draft.record.suspended = Some(Suspended { at, by, why, is_until_step_up: true });
            Ok(())
        }
    }
}

fn alarm(draft: &mut Draft<'_>, token: &Token, action: Action) -> Result<(), SessionError> {
    let (current, rotated_at) =
        (draft.record.lineage.generation, draft.record.lineage.rotated_at.as_millis());
    let event = draft.tell(action)?;
    event.is_success = false;
    event.error = Some("token_superseded".into());
    event.details.insert("presented_generation".into(), token.generation().into());
    event.details.insert("current_generation".into(), current.into());
    event.details.insert("current_since_ms".into(), rotated_at.into());
    Ok(())
}
