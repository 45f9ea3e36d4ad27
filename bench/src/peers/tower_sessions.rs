//! tower-sessions 0.14, set up as its documents tell.

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use sqlx::postgres::PgPool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqliteSynchronous};
use tempfile::TempDir;
use tower_sessions::session_store::SessionStore;
use tower_sessions::{Expiry, MemoryStore, Session, SessionManagerLayer};
use tower_sessions_sqlx_store::{PostgresStore, SqliteStore};

use super::{ANSWER, COUNT, Synchronous, VALUES};
use crate::options::Case;
use crate::{Fault, disk};

pub(super) fn on_memory(case: Case) -> Router {
    router(case, MemoryStore::default())
}

pub(super) async fn on_sqlite(
    case: Case,
    synchronous: Synchronous,
) -> Result<(Router, TempDir), Fault> {
    let folder = disk::scratch()?;
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("sessions.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(match synchronous {
            Synchronous::Full => SqliteSynchronous::Full,
            Synchronous::Normal => SqliteSynchronous::Normal,
        });
    let store = SqliteStore::new(SqlitePool::connect_with(options).await?);
    store.migrate().await?;
    Ok((router(case, store), folder))
}

/// On PostgreSQL, by its own store with the pool that SQLx makes by default.
pub(crate) async fn on_postgres(case: Case, url: &str) -> Result<Router, Fault> {
    let store = PostgresStore::new(PgPool::connect(url).await?);
    store.migrate().await?;
    Ok(router(case, store))
}

fn router<S: SessionStore + Clone>(case: Case, store: S) -> Router {
    let mut layer = SessionManagerLayer::new(store);
    if case == Case::Touch {
        // The idle limit moves only when the session is saved, so every request saves.
        let idle = Expiry::OnInactivity(time::Duration::hours(1));
        layer = layer.with_expiry(idle).with_always_save(true);
    }
    Router::new()
        .route("/begin/{client}", get(begin))
        .route("/untouched", get(|| async { ANSWER }))
        .route("/read", get(read))
        .route("/write", get(write))
        .route("/touch", get(read))
        .layer(layer)
}

type Answer = Result<&'static str, http::StatusCode>;

fn fault(_: tower_sessions::session::Error) -> http::StatusCode {
    http::StatusCode::INTERNAL_SERVER_ERROR
}

async fn begin(session: Session, Path(client): Path<u64>) -> Answer {
    session.insert("user", client).await.map_err(fault)?;
    for (key, value) in VALUES {
        session.insert(key, value).await.map_err(fault)?;
    }
    session.insert(COUNT, 0_u64).await.map_err(fault)?;
    Ok(ANSWER)
}

async fn read(session: Session) -> Answer {
    let count: Option<u64> = session.get(COUNT).await.map_err(fault)?;
    std::hint::black_box(count.ok_or(http::StatusCode::UNAUTHORIZED)?);
    Ok(ANSWER)
}

async fn write(session: Session) -> Answer {
    let count: Option<u64> = session.get(COUNT).await.map_err(fault)?;
    let count = count.ok_or(http::StatusCode::UNAUTHORIZED)?;
    session.insert(COUNT, count + 1).await.map_err(fault)?;
    Ok(ANSWER)
}
