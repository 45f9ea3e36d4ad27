//! Where a world keeps its sessions: in a file, or on PostgreSQL.

use std::path::Path;
use std::sync::Arc;

use handstamp_core::ledger::Ledger;
use handstamp_core::store::SessionStore;
use handstamp_postgres::testing::Database;
use handstamp_sqlite::{SqliteStore, Synchronous};
use tempfile::TempDir;

/// What sets the store.
const VARIABLE: &str = "HANDSTAMP_TEST_STORE";

pub(super) enum Place {
    File { folder: TempDir, store: Arc<SqliteStore> },
    Postgres(Database),
}

impl Place {
    pub(super) async fn new() -> Self {
        match std::env::var(VARIABLE).as_deref() {
            Err(_) => Self::file().await,
            Ok("postgres") => Self::Postgres(Database::new().await),
            Ok(other) => panic!("{VARIABLE} is {other}, and must be postgres or not be set"),
        }
    }

    async fn file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let builder = SqliteStore::builder(folder.path().join("sessions.db"));
        let store = builder.synchronous(Synchronous::Normal).open().await.unwrap();
        Self::File { folder, store: Arc::new(store) }
    }

    pub(super) const fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// How many services have their sessions here.
    pub(super) const fn nodes(&self) -> usize {
        if self.is_shared() { 2 } else { 1 }
    }

    /// The store of one of them.
    pub(super) async fn open(&self) -> (Arc<dyn SessionStore>, Arc<dyn Ledger>) {
        match self {
            Self::File { store, .. } => (store.clone(), store.clone()),
            Self::Postgres(database) => {
                let store = Arc::new(database.open().await);
                (store.clone(), store)
            }
        }
    }

    pub(super) fn folder(&self) -> &Path {
        match self {
            Self::File { folder, .. } => folder.path(),
            Self::Postgres(_) => panic!("this test is about files"),
        }
    }

    pub(super) fn embedded(&self) -> &SqliteStore {
        match self {
            Self::File { store, .. } => store,
            Self::Postgres(_) => panic!("this test is about files"),
        }
    }

    pub(super) async fn meddle(&self, sql: &'static str) {
        match self {
            Self::File { store, .. } => {
                store.on_writer(move |database| database.execute_batch(sql)).await.unwrap();
            }
            Self::Postgres(database) => {
                database.run(&format!("SET search_path TO handstamp; {sql}")).await;
            }
        }
    }
}
