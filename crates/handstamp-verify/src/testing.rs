//! What the tests of this crate share.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use handstamp_protocol::Time;
use handstamp_protocol::sessions::Kind;
use handstamp_protocol::tokens::{AccessClaims, Audience};

use crate::clock::Clock;
use crate::keys::{BoxError, BoxFuture, FetchKeys};

/// When tests begin, in seconds since the epoch.
pub(crate) const NOW: u64 = 1_769_860_800;

/// Claims that are good at [`NOW`].
pub(crate) fn claims() -> AccessClaims {
    AccessClaims {
        iss: "https://id.example.com".into(),
        aud: Audience::One("shop".into()),
        client_id: "web".into(),
        sub: "ada".into(),
        sid: "AQIDBAUGBwgJCgsMDQ4PEBES".into(),
        generation: 3,
        epoch: 2,
        deployment: 1,
        iat: NOW,
        exp: NOW + 1800,
        nbf: None,
        jti: "j1".into(),
        auth_time: NOW,
        amr: vec!["pwd".into()],
        roles: vec!["clerk".into()],
        kind: Kind::User,
        act: None,
        cnf: None,
    }
}

/// A clock that a test sets.
#[derive(Debug, Default)]
pub(crate) struct ManualClock {
    passed: AtomicU64,
}

impl ManualClock {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn advance(&self, span: Duration) {
        self.passed.fetch_add(u64::try_from(span.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Time {
        let passed = i64::try_from(self.passed.load(Ordering::SeqCst)).unwrap();
        Time::from_millis(i64::try_from(NOW).unwrap() * 1000 + passed)
    }

    fn elapsed(&self) -> Duration {
        Duration::from_secs(1000) + Duration::from_millis(self.passed.load(Ordering::SeqCst))
    }
}

/// Answers one text after the other, then errors.
pub(crate) struct Script {
    answers: Mutex<Vec<String>>,
    calls: AtomicUsize,
}

impl Script {
    pub(crate) fn new(answers: &[&str]) -> Self {
        let answers = answers.iter().rev().map(|text| (*text).to_owned()).collect();
        Self { answers: Mutex::new(answers), calls: AtomicUsize::new(0) }
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl FetchKeys for Script {
    fn fetch(&self) -> BoxFuture<'_, Result<Vec<u8>, BoxError>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let next = self.answers.lock().unwrap().pop();
        Box::pin(async { next.map(String::into_bytes).ok_or_else(|| "no answer".into()) })
    }
}
