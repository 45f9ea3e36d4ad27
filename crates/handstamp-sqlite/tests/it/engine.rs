//! The engine's suite on SQLite, in a folder that lives in memory where there is one: what it
//! shows is order, and what reaches the disk is shown elsewhere.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use handstamp_core::conformance::Fixture;
use handstamp_core::id::SessionId;
use handstamp_core::store::{BoxFuture, SessionStore};
use handstamp_sqlite::SqliteStore;
use tempfile::TempDir;

/// One store in a folder of its own.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let in_memory = Path::new("/dev/shm");
        let beside = if in_memory.is_dir() { in_memory.into() } else { std::env::temp_dir() };
        Self(tempfile::tempdir_in::<PathBuf>(beside).unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("sessions.db")
    }
}

impl Fixture for Folder {
    fn open(&self) -> BoxFuture<'_, Arc<dyn SessionStore>> {
        let path = self.path();
        Box::pin(async { Arc::new(SqliteStore::open(path).await.unwrap()) as _ })
    }

    fn damage<'a>(&'a self, _: &'a Arc<dyn SessionStore>, id: SessionId) -> BoxFuture<'a, bool> {
        let connection = rusqlite::Connection::open(self.path()).unwrap();
        let sql = "UPDATE sessions SET body = '{' WHERE id = ?1";
        let is_damaged = connection.execute(sql, [id.as_bytes()]).unwrap() == 1;
        Box::pin(async move { is_damaged })
    }
}

handstamp_core::engine_suite!(Folder::new);
