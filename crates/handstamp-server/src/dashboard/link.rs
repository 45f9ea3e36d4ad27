//! The one-time link: how an operator signs in without a password.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use handstamp_core::SessionError;
use handstamp_core::ledger::{Ledger, LedgerError, Put};
use handstamp_core::random::{SystemRng, random};
use handstamp_core::time::Clock;
use sha2::{Digest, Sha256};

const SHELF: &str = "dashboard_links";

/// How long a link is good.
pub(super) const LASTS: Duration = Duration::from_secs(600);

/// How many links are cleared away at once.
const STEP: usize = 50;

/// The links that are out.
///
/// # Security
/// A code is 256 random bits. The ledger keeps its SHA-256 only, so that whoever reads the ledger
/// cannot sign in; nothing is kept of a code that was used.
pub(crate) struct Links {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links").finish_non_exhaustive()
    }
}

impl Links {
    pub(crate) fn new(ledger: Arc<dyn Ledger>, clock: Arc<dyn Clock>) -> Self {
        Self { ledger, clock }
    }

    /// A new code, good once and for ten minutes.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when the ledger is out of reach or no random bytes can be had.
    pub(crate) async fn make(&self) -> Result<String, SessionError> {
        let secret: [u8; 32] = random(&SystemRng)?;
        let code = URL_SAFE_NO_PAD.encode(secret);
        let until = self.clock.now().plus(LASTS);
        let put = Put::new(SHELF, &name_of(&code), &until.as_millis()).map_err(LedgerError::from);
        let put = put.map_err(fault)?.if_absent().due(until);
        match self.ledger.write(vec![put]).await?.is_applied() {
            true => Ok(code),
            false => Err(SessionError::Unavailable("the link was not kept".into())),
        }
    }

    /// Uses a code up. `false` if it is none, was used or is too old.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when the ledger is out of reach.
    ///
    /// # Security
    /// Of two who come with one code at the same moment, one is let in: the entry goes by
    /// compare-and-swap before anybody is signed in.
    pub(super) async fn take(&self, code: &str) -> Result<bool, SessionError> {
        self.clear().await?;
        if code.len() != 43 {
            return Ok(false);
        }
        let name = name_of(code);
        let Some(entry) = self.ledger.get(SHELF, &name).await? else { return Ok(false) };
        let is_good = entry.due_at.is_some_and(|until| until > self.clock.now());
        let removal = Put::removal(SHELF, &name).if_version(entry.version);
        Ok(self.ledger.write(vec![removal]).await?.is_applied() && is_good)
    }

    /// Removes links that nobody used in time.
    async fn clear(&self) -> Result<(), SessionError> {
        let old = self.ledger.due(SHELF, self.clock.now(), STEP).await?;
        let gone = old.iter().map(|entry| Put::removal(SHELF, &entry.key)).collect();
        let _ = self.ledger.write(gone).await?;
        Ok(())
    }
}

fn name_of(code: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(code))
}

fn fault(error: LedgerError) -> SessionError {
    SessionError::Unavailable(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_core::ledger::MemoryLedger;
    use handstamp_core::store::Page;
    use handstamp_core::time::{ManualClock, Timestamp};

    fn links() -> (Links, Arc<MemoryLedger>, Arc<ManualClock>) {
        let ledger = Arc::new(MemoryLedger::new());
        let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
        let (kept, time) = (Arc::clone(&ledger), Arc::clone(&clock));
        (Links::new(kept, Arc::new(time)), ledger, clock)
    }

    #[tokio::test]
    async fn s10_a_code_is_good_once() {
        let (links, ledger, _) = links();
        let code = links.make().await.unwrap();
        assert!(links.take(&code).await.unwrap());
        assert!(!links.take(&code).await.unwrap());
        assert!(ledger.list(SHELF, "", &Page::first(9)).await.unwrap().entries.is_empty());
    }

    #[tokio::test]
    async fn s10_a_code_is_good_for_ten_minutes() {
        let (links, ledger, clock) = links();
        let codes = [links.make().await.unwrap(), links.make().await.unwrap()];
        clock.advance(LASTS - Duration::from_millis(1));
        assert!(links.take(&codes[0]).await.unwrap());
        clock.advance(Duration::from_millis(1));
        assert!(!links.take(&codes[1]).await.unwrap());
        assert!(ledger.list(SHELF, "", &Page::first(9)).await.unwrap().entries.is_empty());
    }

    #[tokio::test]
    async fn of_many_at_once_one_code_lets_one_in() {
        let (links, _, _) = links();
        let code = links.make().await.unwrap();
        let tries = (0..20).map(|_| links.take(&code));
        let taken = futures_util::future::join_all(tries).await;
        assert_eq!(taken.into_iter().filter(|taken| *taken.as_ref().unwrap()).count(), 1);
    }

    #[tokio::test]
    async fn the_ledger_does_not_hold_the_code() {
        let (links, ledger, _) = links();
        let code = links.make().await.unwrap();
        let kept = ledger.list(SHELF, "", &Page::first(9)).await.unwrap().entries;
        assert_eq!(kept.len(), 1);
        assert!(!kept[0].key.contains(&code) && !kept[0].body.contains(&code));
        assert!(!links.take(&kept[0].key).await.unwrap(), "and what it holds lets nobody in");
    }
}
