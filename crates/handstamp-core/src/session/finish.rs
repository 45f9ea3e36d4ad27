//! The end of a request: what is committed, and what goes out with the response.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use zeroize::Zeroizing;

use super::Session;
use super::inner::{Inner, Known};
use super::opened::RequestInfo;
use super::state::{Base, State};
use crate::cache::Cached;
use crate::commit::{Answer, Committed, Job, answered};
use crate::delta::Delta;
use crate::engine::{Begin, Engine};
use crate::error::{Refused, SessionError};
use crate::record::{Client, Record};

/// What is to be done with the session cookie.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum CookieAction {
    /// Nothing: the browser has what it needs.
    #[default]
    None,
    /// Set it.
    Set {
        /// Its value.
        value: Zeroizing<String>,
        /// How long a remembered one is kept: what is left of the absolute lifetime. `None` for
        /// one that goes with the browser.
        max_age: Option<Duration>,
    },
    /// Delete it.
    Remove,
}

impl std::fmt::Debug for CookieAction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Set { .. } => "Set(..)",
            Self::Remove => "Remove",
        })
    }
}

impl CookieAction {
    /// The cookie of a session that is current now. What is left of its life is filled in when
    /// the response goes out.
    pub(super) fn set(session: &Cached) -> Self {
        match session.token() {
            Some(token) => Self::Set { value: token.to_text(), max_age: None },
            None => Self::None,
        }
    }
}

/// What goes out with the response.
#[derive(Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The session cookie.
    pub cookie: CookieAction,
    /// The visitor's cookie to set.
    pub pre_session: Option<String>,
    /// Whether the session was read or set: then nobody may store the response.
    pub was_used: bool,
    /// Whether somebody signed out and the configuration asks for `Clear-Site-Data`.
    pub clear_site_data: bool,
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outgoing")
            .field("cookie", &self.cookie)
            .field("pre_session", &self.pre_session.is_some())
            .field("was_used", &self.was_used)
            .field("clear_site_data", &self.clear_site_data)
            .finish()
    }
}

/// What is left to do before the response head may leave.
#[derive(Debug)]
#[must_use = "changes are lost unless the commit is awaited"]
pub enum Finish {
    /// Nothing.
    Nothing,
    /// Await this; if it fails, the response must not go out.
    Commit(CommitFuture),
}

impl Session {
    /// Ends the request: notes activity and begins to commit what was changed. With `is_good`
    /// false (a 5xx, a panic) what was changed since the last commit is dropped.
    pub fn finish(&self, is_good: bool) -> Finish {
        let mut state = self.lock();
        match self.0.settle(&mut state, is_good) {
            Some(delta) => Finish::Commit(self.begin_commit(&mut state, delta)),
            None => Finish::Nothing,
        }
    }

    /// What goes out with the response. To be asked once, after the commit.
    pub fn outgoing(&self) -> Outgoing {
        self.0.outgoing(&mut self.lock())
    }

    /// Commits what was changed, now, and tells what became of it.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when the store is out of reach (nothing was changed),
    /// [`SessionError::Unknown`] when its answer was lost, [`SessionError::Conflict`] when a
    /// `compare_and_set` came too late, [`SessionError::Ended`] or [`SessionError::Expired`] when
    /// the session has ended meanwhile, [`SessionError::Data`] when a limit would be passed,
    /// [`SessionError::Invalid`] or [`SessionError::Suspended`] when the presented token keeps this
    /// request from storing anything. What was changed is dropped in each case.
    pub async fn commit(&self) -> Result<(), SessionError> {
        let commit = {
            let mut state = self.lock();
            let delta = state.take_delta();
            if delta.is_empty() {
                return Ok(());
            }
            if state.live().is_none() && !state.may_begin() {
                return Err(state.refusal.map_or(SessionError::Invalid, SessionError::from));
            }
            self.begin_commit(&mut state, delta)
        };
        commit.await
    }

    pub(super) fn begin_commit(&self, state: &mut State, delta: Delta) -> CommitFuture {
        let session = self.clone();
        let engine = self.engine();
        engine.ensure_maintenance();
        if let Some(cached) = state.live() {
            let (id, mutation) = (cached.record.id, Engine::apply_delta(delta, engine.sizes()));
            let answer = engine.committer.submit(|reply| Job::Change { id, mutation, reply });
            return CommitFuture { session, step: Commit::Change(answer) };
        }
        if !state.may_begin() {
            tracing::debug!("a request with a superseded session token stored nothing");
            return CommitFuture { session, step: Commit::Nothing };
        }
        let (this, client) = (self.clone(), self.0.request.client());
        let begun = tokio::spawn(async move { this.begin_with(client, delta).await });
        CommitFuture { session, step: Commit::Begin(begun) }
    }

    /// Begins a session with what was changed, or adds it to the one that another commit of this
    /// request has begun meanwhile: a request begins one at most.
    async fn begin_with(&self, client: Client, delta: Delta) -> Result<(), SessionError> {
        let _turn = self.0.turn().lock().await;
        let (live, may_begin) = {
            let state = self.lock();
            (state.live().map(|cached| cached.record.id), state.may_begin())
        };
        let engine = self.engine();
        if let Some(id) = live {
            let mutation = Engine::apply_delta(delta, engine.sizes());
            self.take_committed(engine.change(id, mutation).await?);
        } else if may_begin {
            let delta = Arc::new(Mutex::new(delta));
            let begin = Begin { sign_in: None, client, old: None, delta };
            self.take_begun(engine.begin(begin).await?);
        }
        Ok(())
    }

    fn take_committed(&self, committed: Committed) {
        let Some(session) = committed.session else { return };
        let mut state = self.lock();
        // A sign-in or sign-out of this request may have been faster; then that is the session.
        if state.live().is_some_and(|live| live.record.id == session.record.id) {
            state.rebase(session, self.engine().sizes());
        }
    }

    fn take_begun(&self, session: Arc<Cached>) {
        let mut state = self.lock();
        state.cookie = CookieAction::set(&session);
        state.rebase(session, self.engine().sizes());
    }
}

impl<R: RequestInfo + ?Sized> Inner<R> {
    /// Notes activity and takes what is to be committed, if anything is. The activity of a request
    /// counts from when its token was judged.
    pub(super) fn settle(&self, state: &mut State, is_good: bool) -> Option<Delta> {
        if self.is_activity()
            && let Base::Live(cached) = &state.base
        {
            let at = state.judged_at.unwrap_or_else(|| self.engine().now());
            self.engine().touches.note(cached, at);
        }
        let delta = state.take_delta();
        (is_good && !delta.is_empty()).then_some(delta)
    }

    /// The same for a request that has only read: nothing is to be committed.
    pub(super) fn settle_plain(&self, known: &Known) {
        if self.is_activity() {
            let engine = self.engine();
            engine.touches.note(&known.cached, known.at.unwrap_or_else(|| engine.now()));
        }
    }

    /// What goes out with the response to a request that has only read.
    pub(super) fn outgoing_plain(&self) -> Outgoing {
        let (cookie, pre_session) = (CookieAction::None, None);
        Outgoing { cookie, pre_session, was_used: self.was_read(), clear_site_data: false }
    }

    pub(super) fn outgoing(&self, state: &mut State) -> Outgoing {
        let mut cookie = std::mem::take(&mut state.cookie);
        if let (CookieAction::Set { max_age, .. }, Some(cached)) = (&mut cookie, state.live()) {
            *max_age = cookie_age(&cached.record, self.engine());
        }
        // Which of two cookies is wrong nobody can tell: the browser keeps both.
        if state.is_ambiguous {
            cookie = CookieAction::None;
        }
        let is_new = state.is_visitor_new && !state.is_ambiguous && !state.is_by_access;
        let visitor = state.visitor.filter(|_| is_new);
        let is_set = cookie != CookieAction::None || visitor.is_some();
        Outgoing {
            cookie,
            pre_session: visitor.map(|visitor| visitor.to_cookie(&self.engine().keys)),
            was_used: self.was_read() || state.was_used || is_set,
            clear_site_data: state.has_signed_out && self.engine().config.clear_site_data(),
        }
    }
}

impl State {
    /// Whether storing something may begin a session.
    fn may_begin(&self) -> bool {
        let is_allowed = self.refusal.is_none_or(Refused::may_begin);
        let is_barred = self.is_destroyed || self.is_ambiguous || self.is_by_access;
        is_allowed && !is_barred && matches!(self.base, Base::Nobody)
    }
}

/// How long the browser keeps the cookie of a remembered session.
fn cookie_age(record: &Record, engine: &Engine) -> Option<Duration> {
    let left = record.absolute_expiry.since(engine.now());
    record.is_remembered.then(|| left.min(crate::config::LONGEST_COOKIE))
}

/// A commit under way. It goes on if this is dropped.
#[must_use = "whether the commit succeeded is known only when it is awaited"]
pub struct CommitFuture {
    session: Session,
    step: Commit,
}

enum Commit {
    Nothing,
    Change(Answer),
    Begin(tokio::task::JoinHandle<Result<(), SessionError>>),
}

impl std::fmt::Debug for CommitFuture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommitFuture").finish_non_exhaustive()
    }
}

impl Future for CommitFuture {
    type Output = Result<(), SessionError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = match &mut self.step {
            Commit::Nothing => Poll::Ready(Ok(())),
            Commit::Change(answer) => match Pin::new(answer).poll(context) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(answer) => {
                    Poll::Ready(answered(answer).map(|it| self.session.take_committed(it)))
                }
            },
            Commit::Begin(task) => match Pin::new(task).poll(context) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Ok(begun)) => Poll::Ready(begun),
                Poll::Ready(Err(lost)) => Poll::Ready(Err(SessionError::Unknown(lost.into()))),
            },
        };
        if polled.is_ready() {
            self.step = Commit::Nothing;
        }
        polled
    }
}
