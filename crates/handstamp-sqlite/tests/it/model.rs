//! The engine against a model of it, over SQLite in a RAM-backed folder.

use std::path::Path;
use std::sync::Arc;

use handstamp_core::conformance::{self, Fixture};
use handstamp_core::store::{BoxFuture, SessionStore};
use handstamp_sqlite::SqliteStore;
use tempfile::TempDir;

struct Ram(TempDir);

impl Ram {
    fn new() -> Self {
        let ram = Path::new("/dev/shm");
        let folder = if ram.is_dir() { tempfile::tempdir_in(ram) } else { tempfile::tempdir() };
        Self(folder.unwrap())
    }
}

impl Fixture for Ram {
    fn open(&self) -> BoxFuture<'_, Arc<dyn SessionStore>> {
        let path = self.0.path().join("sessions.db");
        Box::pin(async { Arc::new(SqliteStore::open(path).await.unwrap()) as _ })
    }
}

/// How many times as much is tried in a long run.
fn times(long: u64) -> u64 {
    if std::env::var_os("HANDSTAMP_LONG").is_some() { long } else { 1 }
}

#[test]
fn random_operations_agree_with_the_reference_on_sqlite() {
    let ram = Ram::new();
    conformance::run(async {
        let sequences = 100 * times(10);
        conformance::random_operations_agree_with_the_reference(&ram, 1, sequences).await;
    });
}

/// Shows B02.
#[test]
fn recorded_histories_are_linearizable_on_sqlite() {
    let ram = Ram::new();
    conformance::run(async {
        let rounds = 50 * times(10);
        conformance::recorded_histories_are_linearizable(&ram, 1, rounds).await;
    });
}
