//! Handstamp, with its settings as they are by default.

use std::path::Path as FilePath;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use handstamp::store::{MemoryStore, SessionStore};
use handstamp::time::{Clock, Timestamp};
use handstamp::{
    KeyRing, Session, SessionConfig, SessionLayer, SessionManager, SessionRejection, SqliteStore,
};
use tempfile::TempDir;

use super::{ANSWER, COUNT, Synchronous, VALUES};
use crate::options::Case;
use crate::{Fault, disk};

pub(super) fn on_memory(case: Case) -> Result<Router, Fault> {
    router(case, MemoryStore::new(), KeyRing::generate()?)
}

pub(super) async fn on_sqlite(
    case: Case,
    synchronous: Synchronous,
) -> Result<(Router, TempDir), Fault> {
    let folder = disk::scratch()?;
    let store = store(folder.path(), synchronous).await?;
    Ok((router(case, store, KeyRing::generate()?)?, folder))
}

/// Our store in `folder`.
pub(crate) async fn store(
    folder: &FilePath,
    synchronous: Synchronous,
) -> Result<SqliteStore, Fault> {
    let synchronous = match synchronous {
        Synchronous::Full => handstamp::Synchronous::Full,
        Synchronous::Normal => handstamp::Synchronous::Normal,
    };
    let builder = SqliteStore::builder(folder.join("sessions.db"));
    Ok(builder.synchronous(synchronous).open().await?)
}

/// A clock that stands still, but for a leap now and then past what a touch waits for.
pub(crate) struct Leaping {
    now: AtomicI64,
    asked: AtomicU64,
}

/// A touch is written once activity has moved by 60 seconds.
const LEAP: i64 = 61_000;

/// Requests from one leap to the next. One session in use is touched once a minute, so this is
/// far more than a server sees; more still would outrun the longest lifetime there is.
const LEAP_EVERY: u64 = 16;

impl Leaping {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { now: LEAP.into(), asked: 0.into() })
    }

    fn tick(&self) {
        if self.asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(LEAP_EVERY) {
            self.leap(LEAP);
        }
    }

    /// Moves on by so many milliseconds.
    pub(crate) fn leap(&self, millis: i64) {
        self.now.fetch_add(millis, Ordering::Relaxed);
    }
}

impl Clock for Leaping {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::Relaxed))
    }
}

/// Handlers for `case` over this store.
pub(crate) fn router(case: Case, store: impl SessionStore, keys: KeyRing) -> Result<Router, Fault> {
    let clock = Leaping::new();
    if case != Case::Touch {
        return Ok(routes(SessionManager::new(store, SessionConfig::default(), keys), clock));
    }
    const LONGEST: Duration = Duration::from_secs(400 * 86_400);
    let config = SessionConfig::default().edit().ttl(LONGEST).idle(Some(LONGEST)).build()?;
    let sessions = SessionManager::builder(store, config, keys).clock(Arc::clone(&clock));
    Ok(routes(sessions.build(), clock))
}

/// The handlers over these sessions.
pub(crate) fn routes(sessions: SessionManager, clock: Arc<Leaping>) -> Router {
    Router::new()
        .route("/begin/{client}", get(begin))
        .route("/untouched", get(|| async { ANSWER }))
        .route("/read", get(read))
        .route("/write", get(write))
        .route("/touch", get(touch))
        .with_state(clock)
        .layer(SessionLayer::new(sessions))
}

type Answer = Result<&'static str, SessionRejection>;

async fn begin(session: Session, Path(client): Path<u64>) -> Answer {
    session.login(format!("user-{client}")).await?;
    for (key, value) in VALUES {
        session.set(key, value)?;
    }
    session.set(COUNT, &0_u64)?;
    Ok(ANSWER)
}

async fn read(session: Session) -> Answer {
    let count: Option<u64> = session.get(COUNT)?;
    std::hint::black_box(count.ok_or(handstamp::SessionError::Unauthenticated)?);
    Ok(ANSWER)
}

async fn write(session: Session) -> Answer {
    let count: Option<u64> = session.get(COUNT)?;
    let count = count.ok_or(handstamp::SessionError::Unauthenticated)?;
    session.set(COUNT, &(count + 1))?;
    Ok(ANSWER)
}

async fn touch(State(clock): State<Arc<Leaping>>, session: Session) -> Answer {
    clock.tick();
    read(session).await
}
