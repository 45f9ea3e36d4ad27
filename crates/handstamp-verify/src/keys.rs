//! The keys in force, and where newer ones come from.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::key::{KeyError, KeySet};

/// How often an unknown key may make us read the set again, by default.
pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(30);

/// What went wrong while reading a set of keys.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A future in a box.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Reads the text of a set of keys from wherever it is.
pub trait FetchKeys: Send + Sync + 'static {
    /// The text of the set (RFC 7517).
    ///
    /// # Errors
    /// Whatever went wrong; the keys in force stay so.
    fn fetch(&self) -> BoxFuture<'_, Result<Vec<u8>, BoxError>>;
}

/// The keys could not be read again. Those in force stay so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// They could not be fetched. Retrying may help.
    #[error("the set of keys could not be fetched")]
    Fetch(#[source] BoxError),
    /// What was fetched is no set of keys that can be used. Retrying does not help.
    #[error("the set of keys that was fetched is refused")]
    Set(#[source] KeyError),
}

/// The keys in force. Shared by whoever checks and whoever reads them again.
pub struct Keys {
    set: RwLock<Arc<KeySet>>,
    /// Counts sets; what was checked with an earlier one is checked again.
    version: AtomicU64,
    source: Option<Source>,
}

struct Source {
    fetch: Arc<dyn FetchKeys>,
    interval: Duration,
    /// When the last reading began. Held while one runs, so that there is one at a time.
    last: Mutex<Option<Duration>>,
    accepts_eddsa: bool,
}

impl Keys {
    /// Keys that stay as they are.
    pub fn fixed(set: KeySet) -> Self {
        Self { set: RwLock::new(Arc::new(set)), version: AtomicU64::new(1), source: None }
    }

    /// Keys that are fetched: none at first, and again when a token names one that is not known,
    /// at most once in an `interval` (30 s by default, [`DEFAULT_INTERVAL`]). So a service tells
    /// a new key that long before it signs with it.
    pub fn fetched(fetch: Arc<dyn FetchKeys>, interval: Duration) -> Self {
        let last = Mutex::new(None);
        let source = Source { fetch, interval, last, accepts_eddsa: false };
        Self { source: Some(source), ..Self::fixed(KeySet::default()) }
    }

    /// Takes the older name `EdDSA` for Ed25519 in what is fetched
    /// ([`KeySet::accepting_eddsa`]).
    #[must_use]
    pub fn accepting_eddsa(mut self) -> Self {
        if let Some(source) = &mut self.source {
            source.accepts_eddsa = true;
        }
        self
    }

    /// The set in force.
    pub fn current(&self) -> Arc<KeySet> {
        self.set.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another set in force, at once.
    pub fn replace(&self, set: KeySet) {
        *self.set.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(set);
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    /// Which set is in force. Read it before the set itself.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Whether keys are to come that have never been read.
    pub(crate) fn are_awaited(&self) -> bool {
        self.source.is_some() && self.version() == 1
    }

    /// Reads the set again, unless that was tried within the interval; whoever comes while
    /// somebody reads waits for that. Answers whether it has been read by this call.
    ///
    /// # Errors
    /// [`KeysError`]; the keys in force stay so.
    pub async fn refresh(&self, clock: &dyn Clock) -> Result<bool, KeysError> {
        let Some(source) = &self.source else { return Ok(false) };
        let mut last = source.last.lock().await;
        let now = clock.elapsed();
        if last.is_some_and(|last| now.saturating_sub(last) < source.interval) {
            return Ok(false);
        }
        *last = Some(now);
        let text = source.fetch.fetch().await.map_err(KeysError::Fetch)?;
        let set = KeySet::from_jwks(&text).map_err(KeysError::Set)?;
        self.replace(if source.accepts_eddsa { set.accepting_eddsa() } else { set });
        Ok(true)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("set", &self.current()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ManualClock, Script};

    fn keys(answers: &[&str]) -> (Keys, Arc<Script>, ManualClock) {
        let script = Arc::new(Script::new(answers));
        let keys = Keys::fetched(Arc::clone(&script) as _, Duration::from_secs(30));
        (keys, script, ManualClock::new())
    }

    const EMPTY: &str = r#"{"keys":[]}"#;

    #[tokio::test]
    async fn the_set_is_read_at_most_once_in_an_interval() {
        let (keys, script, clock) = keys(&[EMPTY, EMPTY]);
        assert!(keys.are_awaited());
        assert!(keys.refresh(&clock).await.unwrap());
        assert!(!keys.are_awaited());
        clock.advance(Duration::from_secs(29));
        assert!(!keys.refresh(&clock).await.unwrap());
        clock.advance(Duration::from_secs(1));
        assert!(keys.refresh(&clock).await.unwrap());
        assert_eq!(script.calls(), 2);
    }

    #[tokio::test]
    async fn a_reading_that_fails_leaves_the_keys_in_force_and_counts_for_the_interval() {
        let (keys, script, clock) = keys(&[EMPTY, "no set"]);
        keys.refresh(&clock).await.unwrap();
        clock.advance(Duration::from_secs(30));
        let version = keys.version();
        assert!(matches!(keys.refresh(&clock).await, Err(KeysError::Set(KeyError::Form))));
        assert_eq!(keys.version(), version);
        assert!(!keys.refresh(&clock).await.unwrap());
        clock.advance(Duration::from_secs(30));
        assert!(matches!(keys.refresh(&clock).await, Err(KeysError::Fetch(_))));
        assert_eq!(script.calls(), 3);
    }

    #[tokio::test]
    async fn fixed_keys_are_never_read_again() {
        let keys = Keys::fixed(KeySet::default());
        assert!(!keys.refresh(&ManualClock::new()).await.unwrap());
        assert!(!keys.are_awaited());
    }
}
