//! What can be done to one session: end, rotate, step up, suspend, change its data.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Engine;
use crate::cache::Cached;
use crate::commit::{Draft, Mutation, Step};
use crate::config::SessionConfig;
use crate::delta::{Content, Delta, Sizes};
use crate::error::SessionError;
use crate::event::{Action, Event};
use crate::id::SessionId;
use crate::key::KeyRing;
use crate::policy::Standing;
use crate::random::random;
use crate::record::{EndReason, Ended, Kind, Record};
use crate::sign_in::{SignIn, Suspension, check_methods};
use crate::verdict::Rotation;

impl Engine {
    /// Ends a session; `false` if it had ended already or is not there.
    pub(crate) async fn end(
        &self,
        id: SessionId,
        reason: EndReason,
        by: Option<Arc<str>>,
    ) -> Result<bool, SessionError> {
        self.end_telling(id, reason, by, Vec::new()).await
    }

    /// The same; tells these events too, if it ends the session.
    pub(crate) async fn end_telling(
        &self,
        id: SessionId,
        reason: EndReason,
        by: Option<Arc<str>>,
        events: Vec<Event>,
    ) -> Result<bool, SessionError> {
        let (end, has_ended) = told(Self::telling(Self::end_as(reason, by, None), events));
        match self.change(id, end).await {
            Ok(_) => Ok(has_ended.load(Ordering::SeqCst)),
            Err(SessionError::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Turns a session into a tombstone. One that is over for another reason gets that reason.
    pub(crate) fn end_as(
        reason: EndReason,
        by: Option<Arc<str>>,
        successor: Option<SessionId>,
    ) -> Mutation {
        Box::new(move |draft| {
            let ended = match draft.standing() {
                Standing::Over { is_written: true, .. } => return Ok(Step::Unchanged),
                Standing::Over { ended, .. } => ended,
                Standing::Live | Standing::Suspended => {
                    Ended { at: draft.now, reason, by: by.clone(), successor }
                }
            };
            draft.end(ended)?;
            Ok(Step::Changed)
        })
    }

    /// Turns a session that is over into its tombstone, and leaves one that is not.
    pub(super) fn end_if_over() -> Mutation {
        Box::new(|draft| match draft.standing() {
            Standing::Over { ended, is_written: false } => {
                draft.end(ended)?;
                Ok(Step::Changed)
            }
            _ => Ok(Step::Unchanged),
        })
    }

    /// Applies what a request changed.
    pub(crate) fn apply_delta(mut delta: Delta, sizes: Sizes) -> Mutation {
        Box::new(move |draft| {
            draft.require_live()?;
            apply(draft, &mut delta, sizes)
        })
    }

    /// Kills the current token at once and makes the next, with a new CSRF seed.
    pub(crate) async fn regenerate(
        &self,
        id: SessionId,
        mut delta: Delta,
    ) -> Result<Arc<Cached>, SessionError> {
        let (keys, sizes) = (self.keys.clone(), self.sizes());
        let mutation: Mutation = Box::new(move |draft| {
            draft.require_live()?;
            apply(draft, &mut delta, sizes)?;
            rotate_for_privilege(draft, &keys, Action::SessionRotated)
        });
        session_of(self.change(id, mutation).await?)
    }

    /// Notes that a factor was checked again: both lifetimes start anew, the token is replaced, and
    /// a session that was set aside until then is taken back.
    pub(crate) async fn step_up(
        &self,
        id: SessionId,
        amr: Vec<Arc<str>>,
        mut delta: Delta,
    ) -> Result<Arc<Cached>, SessionError> {
        check_methods(&amr)?;
        let (keys, sizes, config) = (self.keys.clone(), self.sizes(), self.config.clone());
        let mutation: Mutation = Box::new(move |draft| {
            may_step_up(draft)?;
            apply(draft, &mut delta, sizes)?;
            take_back(draft)?;
            let ttl = granted(&draft.record, &config);
            draft.record.authenticated_at = draft.now;
            draft.record.last_seen = draft.now;
            draft.record.absolute_expiry = draft.now.plus(ttl);
            let fresh = amr.iter().filter(|method| !draft.record.amr.contains(method));
            let fresh: Vec<_> = fresh.cloned().collect();
            draft.record.amr.extend(fresh);
            check_methods(&draft.record.amr)?;
            rotate_for_privilege(draft, &keys, Action::StepUp)
        });
        session_of(self.change(id, mutation).await?)
    }

    /// Signs the subject of a session in again, within the same session: what the sign-in says
    /// takes the place of what the earlier one said, and the token is replaced.
    pub(crate) async fn sign_in_again(
        &self,
        id: SessionId,
        sign_in: SignIn,
        delta: Arc<Mutex<Delta>>,
    ) -> Result<Arc<Cached>, SessionError> {
        check_methods(&sign_in.amr)?;
        let (keys, sizes, config) = (self.keys.clone(), self.sizes(), self.config.clone());
        let mutation: Mutation = Box::new(move |draft| {
            draft.require_live()?;
            apply(draft, &mut delta.lock().unwrap_or_else(PoisonError::into_inner), sizes)?;
            draft.record.authenticated_at = draft.now;
            draft.record.last_seen = draft.now;
            let content = Content::of(&draft.record);
            let content = content.with_beside(sign_in.profile.claims.as_ref(), &sign_in.amr);
            let content = content.check(sizes)?.with(&sign_in.data, sizes)?;
            content.put_into(&mut draft.record);
            sign_in.put_into(&mut draft.record, &config, draft.now);
            rotate_for_privilege(draft, &keys, Action::StepUp)
        });
        session_of(self.change(id, mutation).await?)
    }

    /// Names a device, or takes its name away.
    pub(crate) async fn label(
        &self,
        id: SessionId,
        label: Option<Arc<str>>,
    ) -> Result<(), SessionError> {
        let mutation: Mutation = Box::new(move |draft| {
            draft.require_live()?;
            draft.record.label.clone_from(&label);
            Ok(Step::Changed)
        });
        self.change(id, mutation).await.map(drop)
    }

    /// Sets a session suspension.
    pub(crate) fn suspend_as(suspension: Suspension) -> Mutation {
        Box::new(move |draft| {
            draft.require_live()?;
            draft.tell(Action::SessionSuspended)?.actor.clone_from(&suspension.by);
            draft.record.suspended = Some(suspension.since(draft.now));
            Ok(Step::Changed)
        })
    }

    /// The same mutation, which tells these events as well if it changes anything.
    pub(crate) fn telling(mut mutation: Mutation, events: Vec<Event>) -> Mutation {
        Box::new(move |draft| {
            let step = mutation(draft)?;
            if step == Step::Changed {
                draft.events.extend(events.iter().cloned());
            }
            Ok(step)
        })
    }

    /// Takes a session back.
    pub(crate) fn resume_as(by: Option<Arc<str>>) -> Mutation {
        Box::new(move |draft| match draft.standing() {
            Standing::Live => Ok(Step::Unchanged),
            Standing::Over { ended, .. } => Err(SessionError::ended(&ended)),
            Standing::Suspended => {
                draft.tell(Action::SessionResumed)?.actor.clone_from(&by);
                draft.record.suspended = None;
                Ok(Step::Changed)
            }
        })
    }
}

/// The same mutation, with whether its last run changed something.
pub(super) fn told(mut mutation: Mutation) -> (Mutation, Arc<AtomicBool>) {
    let has_changed = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&has_changed);
    let mutation: Mutation = Box::new(move |draft| {
        let step = mutation(draft)?;
        told.store(step == Step::Changed, Ordering::SeqCst);
        Ok(step)
    });
    (mutation, has_changed)
}

/// Refuses unless a user's session is live, or set aside until now.
fn may_step_up(draft: &Draft<'_>) -> Result<(), SessionError> {
    match (draft.standing(), &draft.record.suspended) {
        (Standing::Suspended, Some(suspended)) if suspended.is_until_step_up => {}
        _ => draft.require_live()?,
    }
    match draft.record.kind {
        Kind::User => Ok(()),
        Kind::Guest | Kind::Anonymous => Err(SessionError::Unauthenticated),
    }
}

fn take_back(draft: &mut Draft<'_>) -> Result<(), SessionError> {
    if draft.record.suspended.is_some() {
        draft.tell(Action::SessionResumed)?;
        draft.record.suspended = None;
    }
    Ok(())
}

/// The absolute lifetime that a session was granted: as configured, or shorter if its sign-in
/// asked for that.
fn granted(record: &Record, config: &SessionConfig) -> Duration {
    let (ttl, _) = config.lifetimes(record.is_remembered);
    ttl.min(record.absolute_expiry.since(record.authenticated_at))
}

/// The session that a commit left behind; every committed change of one has it.
pub(super) fn session_of(committed: crate::commit::Committed) -> Result<Arc<Cached>, SessionError> {
    committed.session.ok_or(SessionError::NotFound)
}

fn apply(draft: &mut Draft<'_>, delta: &mut Delta, sizes: Sizes) -> Result<Step, SessionError> {
    if delta.is_empty() {
        return Ok(Step::Unchanged);
    }
    let before = Content::of(&draft.record);
    let after = delta.applied_to(&before, sizes)?;
    if after == before {
        return Ok(Step::Unchanged);
    }
    after.put_into(&mut draft.record);
    Ok(Step::Changed)
}

pub(super) fn rotate_for_privilege(
    draft: &mut Draft<'_>,
    keys: &KeyRing,
    action: Action,
) -> Result<Step, SessionError> {
    let seed = random(draft.rng)?;
    draft.tell(action)?;
    draft.record.csrf_seed = seed;
    draft.record.lineage.rotate(Rotation::Privilege, keys.active_id(), None, draft.now);
    Ok(Step::Changed)
}
