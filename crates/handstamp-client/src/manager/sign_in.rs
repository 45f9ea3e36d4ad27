//! Signing in: what a sign-in brought becomes the session.

use std::sync::Arc;

use super::{Inner, Save, SessionManager};
use crate::backend::Granted;
use crate::error::AuthError;
use crate::session::{AuthTokens, CookieChanges, Session, UserInfo};
use crate::state::AuthEvent;
use crate::storage::StorageError;
use crate::token::Token;

impl Inner {
    /// Makes a session the one that counts. One that was there ends, and the server will hear of
    /// that. One that cannot be kept is given back, and whoever was there before stays.
    async fn begin(self: &Arc<Self>, session: Session) -> Result<(), AuthError> {
        let event = match self.take_in(&session).await {
            Ok(event) => event,
            Err(error) => return Err(self.give_back(session, error).await),
        };
        self.pace().succeeded();
        self.set_offline(false);
        self.deliver_later();
        self.tell(event);
        Ok(())
    }

    async fn take_in(&self, session: &Session) -> Result<AuthEvent, AuthError> {
        let mut session = session.clone();
        session.begin(self.clock.now())?;
        self.change_anew(Save::OrNothing, |draft| {
            let before = draft.session.replace(session.clone());
            let is_upgrade = before.as_ref().is_some_and(|it| it.is_guest) && !session.is_guest;
            draft.retire(before, self.clock.now());
            if is_upgrade { AuthEvent::Upgraded } else { AuthEvent::SignedIn }
        })
        .await
    }

    /// Has the server end a session that could not be kept: nothing is to live on that nobody
    /// holds. Answers what became of both.
    async fn give_back(&self, session: Session, error: AuthError) -> AuthError {
        let cause = match error {
            AuthError::Storage(cause) => cause,
            AuthError::NoRandom(cause) => cause.into(),
            error => return error,
        };
        let held = self.session().and_then(|held| held.tokens.refresh_token.clone());
        let is_held = |token: &Token| held.as_ref().is_some_and(|held| held.is(token));
        // Without a refresh token there is nothing to revoke it by; and whoever has signed in with
        // the tokens that are there keeps them.
        match session.tokens.refresh_token.filter(|token| !is_held(token)) {
            Some(token) => AuthError::NotKept { cause, revoked: self.ask_to_revoke(token).await },
            None => AuthError::Storage(cause),
        }
    }

    /// Makes a guest the one who counts, where nobody is signed in by now. Whoever is stays, and the
    /// guest ends. One that cannot be kept is given back.
    async fn begin_guest(self: &Arc<Self>, mut guest: Session) -> Result<(), AuthError> {
        let now = self.clock.now();
        if let Err(error) = guest.begin(now) {
            return Err(self.give_back(guest, error.into()).await);
        }
        guest.is_guest = true;
        let begun = self.change_anew(Save::OrNothing, |draft| {
            let is_free = draft.session.as_ref().is_none_or(|there| self.is_spent(there));
            let not_taken = match is_free {
                true => draft.session.replace(guest.clone()),
                false => Some(guest.clone()),
            };
            draft.retire(not_taken, now);
            is_free
        });
        let is_begun = match begun.await {
            Ok(is_begun) => is_begun,
            Err(error) => return Err(self.give_back(guest, error).await),
        };
        self.deliver_later();
        if is_begun {
            self.pace().succeeded();
            self.set_offline(false);
            self.tell(AuthEvent::SignedIn);
        }
        Ok(())
    }

    /// Whether nothing but a new sign-in makes anything of a session.
    fn is_spent(&self, session: &Session) -> bool {
        session.tokens.refresh_token.is_none()
            && session.tokens.is_expired(self.now(session), &self.config.margins)
    }

    /// The same in a task that goes on when its caller is gone.
    async fn begin_for_sure(self: &Arc<Self>, session: Session) -> Result<(), AuthError> {
        let inner = Arc::clone(self);
        self.for_sure(async move { inner.begin(session).await }).await
    }

    /// Carries something out to its end, also when its caller is gone.
    pub(super) async fn for_sure<R: Send + 'static>(
        &self,
        work: impl Future<Output = Result<R, AuthError>> + Send + 'static,
    ) -> Result<R, AuthError> {
        let done = tokio::spawn(work).await;
        done.unwrap_or_else(|gone| Err(AuthError::Storage(std::io::Error::other(gone).into())))
    }
}

impl SessionManager {
    /// Makes a session of tokens, of whose they are, and of what the answer said about cookies.
    ///
    /// # Errors
    /// [`AuthError::NotKept`]: it could not be kept, and was given back. [`AuthError::Storage`]:
    /// the same of a session that has no refresh token, or that was signed in with before. Nothing
    /// has changed here.
    pub async fn create_session(
        &self,
        tokens: AuthTokens,
        user: Option<UserInfo>,
        cookies: Option<CookieChanges>,
    ) -> Result<(), AuthError> {
        self.begin_with(Session::new(tokens, user.unwrap_or_default()), cookies).await
    }

    /// The same, with the `User-Agent` that its requests are to have.
    ///
    /// # Errors
    /// As [`create_session`](Self::create_session).
    pub async fn create_session_with_user_agent(
        &self,
        tokens: AuthTokens,
        user: Option<UserInfo>,
        cookies: Option<CookieChanges>,
        user_agent: impl Into<String>,
    ) -> Result<(), AuthError> {
        let mut session = Session::new(tokens, user.unwrap_or_default());
        session.metadata.user_agent = Some(user_agent.into());
        self.begin_with(session, cookies).await
    }

    /// Makes a session of what a server answered to a sign-in: a
    /// [`TokenAnswer`](handstamp_protocol::sessions::TokenAnswer) of the session service, or what
    /// the application makes of another server's answer. Call it at once: lifetimes count from
    /// now.
    ///
    /// # Errors
    /// As [`create_session`](Self::create_session).
    pub async fn create_session_from_login_result(
        &self,
        login: impl Into<Granted>,
        cookies: Option<CookieChanges>,
    ) -> Result<(), AuthError> {
        let session = Session::from((&login.into(), self.inner.clock.now()));
        self.begin_with(session, cookies).await
    }

    /// Makes this the session, as a user's.
    ///
    /// # Errors
    /// As [`create_session`](Self::create_session).
    pub async fn authenticate_as_user(&self, mut session: Session) -> Result<(), AuthError> {
        session.is_guest = false;
        self.inner.begin_for_sure(session).await
    }

    /// Begins a guest session with the server. Does nothing if somebody is signed in, a guest or a
    /// user, whose session is not past its time for good; and whoever signs in while the server is
    /// asked, here or in another process, stays.
    ///
    /// # Errors
    /// [`AuthError::Backend`], and as [`create_session`](Self::create_session).
    pub async fn login_as_guest(&self) -> Result<(), AuthError> {
        if self.is_taken().await? {
            return Ok(());
        }
        let inner = Arc::clone(&self.inner);
        self.inner
            .for_sure(async move {
                let asked_at = inner.clock.now();
                let granted = inner.in_time(inner.backend.begin_guest()).await?;
                inner.begin_guest(Session::from((&granted, asked_at))).await
            })
            .await
    }

    /// Whether there is no place for a guest. There is one where a damaged file was.
    async fn is_taken(&self) -> Result<bool, AuthError> {
        match self.session().await {
            Ok(session) => Ok(session.is_some_and(|session| !self.inner.is_spent(&session))),
            Err(AuthError::Storage(StorageError::Damaged { .. })) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes a user of the guest: hands the guest's refresh token to `sign_in`, which passes it on
    /// as `upgrade_from`, and makes a session of its answer. When that fails the guest stays. Also
    /// without a guest, then without a token.
    ///
    /// The guest is kept once more before `sign_in` is called: where that cannot be done it is not,
    /// because a server may end the guest with the upgrade.
    ///
    /// # Errors
    /// What `sign_in` fails with, and as [`create_session`](Self::create_session).
    pub async fn upgrade_guest<F, R, E>(
        &self,
        sign_in: impl FnOnce(Option<Token>) -> F,
    ) -> Result<(), E>
    where
        F: Future<Output = Result<R, E>>,
        R: Into<Granted>,
        E: From<AuthError>,
    {
        if self.is_guest().await? {
            self.inner.change(Save::Configured, |_| ()).await?;
        }
        // After that look: another process may have renewed the guest.
        let session = self.session().await?.filter(|session| session.is_guest);
        let asked_at = self.inner.clock.now();
        let token = session.and_then(|session| session.tokens.refresh_token.clone());
        let mut session = Session::from((&sign_in(token).await?.into(), asked_at));
        session.is_guest = false;
        Ok(self.inner.begin_for_sure(session).await?)
    }

    async fn begin_with(
        &self,
        mut session: Session,
        cookies: Option<CookieChanges>,
    ) -> Result<(), AuthError> {
        if let Some(cookies) = &cookies {
            session.cookies.apply(cookies);
        }
        self.inner.begin_for_sure(session).await
    }
}
