//! One refresh, from the first look to what is kept of it.

use std::sync::Arc;
use std::time::Duration;

use handstamp_protocol::Time;
use handstamp_protocol::sessions::Reason;

use super::Outcome;
use crate::backend::{BackendError, Granted, RefreshCall};
use crate::clock;
use crate::error::AuthError;
use crate::manager::{Inner, Save};
use crate::session::{AuthTokens, Session};
use crate::state::AuthEvent;
use crate::storage::{Lock, Revocation, StorageError};
use crate::token::Token;
use crate::{fail, random};

/// How often to look whether another process is done.
const LOOK: Duration = Duration::from_millis(50);
/// Whoever needs longer than this from reading what is kept to asking the server was stopped in
/// between, and what he read may be old.
const STOPPED: Duration = Duration::from_secs(2);
/// How often to begin anew for that reason: a disk may simply be that slow.
const ANEW: usize = 3;

/// Which tokens are to be renewed.
#[derive(Clone)]
struct Subject {
    lineage: String,
    generation: u64,
    refresh_token: Option<Token>,
}

impl Subject {
    fn of(session: &Session) -> Self {
        Self {
            lineage: session.lineage.clone(),
            generation: session.generation,
            refresh_token: session.tokens.refresh_token.clone(),
        }
    }

    fn is(&self, session: &Session) -> bool {
        self.lineage == session.lineage && self.generation == session.generation
    }

    /// Whether the session still has the refresh token that was asked with.
    fn has_the_token_of(&self, session: &Session) -> bool {
        let (asked, there) = (&self.refresh_token, &session.tokens.refresh_token);
        asked.as_ref().zip(there.as_ref()).is_some_and(|(asked, there)| asked.is(there))
    }
}

/// Ends a refresh early, with its outcome or with the reason to try again.
enum Early {
    Outcome(Outcome),
    Failed(Option<Duration>),
    Blocked(StorageError),
}

impl From<StorageError> for Early {
    fn from(error: StorageError) -> Self {
        Self::Blocked(error)
    }
}

impl From<AuthError> for Early {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Storage(error) => Self::Blocked(error),
            _ => Self::Failed(None),
        }
    }
}

/// What was kept of an answer.
enum Kept {
    Renewed,
    Newer,
    SignedOut,
}

impl Inner {
    /// Renews the tokens unless they are newer than `generation`.
    pub(super) async fn run_refresh(self: &Arc<Self>, generation: u64) -> Outcome {
        let outcome = match self.renew(generation).await {
            Ok(outcome) | Err(Early::Outcome(outcome)) => outcome,
            Err(Early::Failed(asked)) => self.note_failure(asked),
            Err(Early::Blocked(cause)) => self.note_trouble(cause),
        };
        if matches!(outcome, Outcome::Refreshed | Outcome::Adopted) {
            self.note_success(&outcome);
        }
        outcome
    }

    fn note_failure(&self, asked: Option<Duration>) -> Outcome {
        let wait = self.pace().failed(self.clock.elapsed(), asked, chance());
        let retry_at = clock::later(self.clock.now(), wait);
        self.set_offline(true);
        self.tell(AuthEvent::RefreshFailed { retry_at });
        Outcome::Transient { retry_at }
    }

    /// What is kept is in the way. That says nothing about the server.
    fn note_trouble(&self, cause: StorageError) -> Outcome {
        tracing::warn!(error = %cause, "tokens are not renewed for want of what is kept");
        let cause = Arc::new(cause);
        let wait = self.pace().blocked(self.clock.elapsed(), &cause, chance());
        let retry_at = clock::later(self.clock.now(), wait);
        self.tell(AuthEvent::RefreshFailed { retry_at });
        Outcome::Blocked { cause, retry_at }
    }

    fn note_success(self: &Arc<Self>, outcome: &Outcome) {
        let session = self.session().filter(|_| *outcome == Outcome::Refreshed);
        if session.is_some_and(|session| self.is_due_at_once(&session)) {
            // Tokens without a life would be renewed without a pause.
            self.pace().failed(self.clock.elapsed(), None, chance());
        } else {
            self.pace().succeeded();
        }
        self.set_offline(false);
        self.deliver_later();
    }

    async fn renew(self: &Arc<Self>, generation: u64) -> Result<Outcome, Early> {
        self.restore().await?;
        let signed_out = || Early::Outcome(Outcome::Rejected { reason: self.reason() });
        let session = self.session().ok_or_else(signed_out)?;
        if session.generation > generation {
            return Ok(Outcome::StillValid);
        }
        let subject = Subject::of(&session);
        // That its time is over the server says: our clock may be wrong by years.
        if session.tokens.refresh_token.is_none() {
            let is_over = session.tokens.is_expired(self.now(&session), &self.config.margins);
            let over = Outcome::Rejected { reason: Some(Reason::Expired) };
            return Ok(if is_over { over } else { Outcome::StillValid });
        }
        self.keep_pace()?;
        let lock = self.lock(&subject).await?;
        let call = self.write_down(&subject).await?;
        let asked_at = self.clock.now();
        fail::point("attempt written");
        let answer = self.ask(call).await;
        fail::point("answered");
        self.conclude(&subject, answer, asked_at, lock.is_some()).await
    }

    /// Ends the refresh if it is too early after a failure, with what that one was.
    fn keep_pace(&self) -> Result<(), Early> {
        let pace = self.pace();
        let Some(wait) = pace.wait(self.clock.elapsed()) else { return Ok(()) };
        let retry_at = clock::later(self.clock.now(), wait);
        Err(Early::Outcome(match pace.cause() {
            Some(cause) => Outcome::Blocked { cause, retry_at },
            None => Outcome::Transient { retry_at },
        }))
    }

    /// Asks the server, which may take so long and no longer.
    async fn ask(&self, call: RefreshCall) -> Result<Granted, BackendError> {
        tokio::select! {
            answer = self.backend.refresh(call) => answer,
            () = self.clock.sleep(self.config.answer_within) => Err(BackendError::passing()),
        }
    }

    /// Becomes the only one who refreshes, if that can be had in time. While another process is at
    /// it, what it keeps is looked for.
    async fn lock(&self, subject: &Subject) -> Result<Option<Lock>, Early> {
        let until = self.clock.elapsed().saturating_add(self.config.lock_patience);
        loop {
            self.look(subject).await?;
            match self.on_storage(|storage| storage.try_lock()).await? {
                lock @ Lock::Held(_) => return Ok(Some(lock)),
                Lock::Unsupported => return Ok(None),
                Lock::Busy if self.clock.elapsed() < until => self.clock.sleep(LOOK).await,
                // Its holder may have been stopped. Where the same attempt gets the same answer,
                // asking beside it harms nobody; elsewhere it could look like theft.
                Lock::Busy if self.backend.is_repeatable() => return Ok(None),
                Lock::Busy => return Err(Early::Failed(None)),
            }
        }
    }

    /// Looks at what is kept. Ends the refresh if somebody else has renewed the tokens or has
    /// signed out.
    async fn look(&self, subject: &Subject) -> Result<(), Early> {
        self.adopt_what_is_kept().await?;
        match self.session() {
            Some(session) if subject.is(&session) => Ok(()),
            Some(_) => Err(Early::Outcome(Outcome::Adopted)),
            None => Err(Early::Outcome(Outcome::Rejected { reason: self.reason() })),
        }
    }

    /// Writes down what will be asked, or finds it written.
    async fn write_down(self: &Arc<Self>, subject: &Subject) -> Result<RefreshCall, Early> {
        for _ in 0..ANEW {
            let began = self.clock.elapsed();
            self.look(subject).await?;
            let call = self.written_call(subject).await?;
            if self.clock.elapsed().saturating_sub(began) < STOPPED {
                return Ok(call);
            }
        }
        Err(Early::Failed(None))
    }

    async fn written_call(self: &Arc<Self>, subject: &Subject) -> Result<RefreshCall, Early> {
        let session = self.session().filter(|session| subject.is(session));
        let session = session.ok_or(Early::Outcome(Outcome::Adopted))?;
        if let Some(call) = call_of(&session).filter(|_| self.is_kept()) {
            return Ok(call);
        }
        let written = self
            .change(Save::Always, |draft| {
                let session = draft.session.as_mut().filter(|session| subject.is(session))?;
                if session.open_attempt().is_none() {
                    session.attempt = session.next_attempt();
                }
                call_of(session)
            })
            .await?;
        written.ok_or(Early::Outcome(Outcome::Adopted))
    }

    async fn conclude(
        self: &Arc<Self>,
        subject: &Subject,
        answer: Result<Granted, BackendError>,
        asked_at: Time,
        is_alone: bool,
    ) -> Result<Outcome, Early> {
        match answer {
            Ok(granted) => Ok(self.take(subject, &granted, asked_at).await),
            Err(BackendError::Refused { reason }) => {
                self.look_once_more(subject, is_alone).await?;
                Ok(self.end(subject, reason).await)
            }
            Err(BackendError::Transient { retry_after, .. }) => Err(Early::Failed(retry_after)),
            Err(_) => Err(Early::Failed(None)),
        }
    }

    /// After a refusal: whoever has the next generation may not have kept it yet.
    async fn look_once_more(&self, subject: &Subject, is_alone: bool) -> Result<(), Early> {
        self.look(subject).await?;
        if !is_alone {
            for _ in 0..ANEW {
                self.clock.sleep(LOOK).await;
                self.look(subject).await?;
            }
        }
        Ok(())
    }

    /// Keeps what the server handed out.
    async fn take(
        self: &Arc<Self>,
        subject: &Subject,
        granted: &Granted,
        asked_at: Time,
    ) -> Outcome {
        let kept = self.change(Save::Always, |draft| match &mut draft.session {
            Some(session) if subject.is(session) => {
                renewed(session, granted, asked_at);
                Kept::Renewed
            }
            Some(session) if session.lineage == subject.lineage => {
                if subject.has_the_token_of(session) {
                    // The application renewed the access token alone; what it has to renew the next
                    // one with is spent.
                    succeed(session, granted, asked_at);
                }
                Kept::Newer
            }
            // Somebody signed out while the answer was on its way. What it brought must not live.
            _ => {
                draft.outbox.extend(granted.refresh_token.clone().map(|token| Revocation {
                    token,
                    since: asked_at,
                    until: granted.refresh_expires_in.map(|span| clock::later(asked_at, span)),
                }));
                Kept::SignedOut
            }
        });
        match kept.await {
            Ok(Kept::Newer) => Outcome::Adopted,
            Ok(Kept::SignedOut) => {
                self.deliver_later();
                Outcome::Rejected { reason: self.reason() }
            }
            // What could not be kept is in memory all the same, and the attempt was written down.
            Ok(Kept::Renewed) | Err(_) => {
                fail::point("successor kept");
                self.tell(AuthEvent::Refreshed);
                Outcome::Refreshed
            }
        }
    }

    /// The session is over: the server said so of the present generation.
    async fn end(self: &Arc<Self>, subject: &Subject, reason: Option<Reason>) -> Outcome {
        let ended: Result<bool, AuthError> = self
            .change(Save::Always, |draft| {
                let is_it = draft.session.as_ref().is_some_and(|session| subject.is(session));
                if is_it {
                    draft.session = None;
                    draft.ended = Some(reason.clone());
                }
                is_it
            })
            .await;
        match ended {
            Ok(false) if self.session().is_some() => Outcome::Adopted,
            Ok(false) => Outcome::Rejected { reason: self.reason() },
            Ok(true) | Err(_) => {
                self.tell(AuthEvent::Expired { reason: reason.clone() });
                Outcome::Rejected { reason }
            }
        }
    }
}

/// What to ask for a session whose attempt is written down.
fn call_of(session: &Session) -> Option<RefreshCall> {
    Some(RefreshCall {
        token: session.tokens.refresh_token.clone()?,
        attempt: session.open_attempt()?.id.clone(),
        last_active_at: session.last_active_at(),
    })
}

/// Takes what the next tokens are to be asked for with, and nothing else.
fn succeed(session: &mut Session, granted: &Granted, asked_at: Time) {
    let granted = granted.tokens(session.server_time(asked_at));
    if granted.refresh_token.is_some() {
        let AuthTokens { access_token, expires_at, obtained_at, .. } = session.tokens.clone();
        session.rotate(AuthTokens { access_token, expires_at, obtained_at, ..granted }, asked_at);
    }
}

fn chance() -> u8 {
    random::bytes::<1>().map_or(0, |[chance]| chance)
}

fn renewed(session: &mut Session, granted: &Granted, asked_at: Time) {
    session.learn_skew(granted.date, asked_at);
    let tokens = granted.tokens(session.server_time(asked_at));
    session.rotate(tokens, asked_at);
    session.learn(granted);
}
