//! Whether the chain of the audit log is whole, as of lately. To look costs a reading of the whole
//! log, so pages show what was found last.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use handstamp_core::SessionError;
use handstamp_core::time::Timestamp;

use super::Stop;
use super::views::When;
use crate::risk::words::counted;
use crate::service::Service;

/// How old a finding may be before a page asks for another.
const KEPT: Duration = Duration::from_secs(600);

/// How long a page waits for one; a log that takes longer is told of by the next page.
const PATIENCE: Duration = Duration::from_millis(250);

/// What was found last.
#[derive(Debug, Default)]
pub(crate) struct Found {
    last: Mutex<Option<(Timestamp, u64, Option<String>)>>,
    /// Held while somebody looks.
    looking: Arc<tokio::sync::Mutex<()>>,
}

/// What was found, as pages show it.
pub(super) struct Checked {
    pub(super) lines: String,
    /// The first line that does not fit.
    pub(super) first_bad: Option<String>,
    pub(super) when: When,
}

impl Found {
    fn last(&self) -> Option<(Timestamp, Checked)> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().map(|(at, lines, first_bad)| {
            let lines = counted(*lines, "line");
            (*at, Checked { lines, first_bad: first_bad.clone(), when: When::of(*at) })
        })
    }
}

/// What was found lately; `None` while the first look is under way.
pub(super) async fn lately(service: &Arc<Service>) -> Option<Checked> {
    let last = service.chain.last();
    let now = service.sessions.now();
    if last.as_ref().is_some_and(|(at, _)| now.since(*at) < KEPT) {
        return last.map(|(_, checked)| checked);
    }
    if let Ok(looking) = Arc::clone(&service.chain.looking).try_lock_owned() {
        let service = Arc::clone(service);
        let look = tokio::spawn(async move {
            let _until_done = looking;
            if let Err(error) = look(&service).await {
                tracing::warn!(%error, "the chain of the log could not be checked");
            }
        });
        let _ = tokio::time::timeout(PATIENCE, look).await;
    }
    service.chain.last().map(|(_, checked)| checked)
}

/// Looks now.
///
/// # Errors
/// 503 when the store is out of reach.
pub(super) async fn check(service: &Service) -> Result<Checked, Stop> {
    look(service).await?;
    let found = service.chain.last().map(|(_, checked)| checked);
    Ok(found.ok_or(SessionError::NotFound)?)
}

async fn look(service: &Service) -> Result<(), SessionError> {
    let at = service.sessions.now();
    let check = service.audit.check(Vec::new()).await.map_err(SessionError::from)?.check;
    let first_bad = check.first_bad.map(|bad| bad.to_string());
    let found = Some((at, check.checked, first_bad));
    *service.chain.last.lock().unwrap_or_else(PoisonError::into_inner) = found;
    Ok(())
}
