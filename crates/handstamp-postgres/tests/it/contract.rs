//! The contracts of store and ledger, every clause of them.

use std::sync::{Arc, Mutex};

use handstamp_core::conformance::{Books, Fixture, LedgerFixture, Place, PortableFixture};
use handstamp_core::id::{PartitionKey, SessionId};
use handstamp_core::record::Record;
use handstamp_core::store::{BoxFuture, SessionStore};
use handstamp_core::transfer::Portable;
use handstamp_postgres::{Builder, PostgresContent, PostgresStore};

use handstamp_postgres::testing::{Database, Pooler};

/// Stores in databases of their own, found again by the key that only they have.
#[derive(Default)]
struct Databases {
    made: Mutex<Vec<(PartitionKey, Arc<Database>)>>,
    is_pooled: bool,
}

impl Databases {
    /// Reached through PgBouncer, which hands connections on between transactions.
    fn pooled() -> Self {
        Self { is_pooled: true, ..Self::default() }
    }

    fn builder(&self, database: &Database) -> Builder {
        if !self.is_pooled {
            return database.builder();
        }
        let url = Pooler::shared().url(&database.url());
        PostgresStore::builder(&url).connections(6).prepared(false)
    }

    async fn open_again(&self, database: Arc<Database>) -> Arc<PostgresStore> {
        database.bury().await;
        Arc::new(self.builder(&database).open().await.unwrap())
    }

    async fn make(&self, change: fn(Builder) -> Builder) -> Arc<PostgresStore> {
        let database = Database::new().await;
        let store = change(self.builder(&database)).open().await.unwrap();
        self.made.lock().unwrap().push((store.meta().partition_key.clone(), Arc::new(database)));
        Arc::new(store)
    }

    fn database(&self, store: &Arc<dyn SessionStore>) -> Arc<Database> {
        let databases = self.made.lock().unwrap();
        let found = databases.iter().find(|(key, _)| *key == store.meta().partition_key);
        Arc::clone(&found.unwrap().1)
    }
}

impl Fixture for Databases {
    fn open(&self) -> BoxFuture<'_, Arc<dyn SessionStore>> {
        Box::pin(async { self.make(|builder| builder).await as _ })
    }

    fn reopen(&self, store: Arc<dyn SessionStore>) -> BoxFuture<'_, Option<Arc<dyn SessionStore>>> {
        let database = self.database(&store);
        drop(store);
        Box::pin(async { Some(self.open_again(database).await as _) })
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
            let store = self.open_again(database).await;
            Some(Books { ledger: Arc::clone(&store) as _, store })
        })
    }
}

impl PortableFixture for Databases {
    fn place(&self) -> BoxFuture<'_, Arc<dyn Place>> {
        Box::pin(async { Arc::new(One(Database::empty().await)) as _ })
    }
}

/// Where a store is, or will be.
struct One(Database);

impl Place for One {
    fn serve(&self) -> BoxFuture<'_, Result<Books, String>> {
        Box::pin(async {
            let store = self.0.builder().open().await.map_err(|error| error.to_string())?;
            let store = Arc::new(store);
            Ok(Books { ledger: Arc::clone(&store) as _, store })
        })
    }

    fn hold(&self) -> BoxFuture<'_, Arc<dyn Portable>> {
        Box::pin(async { Arc::new(PostgresContent::fill(&self.0.url()).await.unwrap()) as _ })
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn bury(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.0.bury())
    }
}

handstamp_core::conformance_suite!(Databases::default);
handstamp_core::portable_suite!(Databases::default);
handstamp_core::ledger_suite!(Databases::default);

/// The clauses that a pooler could break: those about transactions, locks, what comes together and
/// what is read at one moment.
mod pooled {
    use super::Databases;

    handstamp_core::conformance_suite! { Databases::pooled =>
        c01_load_answers_in_the_order_asked
        c02_what_was_applied_is_read_back_unchanged
        c04_a_group_is_applied_whole_or_not_at_all
        c08_never_more_live_than_the_limit
        c09_a_replace_needs_the_version_it_was_made_from
        c11_a_tombstone_never_changes
        c14_the_live_count_follows
        c16_what_a_head_has_ended_stays_ended
        c18_what_cannot_be_stored_spoils_no_other
        c20_a_subjects_sessions_are_listed_once_each
        c24_a_touch_moves_forward_only
        c27_purge_removes_old_tombstones_only
        c30_the_chain_verifies
        c32_the_change_log_tells_each_change_once_in_order
        c35_what_was_acknowledged_survives
        c37_concurrent_changes_all_count
        c42_a_chain_is_cut_and_goes_on
    }
}
