//! The same key and body begin one session, however often they are sent: `Idempotency-Key`.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use handstamp_axum::problem::Problem;
use handstamp_core::SessionId;
use handstamp_core::ledger::{Ledger, LedgerError, Put, Written};
use handstamp_core::time::{Clock, Timestamp};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const SHELF: &str = "idempotency";

/// How long an answer can be had again.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// How long a claim that nobody filled holds others off: whoever made it was cut off.
const ABANDONED: Duration = Duration::from_secs(60);

/// How many old claims are removed at once.
const STEP: usize = 200;

/// What was begun under a key.
#[derive(Serialize, Deserialize, Clone)]
struct Stored {
    body_sha256: String,
    at: Timestamp,
    session: Option<SessionId>,
}

/// Keeps what was begun under which key.
#[derive(Clone)]
pub(crate) struct Idempotency {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
}

/// What a key stands for.
pub(crate) enum Claim {
    /// Nothing yet: begin, then fill it.
    New(NewClaim),
    /// This session.
    Done(SessionId),
}

/// A key that was claimed and is not filled yet.
pub(crate) struct NewClaim {
    place: String,
    version: u64,
    stored: Stored,
    idempotency: Idempotency,
}

impl Idempotency {
    pub(crate) fn new(ledger: Arc<dyn Ledger>, clock: Arc<dyn Clock>) -> Self {
        Self { ledger, clock }
    }

    /// Claims `name` for a request of `caller`. Of several at once one gets it.
    ///
    /// # Errors
    /// 422 when the name was used with another body, 409 while the first request with it is under
    /// way, 503 when the ledger is out of reach.
    pub(crate) async fn claim<T: Serialize>(
        &self,
        caller: &str,
        name: &str,
        body: &T,
    ) -> Result<Claim, Problem> {
        let body = serde_json::to_vec(body).unwrap_or_default();
        let place = hash(&[caller.as_bytes(), &[0], name.as_bytes()]);
        let stored = Stored { body_sha256: hash(&[&body]), at: self.clock.now(), session: None };
        let put = self.put(&place, &stored)?.if_absent();
        match self.ledger.write(vec![put]).await.map_err(|error| unavailable(&error))? {
            Written::Applied(version) => Ok(self.made(place, version, stored)),
            Written::Invalid { why, .. } => Err(unavailable(&why)),
            Written::Conflict { current, .. } => match current {
                Some(entry) => {
                    let before: Stored = entry.read().map_err(|error| unavailable(&error))?;
                    self.met(place, entry.version, before, stored).await
                }
                None => Err(busy()),
            },
        }
    }

    /// Somebody was here before.
    async fn met(
        &self,
        place: String,
        version: u64,
        before: Stored,
        now: Stored,
    ) -> Result<Claim, Problem> {
        let age = now.at.since(before.at);
        if before.body_sha256 != now.body_sha256 && age < KEPT {
            return Err(crate::body::out_of_range(
                "Idempotency-Key",
                "was used with another body before",
            ));
        }
        match before.session {
            Some(session) if age < KEPT => return Ok(Claim::Done(session)),
            None if age < ABANDONED => return Err(busy()),
            _ => {}
        }
        let put = self.put(&place, &now)?.if_version(version);
        match self.ledger.write(vec![put]).await.map_err(|error| unavailable(&error))? {
            Written::Applied(version) => Ok(self.made(place, version, now)),
            _ => Err(busy()),
        }
    }

    fn made(&self, place: String, version: u64, stored: Stored) -> Claim {
        Claim::New(NewClaim { place, version, stored, idempotency: self.clone() })
    }

    fn put(&self, place: &str, stored: &Stored) -> Result<Put, Problem> {
        let put = Put::new(SHELF, place, stored).map_err(|error| unavailable(&error))?;
        Ok(put.due(stored.at.plus(KEPT)))
    }

    /// Removes claims that are over; answers how many.
    ///
    /// # Errors
    /// [`LedgerError`] when the ledger is out of reach.
    pub(crate) async fn clean(&self) -> Result<usize, LedgerError> {
        let due = self.ledger.due(SHELF, self.clock.now(), STEP).await?;
        let count = due.len();
        for entry in due {
            let put = Put::removal(SHELF, &entry.key).if_version(entry.version);
            // One that was claimed again meanwhile stays.
            let _ = self.ledger.write(vec![put]).await?;
        }
        Ok(count)
    }
}

impl NewClaim {
    /// Says what was begun. If it cannot be said, the session stands all the same; its caller
    /// hears of it, and the key is free again in a minute.
    pub(crate) async fn fill(self, session: SessionId) -> Result<(), Problem> {
        let stored = Stored { session: Some(session), ..self.stored };
        let put = self.idempotency.put(&self.place, &stored)?.if_version(self.version);
        let written = self.idempotency.ledger.write(vec![put]).await;
        if !matches!(written, Ok(Written::Applied(_))) {
            tracing::warn!(%session, "what an Idempotency-Key began could not be noted");
        }
        Ok(())
    }

    /// Gives the key up: nothing was begun.
    pub(crate) async fn give_up(self) {
        let put = Put::removal(SHELF, &self.place).if_version(self.version);
        if self.idempotency.ledger.write(vec![put]).await.is_err() {
            tracing::debug!("an Idempotency-Key that began nothing is held for a minute");
        }
    }
}

fn hash(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    URL_SAFE_NO_PAD.encode(hash.finalize())
}

fn busy() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "CONFLICT",
        "a request with this Idempotency-Key is under way",
    )
    .retry_after(1)
}

fn unavailable(error: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%error, "the ledger did not keep an Idempotency-Key");
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "STORE_UNAVAILABLE",
        "sessions are not available just now",
    )
    .with("outcome", "none")
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_core::ledger::MemoryLedger;
    use handstamp_core::time::ManualClock;

    fn idempotency() -> (Idempotency, Arc<ManualClock>) {
        let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
        (Idempotency::new(Arc::new(MemoryLedger::new()), clock.clone()), clock)
    }

    fn session(byte: u8) -> SessionId {
        SessionId::from_bytes([byte; 18])
    }

    async fn begin(keys: &Idempotency, name: &str, body: &str, id: u8) {
        let Ok(Claim::New(claim)) = keys.claim("k", name, &body).await else { panic!("not new") };
        claim.fill(session(id)).await.unwrap();
    }

    async fn status(keys: &Idempotency, name: &str, body: &str) -> u16 {
        keys.claim("k", name, &body).await.err().map_or(200, |problem| problem.status().as_u16())
    }

    #[tokio::test]
    async fn the_same_key_and_body_are_the_same_session_for_a_day() {
        let (keys, clock) = idempotency();
        begin(&keys, "a", "x", 1).await;
        let again = keys.claim("k", "a", &"x").await;
        assert!(matches!(again, Ok(Claim::Done(id)) if id == session(1)));
        assert_eq!(status(&keys, "a", "y").await, 422, "another body");
        assert!(matches!(keys.claim("other", "a", &"x").await, Ok(Claim::New(_))));
        clock.advance(KEPT);
        assert!(matches!(keys.claim("k", "a", &"y").await, Ok(Claim::New(_))));
    }

    #[tokio::test]
    async fn while_the_first_is_under_way_the_second_waits_and_a_minute_later_takes_over() {
        let (keys, clock) = idempotency();
        let first = keys.claim("k", "a", &"x").await;
        assert!(matches!(first, Ok(Claim::New(_))));
        assert_eq!(status(&keys, "a", "x").await, 409);
        clock.advance(ABANDONED);
        assert!(matches!(keys.claim("k", "a", &"x").await, Ok(Claim::New(_))));
    }

    #[tokio::test]
    async fn a_key_that_began_nothing_is_free_at_once() {
        let (keys, _) = idempotency();
        let Ok(Claim::New(claim)) = keys.claim("k", "a", &"x").await else { panic!("not new") };
        claim.give_up().await;
        begin(&keys, "a", "y", 2).await;
    }

    #[tokio::test]
    async fn what_is_over_is_removed() {
        let (keys, clock) = idempotency();
        begin(&keys, "a", "x", 1).await;
        assert_eq!(keys.clean().await.unwrap(), 0);
        clock.advance(KEPT);
        assert_eq!(keys.clean().await.unwrap(), 1);
        assert_eq!(keys.clean().await.unwrap(), 0);
    }
}
