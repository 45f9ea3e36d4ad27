//! Two weeks of a deployment that somebody has used, so that dashboard, figures and audit log have
//! something to show. Made up, and the same each time; written through the engine, by a clock that
//! is set.

mod cast;
mod plan;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use handstamp_core::config::SessionConfig;
use handstamp_core::record::{EndReason, Transport};
use handstamp_core::roles::Roles;
use handstamp_core::sign_in::SignIn;
use handstamp_core::store::{EventFilter, Page, SessionStore};
use handstamp_core::time::{Clock, Timestamp};
use handstamp_core::{KeyRing, SessionError, SessionManager, SignInFailure, Subject};

use crate::failure::Failure;
use cast::Person;
use plan::{Act, What};

/// A clock that shows what it is set to.
#[derive(Debug)]
struct Then(AtomicI64);

impl Clock for Then {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Writes the history up to `now`, unless something has happened here already.
pub(super) async fn write(
    store: Arc<impl SessionStore>,
    config: SessionConfig,
    keys: KeyRing,
    now: Timestamp,
) -> Result<(), Failure> {
    let clock = Arc::new(Then(AtomicI64::new(now.as_millis())));
    let builder = SessionManager::builder(store, config, keys).clock(Arc::clone(&clock));
    let mut stage =
        Stage { sessions: builder.maintenance(false).build(), clock, held: HashMap::new() };
    let failed = |error| Failure::because("the history of the demo cannot be written", &error);
    if stage.is_used().await.map_err(failed)? {
        return Ok(());
    }
    for Act { before, what } in plan::plan() {
        stage.clock.0.store(now.minus(before).as_millis(), Ordering::SeqCst);
        stage.play(what).await.map_err(failed)?;
    }
    stage.sessions.shutdown().await.map_err(failed)
}

/// Where the plan is played.
struct Stage {
    sessions: SessionManager,
    clock: Arc<Then>,
    /// The tokens that each visit was given, newest last.
    held: HashMap<usize, Vec<String>>,
}

impl Stage {
    async fn is_used(&self) -> Result<bool, SessionError> {
        let events = self.sessions.events(&EventFilter::default(), &Page::first(1)).await?;
        Ok(!events.events.is_empty())
    }

    async fn play(&mut self, what: What) -> Result<(), SessionError> {
        match what {
            What::Fail { person, device } => self.fail(person, device).await,
            What::Guess => self.guess().await,
            What::Begin { visit, person, device, is_remembered } => {
                let client = person.client(device);
                let sign_in = sign_in(person)?
                    .client(client)
                    .transport(Transport::Token)
                    .remember(is_remembered);
                let begun = self.sessions.begin(sign_in).await?;
                self.held.insert(visit, vec![begun.token.to_text().to_string()]);
                Ok(())
            }
            What::Refresh { visit } => self.refresh(visit).await,
            What::Leave { visit } => {
                let Some(token) = self.last(visit) else { return Ok(()) };
                unless_over(self.sessions.end_by_token(&token, EndReason::Logout).await)
            }
            What::Replay { visit } => {
                let first = self.held.get(&visit).and_then(|held| held.first()).cloned();
                let Some(token) = first else { return Ok(()) };
                unless_over(self.sessions.refresh(&token, None).await)
            }
            What::TidyUp => self.sessions.cleanup().await.map(drop),
        }
    }

    fn last(&self, visit: usize) -> Option<String> {
        self.held.get(&visit)?.last().cloned()
    }

    async fn refresh(&mut self, visit: usize) -> Result<(), SessionError> {
        let Some(token) = self.last(visit) else { return Ok(()) };
        let now = Some(self.clock.now());
        match self.sessions.refresh_active(&token, None, now).await {
            Ok(refreshed) => {
                let token = refreshed.token.to_text().to_string();
                self.held.entry(visit).or_default().push(token);
                Ok(())
            }
            other => unless_over(other),
        }
    }

    async fn fail(&self, person: &Person, device: usize) -> Result<(), SessionError> {
        let failure = SignInFailure {
            subject: Subject::new(person.subject).ok(),
            identifier: Some(person.email),
            reason: "wrong_password",
            client: person.client(device),
        };
        self.sessions.sign_in_failed(failure).await
    }

    /// Somebody tries names that nobody has.
    async fn guess(&self) -> Result<(), SessionError> {
        let failure = SignInFailure {
            subject: None,
            identifier: Some("admin"),
            reason: "unknown_user",
            client: cast::stranger(),
        };
        self.sessions.sign_in_failed(failure).await
    }
}

fn sign_in(person: &Person) -> Result<SignIn, SessionError> {
    let refused = |error: &dyn std::error::Error| SessionError::Refused(error.to_string());
    let roles = Roles::new(person.roles.iter().copied()).map_err(|error| refused(&error))?;
    let sign_in = SignIn::new(person.subject).map_err(|error| refused(&error))?;
    Ok(sign_in.name(person.name).email(person.email).roles(roles).amr(["pwd"]))
}

/// A session that has ended meanwhile is a part of the story; a fault is none.
fn unless_over<T>(done: Result<T, SessionError>) -> Result<(), SessionError> {
    match done {
        Err(error) if error.is_fault() => Err(error),
        _ => Ok(()),
    }
}

/// So many minutes.
const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}
