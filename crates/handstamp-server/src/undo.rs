//! Ends that can be taken back: the sessions are set aside first, and end when the time is over.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use handstamp_axum::SessionRejection;
use handstamp_axum::problem::Problem;
use handstamp_core::ledger::{Entry, Ledger, LedgerError, Put, Written};
use handstamp_core::random::{SystemRng, random};
use handstamp_core::record::EndReason;
use handstamp_core::time::{Clock, Timestamp};
use handstamp_core::{SessionError, SessionId, SessionManager};
use serde::{Deserialize, Serialize};

const SHELF: &str = "undo";

/// How many lists are worked off at once.
const STEP: usize = 20;

/// Sessions that were set aside to end.
#[derive(Serialize, Deserialize, Clone)]
struct List {
    by: String,
    sessions: Vec<SessionId>,
    /// Those that had been suspended before. They end with the others; taken back, they stay so.
    #[serde(default)]
    suspended: Vec<SessionId>,
}

/// Keeps lists of sessions that are to end.
pub(crate) struct Undo {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Undo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Undo").finish_non_exhaustive()
    }
}

impl Undo {
    pub(crate) fn new(ledger: Arc<dyn Ledger>, clock: Arc<dyn Clock>) -> Self {
        Self { ledger, clock }
    }

    /// Sets sessions aside, to end after `time`. Answers how many, and what takes it back. The list
    /// is written first: whatever is cut off after that, nobody stays set aside for ever.
    ///
    /// # Errors
    /// 503 when a store is out of reach.
    pub(crate) async fn suspend(
        &self,
        sessions: &SessionManager,
        ids: Vec<SessionId>,
        by: &str,
        time: Duration,
    ) -> Result<(u64, String), Problem> {
        let name: [u8; 12] = random(&SystemRng).map_err(|error| problem(error.into()))?;
        let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        let (ids, suspended) = self.split(sessions, ids).await.map_err(problem)?;
        let mut count = suspended.len() as u64;
        let list = List { by: by.to_owned(), sessions: ids.clone(), suspended };
        let put = Put::new(SHELF, &name, &list).map_err(|error| problem(error.into()))?;
        let put = put.if_absent().due(self.clock.now().plus(time));
        let written = self.ledger.write(vec![put]).await.map_err(|error| problem(error.into()))?;
        if !written.is_applied() {
            return Err(problem(SessionError::Unavailable("the list was not kept".into())));
        }
        let why = mark(&name);
        let suspends = ids.into_iter().map(|id| sessions.suspend(id, Some(by), Some(&why)));
        for suspended in join_all(suspends).await {
            match suspended {
                Ok(()) => count += 1,
                Err(error) if error.is_fault() => return Err(problem(error)),
                // Over, or set aside by somebody else: not ours to end.
                Err(_) => {}
            }
        }
        Ok((count, name))
    }

    /// Those that are to be set aside, and those that somebody has set aside before.
    async fn split(
        &self,
        sessions: &SessionManager,
        ids: Vec<SessionId>,
    ) -> Result<(Vec<SessionId>, Vec<SessionId>), SessionError> {
        let (mut live, mut suspended) = (Vec::new(), Vec::new());
        for id in ids {
            let record = sessions.record(id).await?.filter(|record| !record.is_tombstone());
            match record {
                Some(record) if record.suspended.is_some() => suspended.push(id),
                _ => live.push(id),
            }
        }
        Ok((live, suspended))
    }

    /// How many sessions a list has set aside, and until when it can be taken back; `None` when its
    /// time is over, or it was.
    ///
    /// # Errors
    /// [`LedgerError`] when the ledger is out of reach.
    pub(crate) async fn waiting(
        &self,
        name: &str,
    ) -> Result<Option<(usize, Timestamp)>, LedgerError> {
        if !is_name(name) {
            return Ok(None);
        }
        let entry = self.ledger.get(SHELF, name).await?;
        let Some(entry) = entry.filter(|entry| !self.is_over(entry)) else { return Ok(None) };
        let list: List = entry.read()?;
        Ok(entry.due_at.map(|until| (list.sessions.len() + list.suspended.len(), until)))
    }

    fn is_over(&self, entry: &Entry) -> bool {
        entry.due_at.is_some_and(|due| due <= self.clock.now())
    }

    /// Takes an end back; answers how many sessions are live again.
    ///
    /// # Errors
    /// 404 when there is no such list, or its time is over; 503 when a store is out of reach.
    pub(crate) async fn take_back(
        &self,
        sessions: &SessionManager,
        name: &str,
        by: &str,
    ) -> Result<u64, Problem> {
        let unknown = || problem(SessionError::NotFound);
        let fault = |error: LedgerError| problem(SessionError::Unavailable(error.into()));
        if !is_name(name) {
            return Err(unknown());
        }
        let entry = self.ledger.get(SHELF, name).await.map_err(|error| fault(error.into()))?;
        // Its time may be over before anybody came to end what is on it.
        let entry = entry.filter(|entry| !self.is_over(entry)).ok_or_else(unknown)?;
        let list: List = entry.read().map_err(|error| fault(error.into()))?;
        let removal = Put::removal(SHELF, name).if_version(entry.version);
        let written =
            self.ledger.write(vec![removal]).await.map_err(|error| fault(error.into()))?;
        if !matches!(written, Written::Applied(_)) {
            // Its time was over in the same moment.
            return Err(unknown());
        }
        let mut count = 0;
        for id in self.still_aside(sessions, &list, name).await.map_err(problem)? {
            match sessions.resume(id, Some(by)).await {
                Ok(()) => count += 1,
                Err(error) if error.is_fault() => return Err(problem(error)),
                Err(_) => {}
            }
        }
        Ok(count)
    }

    /// Ends the sessions of lists whose time is over; answers how many.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when a store is out of reach; what was ended stays so, the
    /// rest follows next time.
    pub(crate) async fn end_due(&self, sessions: &SessionManager) -> Result<u64, SessionError> {
        let mut count = 0;
        for entry in self.ledger.due(SHELF, self.clock.now(), STEP).await? {
            let list: List = entry.read()?;
            // First the list goes, so that nobody takes back what is ending; if we are cut off in
            // between, its sessions stay set aside, which lets nobody in.
            let removal = Put::removal(SHELF, &entry.key).if_version(entry.version);
            if !self.ledger.write(vec![removal]).await?.is_applied() {
                continue;
            }
            let by = Some(&*list.by);
            let mut over = self.still_aside(sessions, &list, &entry.key).await?;
            over.extend(&list.suspended);
            let ends = over.into_iter().map(|id| sessions.end(id, EndReason::Admin, by));
            for ended in join_all(ends).await {
                count += u64::from(ended?);
            }
        }
        Ok(count)
    }

    /// Those that are set aside by this list still: not taken back one by one, nor over.
    async fn still_aside(
        &self,
        sessions: &SessionManager,
        list: &List,
        name: &str,
    ) -> Result<Vec<SessionId>, SessionError> {
        let mark = mark(name);
        let mut aside = Vec::new();
        for id in &list.sessions {
            let record = sessions.record(*id).await?;
            let suspended = record.as_ref().and_then(|record| record.suspended.as_ref());
            if suspended.is_some_and(|it| it.why.as_deref() == Some(&*mark)) {
                aside.push(*id);
            }
        }
        Ok(aside)
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What stands in the record of a session that a list has set aside.
fn mark(name: &str) -> String {
    format!("to end, unless taken back (undo {name})")
}

fn problem(error: SessionError) -> Problem {
    SessionRejection::Session(error).problem()
}
