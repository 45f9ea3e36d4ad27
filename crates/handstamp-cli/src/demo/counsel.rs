//! What the service makes of sign-ins that failed: the shop reports each over HTTP, by a service
//! key of its own, and heeds the advice.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;
use handstamp_core::SessionError;
use handstamp_protocol::failures::{Advice, FailureAnswer, FailureRequest};
use handstamp_protocol::sessions::Client as Holder;
use handstamp_protocol::{Secret, paths};
use reqwest::Client;

use super::accounts::named;
use crate::failure::Failure;

/// How long the service may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most names whose wait is remembered; beyond it, the shortest wait is forgotten.
const MOST_NAMES: usize = 1_000;

/// Where the service is, and as whom the shop calls it.
#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) url: String,
    /// Good for one sort of call and for nothing else.
    pub(super) key: Secret,
}

/// Asks the service, and remembers what it said.
#[derive(Debug)]
pub(super) struct Counsel {
    http: Client,
    service: Service,
    waits: Mutex<Waits>,
}

impl Counsel {
    /// Nobody has to wait yet.
    pub(super) fn new(service: Service) -> Result<Self, Failure> {
        let http = Client::builder().no_proxy().timeout(PATIENCE).build();
        let http = http.map_err(|error| Failure::because("cannot start", &error))?;
        Ok(Self { http, service, waits: Mutex::default() })
    }

    /// How long until a try with this name may come; `None` when it may come now.
    pub(super) fn wait(&self, name: &str) -> Option<Duration> {
        self.waits().of(name, Instant::now())
    }

    /// Reports a try that failed; answers how long the next must wait.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when the service does not answer, or refuses: then nobody
    /// knows how often passwords are tried.
    pub(super) async fn failed(
        &self,
        name: &str,
        headers: &HeaderMap,
    ) -> Result<Option<Duration>, SessionError> {
        let answer = self.report(&report(name, headers)).await;
        let answer = answer.map_err(|error| SessionError::Unavailable(error.into()))?;
        let wait = advised(&answer);
        if let Some(wait) = wait {
            self.waits().note(name, Instant::now() + wait);
        }
        Ok(wait)
    }

    /// Whoever has this name is in, so nobody waits.
    pub(super) fn came_in(&self, name: &str) {
        self.waits().until.remove(name);
    }

    async fn report(&self, failure: &FailureRequest) -> reqwest::Result<FailureAnswer> {
        let to = format!("{}{}", self.service.url, paths::FAILURES);
        let request = self.http.post(to).bearer_auth(self.service.key.expose()).json(failure);
        request.send().await?.error_for_status()?.json().await
    }

    fn waits(&self) -> MutexGuard<'_, Waits> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the service is told. Of what was typed as the name it keeps a keyed hash.
fn report(name: &str, headers: &HeaderMap) -> FailureRequest {
    let user_agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    FailureRequest {
        subject: named(name).map(|account| account.name.into()),
        identifier: Some(name.into()),
        reason: "wrong_name_or_password".into(),
        // No address: everybody at a demo comes from this machine.
        client: Holder { user_agent: user_agent.map(Into::into), ..Holder::default() },
    }
}

/// What the advice comes to: somebody who is blocked may try again some day too.
fn advised(answer: &FailureAnswer) -> Option<Duration> {
    let wait = Duration::from_secs(answer.retry_after_seconds.unwrap_or_default());
    (answer.advice != Advice::Allow && !wait.is_zero()).then_some(wait)
}

/// Until when each name has to wait.
#[derive(Debug, Default)]
struct Waits {
    until: HashMap<String, Instant>,
}

impl Waits {
    fn of(&self, name: &str, now: Instant) -> Option<Duration> {
        let until = self.until.get(name)?;
        until.checked_duration_since(now).filter(|wait| !wait.is_zero())
    }

    fn note(&mut self, name: &str, until: Instant) {
        self.until.insert(name.to_owned(), until);
        if self.until.len() > MOST_NAMES {
            let first = self.until.iter().min_by_key(|(_, until)| **until);
            let first = first.map(|(name, _)| name.clone());
            first.and_then(|name| self.until.remove(&name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn answer(advice: Advice, retry_after_seconds: Option<u64>) -> FailureAnswer {
        FailureAnswer { failures_recent: 1, advice, retry_after_seconds }
    }

    #[test]
    fn a_delay_and_a_block_are_waited_for_and_anything_else_is_not() {
        assert_eq!(advised(&answer(Advice::Delay, Some(2))), Some(seconds(2)));
        assert_eq!(advised(&answer(Advice::Block, Some(900))), Some(seconds(900)));
        assert_eq!(advised(&answer(Advice::Allow, None)), None);
        assert_eq!(advised(&answer(Advice::Delay, None)), None);
    }

    #[test]
    fn a_name_waits_until_its_time_and_no_other_name_does() {
        let (mut waits, now) = (Waits::default(), Instant::now());
        waits.note("mina", now + seconds(2));
        assert_eq!(waits.of("mina", now), Some(seconds(2)));
        assert_eq!(waits.of("mina", now + seconds(2)), None);
        assert_eq!(waits.of("jonas", now), None);
    }

    #[test]
    fn names_that_are_made_up_fill_nothing() {
        let (mut waits, now) = (Waits::default(), Instant::now());
        waits.note("mina", now + seconds(900));
        for count in 0..2 * MOST_NAMES {
            waits.note(&format!("nobody-{count}"), now + seconds(1));
        }
        assert_eq!(waits.until.len(), MOST_NAMES);
        assert!(waits.of("mina", now).is_some(), "a short wait goes first");
    }
}
