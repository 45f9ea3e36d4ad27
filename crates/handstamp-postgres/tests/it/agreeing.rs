//! Two nodes on one database: the whole suite of several processes on one store.

use std::sync::{Arc, Mutex};

use handstamp_core::conformance::Fixture;
use handstamp_core::store::{BoxFuture, SessionStore};
use handstamp_postgres::testing::Database;

/// A database for one test, and stores on it.
#[derive(Default)]
struct Shared(Mutex<Option<Arc<Database>>>);

impl Fixture for Shared {
    fn open(&self) -> BoxFuture<'_, Arc<dyn SessionStore>> {
        Box::pin(async {
            let database = Arc::new(Database::new().await);
            let store = database.open().await;
            *self.0.lock().unwrap() = Some(database);
            Arc::new(store) as _
        })
    }

    fn another<'a>(
        &'a self,
        _: &'a Arc<dyn SessionStore>,
    ) -> BoxFuture<'a, Option<Arc<dyn SessionStore>>> {
        let database = self.0.lock().unwrap().clone();
        Box::pin(async move { Some(Arc::new(database?.open().await) as _) })
    }
}

handstamp_core::nodes_suite!(Shared::default);
