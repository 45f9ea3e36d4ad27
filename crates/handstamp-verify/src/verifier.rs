//! Everything together: is this access token good, here and now?

use std::sync::Arc;
use std::time::Duration;

use handstamp_protocol::Time;
use handstamp_protocol::feed::Cursor;
use handstamp_protocol::tokens::AccessClaims;

use crate::cache::TokenCache;
use crate::claims::{self, Expected};
use crate::clock::{Clock, SystemClock};
use crate::error::VerifyError;
use crate::keys::Keys;
use crate::revocations::Revocations;

/// How much memory checked tokens may take by default: 64 MiB, some 40,000 tokens.
pub const DEFAULT_CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// Whether a token can die before its time.
#[derive(Clone, Debug)]
pub enum Liveness {
    /// It dies with its session, as the revocation feed tells. While the feed is not heard,
    /// nothing is good.
    Feed(Arc<Revocations>),
    /// It is good until its time is over, whatever becomes of its session. For programs that
    /// cannot reach the service.
    UntilExpiry,
}

/// Checks access tokens. Clones share everything.
#[derive(Clone)]
pub struct Verifier {
    inner: Arc<Inner>,
}

struct Inner {
    expected: Expected,
    keys: Arc<Keys>,
    liveness: Liveness,
    cache: TokenCache,
    clock: Arc<dyn Clock>,
}

impl Verifier {
    /// Checks for what is `expected`, with the system's clock and a cache of 64 MiB.
    pub fn new(expected: Expected, keys: Arc<Keys>, liveness: Liveness) -> Self {
        Self::with(expected, keys, liveness, Arc::new(SystemClock::new()), DEFAULT_CACHE_BYTES)
    }

    /// The same with a clock and a bound, in bytes, for the cache of checked tokens.
    pub fn with(
        expected: Expected,
        keys: Arc<Keys>,
        liveness: Liveness,
        clock: Arc<dyn Clock>,
        cache_bytes: u64,
    ) -> Self {
        let cache = TokenCache::new(cache_bytes);
        Self { inner: Arc::new(Inner { expected, keys, liveness, cache, clock }) }
    }

    /// What a good token says. Never waits: a token that was checked before costs a lookup.
    ///
    /// # Errors
    /// Every [`VerifyError`] but `Forbidden` and `Behind`. [`VerifyError::UnknownKey`] and
    /// [`VerifyError::NoKeys`] may go away by [`verify`](Self::verify), which reads the keys.
    pub fn check(&self, token: &str) -> Result<Arc<AccessClaims>, VerifyError> {
        let inner = &*self.inner;
        let claims = inner.signed(token, inner.clock.now())?;
        if let Liveness::Feed(revocations) = &inner.liveness {
            revocations.check(&claims, inner.clock.elapsed())?;
        }
        Ok(claims)
    }

    /// What a good token says; reads the keys again when it names one that is not known, as often
    /// as [`Keys`] allow.
    ///
    /// # Errors
    /// Every [`VerifyError`] but `Forbidden` and `Behind`.
    pub async fn verify(&self, token: &str) -> Result<Arc<AccessClaims>, VerifyError> {
        match self.check(token) {
            Err(VerifyError::UnknownKey | VerifyError::NoKeys) => {
                self.refresh_keys().await;
                self.check(token)
            }
            verdict => verdict,
        }
    }

    async fn refresh_keys(&self) {
        let inner = &*self.inner;
        if let Err(error) = inner.keys.refresh(&*inner.clock).await {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(%error, source, "the keys in force stay");
        }
    }

    /// Waits until the state is at least that of `cursor`, which whoever ended a session got as
    /// `Handstamp-Cursor`: "read your own revocation".
    ///
    /// # Errors
    /// [`VerifyError::Behind`] when that takes longer than `timeout`, and always without a feed.
    pub async fn at_least(&self, cursor: &Cursor, timeout: Duration) -> Result<(), VerifyError> {
        let Liveness::Feed(revocations) = &self.inner.liveness else {
            return Err(VerifyError::Behind);
        };
        let reached = tokio::time::timeout(timeout, revocations.reached(cursor)).await;
        reached.map_err(|_| VerifyError::Behind)
    }

    /// Waits until the feed is heard, so that a server does not begin by refusing.
    ///
    /// # Errors
    /// [`VerifyError::Lapsed`] when that takes longer than `timeout`.
    pub async fn ready(&self, timeout: Duration) -> Result<(), VerifyError> {
        let Liveness::Feed(revocations) = &self.inner.liveness else { return Ok(()) };
        let is_fresh = revocations.trusted(|| self.inner.clock.elapsed());
        tokio::time::timeout(timeout, is_fresh).await.map_err(|_| VerifyError::Lapsed)
    }

    /// The time by its clock.
    pub fn now(&self) -> Time {
        self.inner.clock.now()
    }
}

impl Inner {
    /// What a token says whose signature, issuer, audience and times are right.
    fn signed(&self, token: &str, now: Time) -> Result<Arc<AccessClaims>, VerifyError> {
        // Before the set itself: a set that is replaced in between makes the entry useless.
        let version = self.keys.version();
        if let Some(claims) = self.cache.get(token, version) {
            return self.in_time(token, claims, now);
        }
        let claims = match claims::access_token(token, &self.keys.current(), &self.expected, now) {
            Err(VerifyError::UnknownKey) if self.keys.are_awaited() => {
                return Err(VerifyError::NoKeys);
            }
            claims => Arc::new(claims?),
        };
        self.cache.insert(token, version, Arc::clone(&claims));
        Ok(claims)
    }

    fn in_time(
        &self,
        token: &str,
        claims: Arc<AccessClaims>,
        now: Time,
    ) -> Result<Arc<AccessClaims>, VerifyError> {
        if claims::is_expired(&claims, now) {
            self.cache.remove(token);
            return Err(VerifyError::Expired);
        }
        Ok(claims)
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Verifier");
        shown.field("expected", &self.inner.expected).field("keys", &self.inner.keys);
        shown.field("cache", &self.inner.cache).finish_non_exhaustive()
    }
}
