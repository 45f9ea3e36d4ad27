//! The engine's suite on PostgreSQL, by a process that others may share the database with; several
//! have a suite of their own.

use std::sync::{Arc, OnceLock};

use handstamp_core::conformance::Fixture;
use handstamp_core::id::SessionId;
use handstamp_core::store::{BoxFuture, SessionStore};

use handstamp_postgres::testing::Database;

/// One store in a database of its own.
#[derive(Default)]
struct One(OnceLock<Database>);

impl One {
    async fn database(&self) -> &Database {
        if let Some(database) = self.0.get() {
            return database;
        }
        let database = Database::new().await;
        self.0.get_or_init(|| database)
    }
}

impl Fixture for One {
    fn open(&self) -> BoxFuture<'_, Arc<dyn SessionStore>> {
        Box::pin(async { Arc::new(self.database().await.open().await) as _ })
    }

    fn schedules(&self) -> u64 {
        if std::env::var_os("HANDSTAMP_LONG").is_some() { 10_000 } else { 100 }
    }

    fn damage<'a>(&'a self, _: &'a Arc<dyn SessionStore>, id: SessionId) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let mut connection = self.database().await.connect().await;
            let sql = "UPDATE handstamp.sessions SET body = '{' WHERE id = $1";
            let damage = sqlx::query(sql).bind(&id.as_bytes()[..]).execute(&mut connection).await;
            damage.unwrap().rows_affected() == 1
        })
    }
}

handstamp_core::engine_suite!(One::default);
