//! The contracts of store and ledger, every clause of them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use handstamp_core::conformance::{Books, Fixture, LedgerFixture, Place, PortableFixture};
use handstamp_core::id::{PartitionKey, SessionId};
use handstamp_core::record::Record;
use handstamp_core::store::{BoxFuture, SessionStore};
use handstamp_core::transfer::Portable;
use handstamp_sqlite::{Builder, SqliteContent, SqliteStore};
use tempfile::TempDir;

/// Stores in folders of their own, found again by the key that only they have.
#[derive(Default)]
struct Folders(Mutex<Vec<(PartitionKey, TempDir)>>);

impl Folders {
    async fn make(&self, change: fn(Builder) -> Builder) -> Arc<SqliteStore> {
        let folder = tempfile::tempdir().unwrap();
        let builder = SqliteStore::builder(folder.path().join("sessions.db"));
        let store = change(builder).open().await.unwrap();
        self.0.lock().unwrap().push((store.meta().partition_key.clone(), folder));
        Arc::new(store)
    }

    fn path(&self, store: &Arc<dyn SessionStore>) -> PathBuf {
        let folders = self.0.lock().unwrap();
        let found = folders.iter().find(|(key, _)| *key == store.meta().partition_key);
        found.unwrap().1.path().join("sessions.db")
    }
}

impl Fixture for Folders {
    fn open(&self) -> BoxFuture<'_, Arc<dyn SessionStore>> {
        Box::pin(async { self.make(|builder| builder).await as _ })
    }

    fn reopen(&self, store: Arc<dyn SessionStore>) -> BoxFuture<'_, Option<Arc<dyn SessionStore>>> {
        let path = self.path(&store);
        drop(store);
        Box::pin(async { Some(Arc::new(SqliteStore::open(path).await.unwrap()) as _) })
    }

    fn damage<'a>(
        &'a self,
        store: &'a Arc<dyn SessionStore>,
        id: SessionId,
    ) -> BoxFuture<'a, bool> {
        let connection = rusqlite::Connection::open(self.path(store)).unwrap();
        let sql = "UPDATE sessions SET body = '{' WHERE id = ?1";
        let damaged = connection.execute(sql, [id.as_bytes()]).unwrap() == 1;
        Box::pin(async move { damaged })
    }

    fn open_with_short_log(&self) -> BoxFuture<'_, Option<Arc<dyn SessionStore>>> {
        Box::pin(async { Some(self.make(|builder| builder.keep_changes(20)).await as _) })
    }

    fn spoil(&self, record: &mut Record) -> bool {
        record.data.insert("long".into(), "1".repeat(17 << 20).into());
        true
    }
}

impl LedgerFixture for Folders {
    fn open(&self) -> BoxFuture<'_, Books> {
        Box::pin(async {
            let store = self.make(|builder| builder).await;
            Books { ledger: Arc::clone(&store) as _, store }
        })
    }

    fn can_reopen(&self) -> bool {
        true
    }

    fn reopen(&self, books: Books) -> BoxFuture<'_, Option<Books>> {
        let path = self.path(&books.store);
        drop(books);
        Box::pin(async {
            let store = Arc::new(SqliteStore::open(path).await.unwrap());
            Some(Books { ledger: Arc::clone(&store) as _, store })
        })
    }
}

impl PortableFixture for Folders {
    fn place(&self) -> BoxFuture<'_, Arc<dyn Place>> {
        Box::pin(async { Arc::new(Folder(tempfile::tempdir().unwrap())) as _ })
    }
}

/// Where a database is, or will be.
struct Folder(TempDir);

impl Folder {
    fn path(&self) -> PathBuf {
        self.0.path().join("sessions.db")
    }
}

impl Place for Folder {
    fn serve(&self) -> BoxFuture<'_, Result<Books, String>> {
        Box::pin(async {
            let store = SqliteStore::open(self.path()).await.map_err(|error| error.to_string())?;
            let store = Arc::new(store);
            Ok(Books { ledger: Arc::clone(&store) as _, store })
        })
    }

    fn hold(&self) -> BoxFuture<'_, Arc<dyn Portable>> {
        Box::pin(async { Arc::new(SqliteContent::hold(self.path()).unwrap()) as _ })
    }
}

handstamp_core::conformance_suite!(Folders::default);
handstamp_core::portable_suite!(Folders::default);
handstamp_core::ledger_suite!(Folders::default);
