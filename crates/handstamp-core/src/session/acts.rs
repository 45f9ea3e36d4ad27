//! What decides who somebody is: committed at once, in a task that goes on if the request does
//! not.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use super::Session;
use super::finish::CookieAction;
use super::state::Base;
use crate::commit::Spared;
use crate::delta::Delta;
use crate::engine::Begin;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::record::{EndReason, Transport};
use crate::sign_in::{IntoSignIn, SignIn};

impl Session {
    /// Signs somebody in who has proved who they are: a new session takes over from this one, and
    /// this one ends.
    ///
    /// The visitor's data goes over by the merge rule of the [`SignIn`]; the CSRF seed,
    /// `return_to` and OAuth state never do. Nothing goes over from one user to another.
    ///
    /// # Errors
    /// [`SessionError::LimitReached`] under the `Deny` strategy, [`SessionError::SubjectDisabled`],
    /// [`SessionError::Refused`] for a text that is no subject or where an access token was
    /// presented, [`SessionError::Invalid`] when two session cookies were; then nobody is signed in
    /// and this session is as it was. [`SessionError::Unavailable`] when the store is out of reach.
    ///
    /// # Security
    /// Answers session fixation: no token known before the sign-in is good after it (ASVS 7.2.4).
    pub async fn login(&self, sign_in: impl IntoSignIn) -> Result<(), SessionError> {
        let sign_in = sign_in.into_sign_in()?.transport(Transport::Cookie);
        self.detached(|session| async move { session.sign_in(sign_in).await }).await
    }

    async fn sign_in(&self, sign_in: SignIn) -> Result<(), SessionError> {
        let (old, delta, client) = {
            let mut state = self.lock();
            state.was_used = true;
            if state.is_ambiguous {
                return Err(SessionError::Invalid);
            }
            state.require_cookie()?;
            let old = state.live().map(|cached| Arc::clone(&cached.record));
            (old, state.take_delta(), self.0.request.client())
        };
        let engine = self.engine();
        let delta = Arc::new(Mutex::new(delta));
        let kept = Arc::clone(&delta);
        if old.is_some() && sign_in.upgrade.is_some() {
            self.put_back(&kept);
            return Err(SessionError::Refused("a sign-in takes over from one session".into()));
        }
        let is_same = old.as_ref().is_some_and(|old| {
            old.subject.as_ref() == Some(&sign_in.subject) && old.kind == sign_in.kind
        });
        let signed_in = match old {
            Some(old) if is_same && !engine.config.regenerate_on_login() => {
                engine.sign_in_again(old.id, sign_in, delta).await
            }
            old => engine.begin(Begin { sign_in: Some(sign_in), client, old, delta }).await,
        };
        self.go_on_with(signed_in.inspect_err(|_| self.put_back(&kept))?);
        Ok(())
    }

    /// Takes back what was to go over to a session that did not begin.
    fn put_back(&self, kept: &Mutex<Delta>) {
        let delta = std::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner));
        self.lock().put_back(delta, self.engine().sizes());
    }

    /// Signs out: the session ends, and nothing of it remains, data, messages and CSRF tokens
    /// included. Signing out nobody is no error. A token that is superseded or suspended is good
    /// enough to sign its session out.
    ///
    /// # Errors
    /// [`SessionError::Invalid`] when two session cookies were presented, so that nobody can tell
    /// which session is meant.
    /// [`SessionError::Unavailable`] or [`SessionError::Unknown`] when the store is out of reach:
    /// the session may live on, and whoever asked must be told.
    pub async fn logout(&self) -> Result<(), SessionError> {
        self.detached(|session| async move { session.sign_out().await }).await
    }

    /// Ends the session with all its data, and lets this request begin no other.
    ///
    /// # Errors
    /// As [`logout`](Self::logout).
    pub async fn destroy(&self) -> Result<(), SessionError> {
        self.detached(|session| async move {
            session.sign_out().await?;
            session.lock().is_destroyed = true;
            Ok(())
        })
        .await
    }

    async fn sign_out(&self) -> Result<(), SessionError> {
        let (held, proven) = {
            let state = self.lock();
            if state.is_ambiguous {
                return Err(SessionError::Invalid);
            }
            (state.live().map(|cached| Arc::clone(&cached.record)), state.proven)
        };
        let by = held.as_ref().and_then(|record| record.subject.as_ref());
        let by = by.map(|subject| subject.as_str().into());
        if let Some(id) = held.as_ref().map(|record| record.id).or(proven) {
            self.engine().end(id, EndReason::Logout, by).await?;
        }
        // A token that another has taken the place of must not cost the browser the newer one.
        let is_stale = self.lock().refusal.is_none_or(|refused| !refused.may_begin());
        let is_cookie = held.as_ref().map(|record| record.transport == Transport::Cookie);
        self.leave(is_cookie.unwrap_or(proven.is_some() || !is_stale));
        Ok(())
    }

    /// Goes on as nobody, who has signed out.
    fn leave(&self, must_remove: bool) {
        let mut state = self.lock();
        (state.was_used, state.has_signed_out) = (true, true);
        state.leave();
        if must_remove {
            state.cookie = CookieAction::Remove;
        }
    }

    /// Replaces the token: the old cookie is dead at once, session and data stay. What was
    /// changed is committed with it, and CSRF tokens issued so far are worthless. A visitor
    /// without a session has no token to replace.
    ///
    /// # Errors
    /// [`SessionError::Refused`] where an access token was presented; else as
    /// [`commit`](Self::commit).
    pub async fn regenerate(&self) -> Result<(), SessionError> {
        self.lock().require_cookie()?;
        self.detached(|session| async move {
            let Some((id, delta)) = session.take_for_act() else { return Ok(()) };
            session.go_on_with(session.engine().regenerate(id, delta).await?);
            Ok(())
        })
        .await
    }

    /// Notes that the user proved who they are again, by these methods (RFC 8176): the session is
    /// fresh, both lifetimes start anew, and the token is replaced.
    ///
    /// # Errors
    /// [`SessionError::Unauthenticated`] when nobody is signed in, [`SessionError::Refused`] where
    /// an access token was presented (see [`SessionManager::step_up`]) or the methods are more or
    /// longer than [`SignIn::amr`] takes, with those before; else as [`commit`](Self::commit).
    ///
    /// [`SessionManager::step_up`]: crate::SessionManager::step_up
    /// [`SignIn::amr`]: crate::SignIn::amr
    pub async fn step_up(&self, amr: &[&str]) -> Result<(), SessionError> {
        self.lock().require_cookie()?;
        if !self.is_authenticated() {
            return Err(SessionError::Unauthenticated);
        }
        let amr: Vec<Arc<str>> = amr.iter().map(|method| Arc::from(*method)).collect();
        self.detached(|session| async move {
            let Some((id, delta)) = session.take_for_act() else { return Ok(()) };
            session.go_on_with(session.engine().step_up(id, amr, delta).await?);
            Ok(())
        })
        .await
    }

    /// Ends all other sessions of the subject and replaces this one's token (ASVS 7.4.3); answers
    /// how many there were. Where an access token was presented, the token stays: its holder would
    /// not learn the next one, and replaces it by itself at each refresh.
    ///
    /// # Errors
    /// [`SessionError::Unauthenticated`] for a session without a subject; [`SessionError::Ended`],
    /// [`SessionError::Expired`] or [`SessionError::Suspended`] when this one is over meanwhile, and
    /// then nobody's ends; [`SessionError::Unavailable`] when the store is out of reach.
    pub async fn end_others(&self) -> Result<u32, SessionError> {
        let subject = self.user_id().ok_or(SessionError::Unauthenticated)?;
        let id = self.id().ok_or(SessionError::Unauthenticated)?;
        self.detached(move |session| async move {
            let (spared, by) = (Spared::Asking(id), Some(subject.as_str().into()));
            let engine = session.engine();
            let count = engine.end_all(&subject, spared, EndReason::LogoutAll, by).await?;
            if session.lock().is_by_access {
                return Ok(count);
            }
            if let Some((id, delta)) = session.take_for_act() {
                session.go_on_with(engine.regenerate(id, delta).await?);
            }
            Ok(count)
        })
        .await
    }

    /// Signs out everywhere: every session of the subject ends, this one last; answers how many
    /// there were.
    ///
    /// # Errors
    /// As [`end_others`](Self::end_others). When this one is over meanwhile, nobody's ends; with
    /// [`SessionError::Unavailable`] or [`SessionError::Unknown`] the others may have ended and
    /// this one not.
    pub async fn end_all(&self) -> Result<u32, SessionError> {
        let subject = self.user_id().ok_or(SessionError::Unauthenticated)?;
        let record = self.record().ok_or(SessionError::Unauthenticated)?;
        self.detached(move |session| async move {
            let (id, by) = (record.id, Some(Arc::from(subject.as_str())));
            let (engine, reason) = (session.engine(), EndReason::LogoutAll);
            let spared = Spared::Asking(id);
            let others = engine.end_all(&subject, spared, reason, by.clone()).await?;
            let has_ended = engine.end(id, reason, by).await?;
            session.leave(record.transport == Transport::Cookie);
            Ok(others + u32::from(has_ended))
        })
        .await
    }

    /// Ends another session of the same subject; `false` if it had ended already, is not there or
    /// belongs to somebody else.
    ///
    /// # Errors
    /// [`SessionError::Unauthenticated`] for a session without a subject;
    /// [`SessionError::Unavailable`] when the store is out of reach.
    pub async fn end_other(&self, id: SessionId) -> Result<bool, SessionError> {
        let subject = self.user_id().ok_or(SessionError::Unauthenticated)?;
        self.detached(move |session| async move {
            let engine = session.engine();
            let found = engine.fetch(id).await?;
            if found.is_none_or(|other| other.record.subject.as_ref() != Some(&subject)) {
                return Ok(false);
            }
            engine.end(id, EndReason::Revoked, Some(subject.as_str().into())).await
        })
        .await
    }

    /// Names this device, or takes its name away. At most 100 characters count.
    ///
    /// # Errors
    /// [`SessionError::Unauthenticated`] for a visitor without a session; else as
    /// [`commit`](Self::commit).
    pub async fn label(&self, label: Option<&str>) -> Result<(), SessionError> {
        let id = self.id().ok_or(SessionError::Unauthenticated)?;
        let label = label.map(|text| text.chars().filter(|c| !c.is_control()).take(100).collect());
        let label = label.map(|text: String| text.into());
        self.detached(move |session| async move { session.engine().label(id, label).await }).await
    }

    fn take_for_act(&self) -> Option<(SessionId, Delta)> {
        let mut state = self.lock();
        state.was_used = true;
        let id = state.live()?.record.id;
        Some((id, state.take_delta()))
    }

    fn go_on_with(&self, cached: Arc<crate::cache::Cached>) {
        let mut state = self.lock();
        state.cookie = CookieAction::set(&cached);
        (state.is_destroyed, state.has_signed_out) = (false, false);
        state.rebase(cached, self.engine().sizes());
    }

    /// Runs `act` in a task of its own: a dropped connection drops the waiting, not the act.
    /// A token that was presented and not judged yet is judged first.
    async fn detached<T, F, A>(&self, act: A) -> Result<T, SessionError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, SessionError>> + Send,
        A: FnOnce(Self) -> F + Send + 'static,
    {
        self.engine().ensure_maintenance();
        let session = self.clone();
        let task = tokio::spawn(async move {
            let this = session.clone();
            let _turn = this.0.turn().lock().await;
            if matches!(session.lock().base, Base::Presented(_)) {
                session.resolve().await?;
            }
            act(session).await
        });
        task.await.unwrap_or_else(|lost| Err(SessionError::Unknown(lost.into())))
    }
}
