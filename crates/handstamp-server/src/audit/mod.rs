//! The audit log is looked after: checkpoints are signed and kept, what is old goes.
//!
//! A checkpoint is never signed over a log that does not reach to the one before: from then on the
//! older one is the newest that is known, and every check names what is gone.

mod outside;

use std::io;
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use handstamp_core::chain::{BrokenAt, Checkpoint, Sealer};
use handstamp_core::ledger::{Ledger, LedgerError, Put};
use handstamp_core::time::Timestamp;
use handstamp_core::{LogCheck, Retention, SessionError, SessionManager};
use tokio::sync::Mutex;

use crate::error::StartError;
use crate::settings;
use outside::Outside;

const SHELF: &str = "audit";
const NEWEST: &str = "checkpoint";

/// How often what is old is looked for.
const RETENTION: Duration = Duration::from_secs(3600);

/// How many events are added up at a time.
const STEP: usize = 2000;

/// Why the log could not be looked after this time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuditError {
    #[error("the log cannot be read")]
    Log(#[from] SessionError),
    #[error("the newest checkpoint cannot be kept or read")]
    Ledger(#[from] LedgerError),
    #[error("the file of checkpoints cannot be read or written")]
    File(#[from] io::Error),
}

/// Looks after the audit log.
pub(crate) struct Audit {
    sessions: SessionManager,
    ledger: Arc<dyn Ledger>,
    settings: settings::Audit,
    outside: Option<Outside>,
    newest: Lock<Option<Checkpoint>>,
    progress: Mutex<Progress>,
}

/// What was done when.
#[derive(Debug, Default)]
struct Progress {
    /// How many events there are that nobody needs another checkpoint for.
    covered: u64,
    signed_at: Option<Timestamp>,
    retained_at: Option<Timestamp>,
}

impl std::fmt::Debug for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audit").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// What came of a check of the whole log.
pub(crate) struct Checked {
    pub(crate) check: LogCheck,
    /// When the newest checkpoint was signed that the log was held against.
    pub(crate) checkpoint_at: Option<Timestamp>,
}

impl Audit {
    /// Opens the file of checkpoints, if there is to be one.
    ///
    /// # Errors
    /// [`StartError::Checkpoints`] when it cannot be appended to.
    pub(crate) fn open(
        sessions: &SessionManager,
        ledger: Arc<dyn Ledger>,
        settings: &settings::Audit,
    ) -> Result<Self, StartError> {
        let outside = settings.checkpoint_file.as_deref().map(|path| {
            let failed = |source| StartError::Checkpoints { path: path.to_path_buf(), source };
            Outside::open(path).map_err(failed)
        });
        Ok(Self {
            sessions: sessions.clone(),
            ledger,
            settings: settings.clone(),
            outside: outside.transpose()?,
            newest: Lock::default(),
            progress: Mutex::default(),
        })
    }

    /// Does what is due now: signs a checkpoint, lets go what is old.
    pub(crate) async fn keep_up(&self) {
        let mut progress = self.progress.lock().await;
        let now = self.sessions.now();
        let is_due = |last: Option<Timestamp>, every| last.is_none_or(|at| now.since(at) >= every);
        if let Some(every) = self.settings.checkpoint
            && is_due(progress.signed_at, every)
        {
            progress.signed_at = Some(now);
            if let Err(error) = self.sign(&mut progress).await {
                tracing::error!(%error, source = error.source_text(), "no checkpoint was signed");
            }
        }
        if is_due(progress.retained_at, RETENTION) {
            progress.retained_at = Some(now);
            if let Err(error) = self.retain().await {
                let source = error.source_text();
                tracing::warn!(%error, source, "what is old in the audit log was not removed");
            }
        }
    }

    /// Checks the whole log, against every checkpoint that is known and against `more`.
    ///
    /// # Errors
    /// [`SessionError::Refused`] within [`AuditError::Log`] for one of `more` that this key ring
    /// did not sign.
    pub(crate) async fn check(&self, more: Vec<Checkpoint>) -> Result<Checked, AuditError> {
        let mut known = self.known().await?;
        known.extend(more);
        let check = self.sessions.verify_log_against(&known).await?;
        Ok(Checked { check, checkpoint_at: known.iter().map(Checkpoint::at).max() })
    }

    /// The newest checkpoint of this process, of the ledger and of the file: those that this key
    /// ring signed.
    async fn known(&self) -> Result<Vec<Checkpoint>, AuditError> {
        let sealer = Sealer::new(self.sessions.keys().clone());
        // What cannot be read was not written by us.
        let kept = self.ledger.get(SHELF, NEWEST).await.map_err(LedgerError::from)?;
        let kept = kept.and_then(|entry| entry.read::<String>().ok()?.parse().ok());
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut known: Vec<Checkpoint> = newest.into_iter().chain(kept).collect();
        known.retain(|checkpoint| sealer.is_checkpoint(checkpoint));
        if let Some(outside) = self.outside.clone() {
            let last = move || outside.last(|checkpoint| sealer.is_checkpoint(checkpoint));
            known.extend(on_disk(last).await?);
        }
        known.dedup();
        Ok(known)
    }

    async fn sign(&self, progress: &mut Progress) -> Result<(), AuditError> {
        for known in self.known().await? {
            if let Some(bad) = self.sessions.reaches(&known).await? {
                told_of(&bad);
                self.hold(known);
                return Ok(());
            }
        }
        let checkpoint = self.sessions.checkpoint().await?;
        if checkpoint.events() == 0 || checkpoint.events() == progress.covered {
            return Ok(());
        }
        self.keep(&checkpoint).await?;
        tracing::info!(target: "handstamp::checkpoint", "{checkpoint}");
        progress.covered = checkpoint.events();
        if self.settings.checkpoint_event {
            self.sessions.tell_checkpoint(&checkpoint).await?;
            progress.covered += 1;
        }
        self.hold(checkpoint);
        Ok(())
    }

    fn hold(&self, newest: Checkpoint) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(newest);
    }

    /// Outside first: it is what counts.
    async fn keep(&self, checkpoint: &Checkpoint) -> Result<(), AuditError> {
        if let Some(outside) = self.outside.clone() {
            let line = checkpoint.clone();
            on_disk(move || outside.append(&line)).await?;
        }
        let put = Put::new(SHELF, NEWEST, &checkpoint.to_string()).map_err(LedgerError::from)?;
        // Of two at once either is new enough.
        let _ = self.ledger.write(vec![put]).await.map_err(LedgerError::from)?;
        Ok(())
    }

    /// Lets go what is older than the settings say. Figures are added up before their events go.
    async fn retain(&self) -> Result<(), AuditError> {
        let (events, personal) = (self.settings.keep_events, self.settings.keep_personal);
        let Some(oldest) = self.settings.kept_personal() else { return Ok(()) };
        while self.ledger.roll_up(STEP).await.map_err(LedgerError::from)? {}
        let retained = self.sessions.retain(Retention { events, personal }).await?;
        let before = self.sessions.now().minus(oldest);
        self.ledger.trim(before).await.map_err(LedgerError::from)?;
        if let Some(bad) = retained.first_bad {
            told_of(&bad);
        }
        if retained.cut + retained.blanked > 0 {
            let (cut, blanked) = (retained.cut, retained.blanked);
            tracing::info!(cut, blanked, "events were old, or what is personal in them");
        }
        Ok(())
    }
}

/// Somebody meddled with the log: the one thing that an operator must hear of.
fn told_of(bad: &BrokenAt) {
    tracing::error!(at = %bad, "the audit log was changed; see `handstamp audit verify`");
}

/// As callers hear of it: whatever it is, the log could not be read.
impl From<AuditError> for SessionError {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Log(error) => error,
            other => Self::Unavailable(other.into()),
        }
    }
}

impl AuditError {
    fn source_text(&self) -> String {
        std::error::Error::source(self).map_or_else(String::new, ToString::to_string)
    }
}

async fn on_disk<T: Send + 'static>(
    act: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(act).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use handstamp_core::ledger::MemoryLedger;
    use handstamp_core::store::MemoryStore;
    use handstamp_core::time::ManualClock;
    use handstamp_core::{KeyRing, SessionConfig, SignInFailure};

    use super::*;
    use crate::settings::{Inputs, load};

    struct World {
        audit: Audit,
        clock: Arc<ManualClock>,
    }

    impl World {
        fn with(settings: &[(&str, &str)]) -> Self {
            let inputs = settings
                .iter()
                .fold(Inputs::new(), |inputs, (name, value)| inputs.flag(*name, *value, "--set"));
            let clock = ManualClock::at(Timestamp::from_millis(1_800_000_000_000));
            let (store, keys) = (MemoryStore::new(), KeyRing::generate().unwrap());
            let builder = SessionManager::builder(store, SessionConfig::default(), keys);
            let sessions = builder.clock(Arc::clone(&clock)).maintenance(false).build();
            let settings = load(&inputs).unwrap().settings.audit;
            let audit = Audit::open(&sessions, Arc::new(MemoryLedger::new()), &settings).unwrap();
            Self { audit, clock }
        }

        /// Keeps up a minute later; answers when the newest checkpoint is of.
        async fn minute(&self) -> Option<Timestamp> {
            self.clock.advance(Duration::from_secs(60));
            self.audit.keep_up().await;
            self.audit.check(Vec::new()).await.unwrap().checkpoint_at
        }

        async fn fail(&self) {
            let failure = SignInFailure { reason: "no", ..SignInFailure::default() };
            self.audit.sessions.sign_in_failed(failure).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_checkpoint_is_signed_when_something_happened_and_not_for_itself() {
        for event in ["false", "true"] {
            let world = World::with(&[("audit.checkpoint_event", event)]);
            assert_eq!(world.minute().await, None, "of an empty log");
            world.fail().await;
            let first = world.minute().await;
            assert!(first.is_some());
            for _ in 0..3 {
                assert_eq!(world.minute().await, first, "{event}");
            }
            world.fail().await;
            assert!(world.minute().await > first);
        }
    }

    #[tokio::test]
    async fn none_is_signed_where_that_is_the_setting() {
        let world = World::with(&[("audit.checkpoint_seconds", "none")]);
        world.fail().await;
        assert_eq!(world.minute().await, None);
    }

    #[tokio::test]
    async fn s106_nothing_is_signed_over_a_log_that_falls_short_of_a_checkpoint() {
        let world = World::with(&[]);
        world.fail().await;
        let now = world.minute().await;
        let mut chains = world.audit.sessions.checkpoint().await.unwrap().chains().to_vec();
        (chains[0].batch, chains[0].event) = (9, 9);
        let sealer = Sealer::new(world.audit.sessions.keys().clone());
        let later = now.unwrap().plus(Duration::from_secs(1));
        world.audit.keep(&sealer.checkpoint(later, chains)).await.unwrap();
        world.fail().await;
        assert_eq!(world.minute().await, Some(later), "the older one stays the newest");
        let found = world.audit.check(Vec::new()).await.unwrap().check;
        assert!(found.first_bad.is_some());
    }

    #[tokio::test]
    async fn a_checkpoint_that_somebody_else_put_into_the_ledger_does_not_count() {
        let world = World::with(&[]);
        world.fail().await;
        for line in [
            "nonsense",
            &Sealer::new(KeyRing::generate().unwrap())
                .checkpoint(Timestamp::MAX, Vec::new())
                .to_string(),
        ] {
            let put = Put::new(SHELF, NEWEST, line).unwrap();
            let _ = world.audit.ledger.write(vec![put]).await.unwrap();
            assert_eq!(world.audit.check(Vec::new()).await.unwrap().checkpoint_at, None);
        }
    }
}
