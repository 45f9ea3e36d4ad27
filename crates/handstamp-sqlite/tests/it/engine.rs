//! The engine's suite on SQLite, in a folder that lives in memory where there is one: what it
//! shows is order, and what reaches the disk is shown elsewhere.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use handstamp_core::conformance::Fixture;
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
}

impl Fixture for Folder {
    fn open(&self) -> BoxFuture<'_, Arc<dyn SessionStore>> {
        let path = self.0.path().join("sessions.db");
        Box::pin(async { Arc::new(SqliteStore::open(path).await.unwrap()) as _ })
    }
}

handstamp_core::engine_suite!(Folder::new);
