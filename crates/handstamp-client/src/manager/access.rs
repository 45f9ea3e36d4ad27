//! What is asked of a session: its token, whether it is good, what is known of it.

use std::sync::Arc;
use std::time::Duration;

use handstamp_protocol::Time;
use tokio::sync::{broadcast, watch};
use url::Url;

use super::{Inner, Phase, Save, SessionManager};
use crate::clock;
use crate::error::AuthError;
use crate::refresh::Outcome;
use crate::session::{AuthTokens, CookieChanges, LinkedSession, Session};
use crate::state::{AuthEvent, AuthState};
use crate::token::Token;

/// How often to renew for one token: a server that hands out dead ones is asked no more.
const RENEWALS: usize = 3;
/// When to come back to a server that hands out dead tokens, and how long they live at least that
/// are not.
const AGAIN: Duration = Duration::from_secs(1);

impl Inner {
    /// Whether the tokens of a session are to be renewed now. Each process of a crowd comes to
    /// that at a moment of its own.
    pub(super) fn is_due(&self, session: &Session) -> bool {
        self.is_doubted() || self.due_at(session).is_some_and(|due| self.now(session) >= due)
    }

    /// When they are to be renewed, by the clock of the server.
    pub(super) fn due_at(&self, session: &Session) -> Option<Time> {
        let due = session.tokens.refresh_due(&self.config.margins)?;
        let margin = clock::between(due, session.tokens.expires_at?);
        Some(clock::earlier(due, margin * self.jitter / 1000))
    }

    /// Whether they were due nearly as soon as they came.
    pub(crate) fn is_due_at_once(&self, session: &Session) -> bool {
        let came = session.tokens.obtained_at;
        let due = came.zip(self.due_at(session));
        due.is_some_and(|(came, due)| clock::between(came, due) < AGAIN)
    }

    fn is_expired(&self, session: &Session) -> bool {
        self.is_doubted() || session.tokens.is_expired(self.now(session), &self.config.margins)
    }

    /// Why nobody is signed in.
    pub(super) fn nobody(&self) -> AuthError {
        match &self.held().phase {
            Phase::Expired(reason) => AuthError::Ended { reason: reason.clone() },
            _ => AuthError::NotAuthenticated,
        }
    }

    pub(super) async fn token(self: &Arc<Self>) -> Result<Token, AuthError> {
        let session = match self.usable().await {
            // Whoever asks for a token means whoever is signed in.
            Err(AuthError::Replaced) => self.usable().await,
            session => session,
        };
        Ok(session?.token().clone())
    }

    /// The session, once its access token can be sent.
    ///
    /// # Errors
    /// [`AuthError::Replaced`] if another session took its place while it was renewed.
    pub(crate) async fn usable(self: &Arc<Self>) -> Result<Arc<Session>, AuthError> {
        self.restore().await?;
        let session = self.session().ok_or_else(|| self.nobody())?;
        if !self.is_expired(&session) {
            let may_ask = self.pace().wait(self.clock.elapsed()).is_none();
            if self.is_due(&session) && may_ask && session.tokens.refresh_token.is_some() {
                self.join_refresh(session.generation);
            }
            return Ok(session);
        }
        if session.tokens.refresh_token.is_none() {
            return Err(AuthError::TokenExpired);
        }
        self.renewed(&session).await
    }

    /// The same session with the tokens of a later generation, good if the server can be asked.
    ///
    /// # Errors
    /// [`AuthError::Replaced`] if another one is there.
    ///
    /// # Security
    /// What was meant for one user is never done with the tokens of another.
    pub(crate) async fn renewed(
        self: &Arc<Self>,
        than: &Session,
    ) -> Result<Arc<Session>, AuthError> {
        self.still(than)?;
        let mut generation = than.generation;
        // What another process left behind may be past its time too.
        for _ in 0..RENEWALS {
            match self.refresh_from(generation).await {
                Outcome::Transient { retry_at } => return Err(AuthError::Offline { retry_at }),
                Outcome::Blocked { cause, .. } => return Err(AuthError::Storage(cause.again())),
                Outcome::Rejected { .. } => return Err(self.nobody()),
                _ => {}
            }
            let session = self.still(than)?;
            if !self.is_expired(&session) {
                return Ok(session);
            }
            generation = session.generation;
        }
        // Each was over when it came: the machine was too slow, or the server's clock is odd. That
        // is no word about the session.
        Err(AuthError::Offline { retry_at: clock::later(self.clock.now(), AGAIN) })
    }

    /// Has the tokens after these renewed in the background, if it is still them that are there.
    #[cfg(feature = "reqwest")]
    pub(crate) fn renew_later(self: &Arc<Self>, than: &Session) {
        if self.still(than).is_ok() {
            self.join_refresh(than.generation);
        }
    }

    /// The session that is there, if it is of the same sign-in.
    fn still(&self, one: &Session) -> Result<Arc<Session>, AuthError> {
        let session = self.session().ok_or_else(|| self.nobody())?;
        if session.lineage == one.lineage { Ok(session) } else { Err(AuthError::Replaced) }
    }

    /// Notes that a session was used, with which server, and what that one said about cookies.
    ///
    /// # Errors
    /// [`AuthError::Replaced`] if another one is there: it has nothing to do with that.
    pub(crate) async fn note_use(
        &self,
        of: &Session,
        server: Option<&str>,
        cookies: Option<&CookieChanges>,
    ) -> Result<(), AuthError> {
        let now = self.clock.now();
        let last = self.still(of)?.metadata.last_api_call_at;
        let is_old = last.is_none_or(|at| clock::between(at, now) >= self.config.note_use_every);
        let is_kept = is_old || cookies.is_some();
        let save = if is_kept { Save::Configured } else { Save::Never };
        let changed = self.change(save, |draft| {
            draft.is_use = cookies.is_none();
            let session = draft.of(of)?;
            session.metadata.last_api_call_at = Some(now);
            if server.is_some() {
                session.metadata.current_api_server = server.map(str::to_owned);
            }
            if let Some(cookies) = cookies {
                session.cookies.apply(cookies);
            }
            Ok(())
        });
        changed.await?
    }

    /// Changes this session, and no other that has taken its place.
    async fn update(
        &self,
        of: &Session,
        save: Save,
        mut act: impl FnMut(&mut Session),
    ) -> Result<(), AuthError> {
        self.change(save, |draft| draft.of(of).map(&mut act)).await?
    }
}

impl SessionManager {
    /// Reads what is kept, if that was not done yet. Call it at the start to have its errors told
    /// there; everything else does it too.
    ///
    /// # Errors
    /// [`AuthError::Storage`]; the next call tries again. After
    /// [`StorageError::Damaged`](crate::StorageError::Damaged) that helps only once somebody has
    /// signed in, here or in another process, or has called [`forget`](Self::forget).
    pub async fn restore(&self) -> Result<AuthState, AuthError> {
        self.inner.restore().await?;
        if !self.inner.held().outbox.is_empty() {
            self.inner.deliver_later();
        }
        Ok(self.state())
    }

    /// The state now. Costs no look at what is kept.
    pub fn state(&self) -> AuthState {
        self.inner.state.borrow().clone()
    }

    /// The state, to be watched: only the latest is shown.
    pub fn watch(&self) -> watch::Receiver<AuthState> {
        self.inner.state.subscribe()
    }

    /// Everything that happens from now on, in order.
    pub fn events(&self) -> broadcast::Receiver<AuthEvent> {
        self.inner.events.subscribe()
    }

    /// An access token to send now. Renews it in the background when that is due, and waits for
    /// that only when it is past its time.
    ///
    /// # Errors
    /// [`AuthError::NotAuthenticated`], [`AuthError::TokenExpired`] and [`AuthError::Ended`]: sign
    /// in. [`AuthError::Offline`]: later. [`AuthError::Storage`].
    pub async fn token(&self) -> Result<Token, AuthError> {
        match self.inner.quick.token(self.inner.clock.now()) {
            Some(token) => Ok(token),
            // In a box, so that callers who never come here do not carry it about.
            None => Box::pin(self.inner.token()).await,
        }
    }

    /// Renews the tokens now, or takes part in that if it is under way.
    pub async fn refresh(&self) -> Outcome {
        let generation = match self.inner.restore().await {
            Ok(()) => self.inner.session().map_or(0, |session| session.generation),
            Err(_) => 0,
        };
        self.inner.refresh_from(generation).await
    }

    /// The session, if somebody is signed in.
    ///
    /// # Errors
    /// [`AuthError::Storage`].
    pub async fn session(&self) -> Result<Option<Arc<Session>>, AuthError> {
        self.inner.restore().await?;
        Ok(self.inner.session())
    }

    /// The session, if somebody is signed in and what is kept could be read.
    pub async fn get_session(&self) -> Option<Arc<Session>> {
        self.session().await.ok().flatten()
    }

    /// Whether the session is a guest's.
    ///
    /// # Errors
    /// [`AuthError::Storage`].
    pub async fn is_guest(&self) -> Result<bool, AuthError> {
        Ok(self.session().await?.is_some_and(|session| session.is_guest))
    }

    /// Whether a request could be made: the access token is good or can be renewed. Asks nobody.
    pub async fn is_session_valid(&self) -> bool {
        let margins = &self.inner.config.margins;
        let session = self.get_session().await;
        session.is_some_and(|session| session.is_valid(self.inner.now(&session), margins))
    }

    /// Whether the access token is to be renewed.
    pub async fn needs_refresh(&self) -> bool {
        self.get_session().await.is_some_and(|session| self.inner.is_due(&session))
    }

    /// The access token as it is, without renewing it; none when it is past its time.
    pub async fn get_access_token(&self) -> Option<Token> {
        let session = self.get_session().await?;
        (!self.inner.is_expired(&session)).then(|| session.token().clone())
    }

    /// The refresh token.
    pub async fn get_refresh_token(&self) -> Option<Token> {
        self.get_session().await?.tokens.refresh_token.clone()
    }

    /// The value of a `Cookie` header for a request to `url`: cookies that this origin set.
    pub async fn get_cookie_header(&self, url: &Url) -> Option<String> {
        self.get_session().await?.cookies.header(url)
    }

    /// One line for people; `No active session` if there is none, `No readable session`, with the
    /// reason, if that cannot be told.
    pub async fn get_session_summary(&self) -> String {
        match self.session().await {
            Ok(Some(session)) => {
                session.summary(self.inner.clock.now(), &self.inner.config.margins)
            }
            Ok(None) => "No active session".to_owned(),
            Err(AuthError::Storage(cause)) => format!("No readable session: {cause}"),
            Err(error) => format!("No readable session: {error}"),
        }
    }

    /// Whole minutes since the sign-in.
    pub async fn session_age_minutes(&self) -> Option<u64> {
        let session = self.get_session().await?;
        Some(session.metadata.session_age_minutes(self.inner.clock.now()))
    }

    /// Whole minutes since the last use.
    pub async fn minutes_since_last_api_call(&self) -> Option<u64> {
        let session = self.get_session().await?;
        session.metadata.minutes_since_last_api_call(self.inner.clock.now())
    }

    /// Notes that the session is used, with which server. That is activity: it is told to the
    /// server at the next refresh. Written down once a minute at most.
    ///
    /// # Errors
    /// [`AuthError::NotAuthenticated`] and [`AuthError::Storage`].
    pub async fn mark_api_call(&self, server: Option<&str>) -> Result<(), AuthError> {
        let session = self.session().await?.ok_or_else(|| self.inner.nobody())?;
        self.inner.note_use(&session, server, None).await
    }

    /// Changes the session by hand: several things at once, kept once. `act` may run again, on what
    /// another process has written in between.
    ///
    /// # Errors
    /// [`AuthError::NotAuthenticated`] and [`AuthError::Storage`].
    pub async fn update(&self, act: impl FnMut(&mut Session)) -> Result<(), AuthError> {
        let session = self.session().await?.ok_or_else(|| self.inner.nobody())?;
        self.inner.update(&session, Save::Configured, act).await
    }

    /// Takes tokens that the application renewed itself.
    ///
    /// # Errors
    /// [`AuthError::NotAuthenticated`] and [`AuthError::Storage`].
    pub async fn update_tokens(&self, tokens: AuthTokens) -> Result<(), AuthError> {
        let now = self.inner.clock.now();
        self.update(|session| session.rotate(tokens.clone(), now)).await
    }

    /// Takes over what an answer says about cookies.
    ///
    /// # Errors
    /// [`AuthError::NotAuthenticated`] and [`AuthError::Storage`].
    pub async fn update_cookies(&self, changes: CookieChanges) -> Result<(), AuthError> {
        if changes.is_empty() {
            return Ok(());
        }
        self.update(|session| session.cookies.apply(&changes)).await
    }

    /// Keeps a session of another provider beside this one, under that provider's name.
    ///
    /// # Errors
    /// [`AuthError::NotAuthenticated`] and [`AuthError::Storage`].
    pub async fn link(&self, provider: &str, linked: LinkedSession) -> Result<(), AuthError> {
        self.update(|session| {
            session.linked.insert(provider.to_owned(), linked.clone());
        })
        .await
    }

    /// Keeps what is in memory.
    ///
    /// # Errors
    /// [`AuthError::Storage`].
    pub async fn save_session(&self) -> Result<(), AuthError> {
        self.inner.change(Save::Always, |_| ()).await
    }

    /// Reads what is kept, and takes it in the place of what is in memory.
    ///
    /// # Errors
    /// [`AuthError::Storage`]; what is in memory stays.
    pub async fn load_session(&self) -> Result<Option<Arc<Session>>, AuthError> {
        self.inner.restore().await?;
        self.inner.take_what_is_kept().await?;
        Ok(self.inner.session())
    }

    /// Whether everything in memory is kept.
    pub fn is_saved(&self) -> bool {
        self.inner.is_kept()
    }
}
