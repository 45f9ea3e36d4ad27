//! The contracts of store and ledger, every clause of them.

use std::sync::{Arc, Mutex};

use handstamp_core::conformance::{Books, Fixture, LedgerFixture};
use handstamp_core::id::{PartitionKey, SessionId};
use handstamp_core::record::Record;
use handstamp_core::store::{BoxFuture, SessionStore};
use handstamp_postgres::{Builder, PostgresStore};

use handstamp_postgres::testing::Database;

/// Stores in databases of their own, found again by the key that only they have.
#[derive(Default)]
struct Databases(Mutex<Vec<(PartitionKey, Arc<Database>)>>);

impl Databases {
    async fn make(&self, change: fn(Builder) -> Builder) -> Arc<PostgresStore> {
        let database = Database::new().await;
        let store = change(database.builder()).open().await.unwrap();
        self.0.lock().unwrap().push((store.meta().partition_key.clone(), Arc::new(database)));
        Arc::new(store)
    }

    fn database(&self, store: &Arc<dyn SessionStore>) -> Arc<Database> {
        let databases = self.0.lock().unwrap();
        let found = databases.iter().find(|(key, _)| *key == store.meta().partition_key);
        Arc::clone(&found.unwrap().1)
    }
}

async fn open_again(database: Arc<Database>) -> Arc<PostgresStore> {
    database.bury().await;
    Arc::new(database.open().await)
}

impl Fixture for Databases {
    fn open(&self) -> BoxFuture<'_, Arc<dyn SessionStore>> {
        Box::pin(async { self.make(|builder| builder).await as _ })
    }

    fn reopen(&self, store: Arc<dyn SessionStore>) -> BoxFuture<'_, Option<Arc<dyn SessionStore>>> {
        let database = self.database(&store);
        drop(store);
        Box::pin(async { Some(open_again(database).await as _) })
    }

    fn damage<'a>(
        &'a self,
        store: &'a Arc<dyn SessionStore>,
        id: SessionId,
    ) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let mut connection = self.database(store).connect().await;
            let sql = "UPDATE handstamp.sessions SET body = '{' WHERE id = $1";
            let damage = sqlx::query(sql).bind(&id.as_bytes()[..]).execute(&mut connection).await;
            damage.unwrap().rows_affected() == 1
        })
    }

    fn open_with_short_log(&self) -> BoxFuture<'_, Option<Arc<dyn SessionStore>>> {
        Box::pin(async { Some(self.make(|builder| builder.keep_changes(20)).await as _) })
    }

    fn spoil(&self, record: &mut Record) -> bool {
        record.label = Some("a text with a \0".into());
        true
    }
}

impl LedgerFixture for Databases {
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
        let database = self.database(&books.store);
        drop(books);
        Box::pin(async {
            let store = open_again(database).await;
            Some(Books { ledger: Arc::clone(&store) as _, store })
        })
    }
}

handstamp_core::conformance_suite!(Databases::default);
handstamp_core::ledger_suite!(Databases::default);
