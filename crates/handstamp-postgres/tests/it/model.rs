//! The engine against a model of it, over PostgreSQL.

use std::sync::Arc;

use handstamp_core::conformance::{self, Fixture};
use handstamp_core::store::{BoxFuture, SessionStore};

use handstamp_postgres::testing::Database;

struct One(Database);

impl Fixture for One {
    fn open(&self) -> BoxFuture<'_, Arc<dyn SessionStore>> {
        Box::pin(async { Arc::new(self.0.open().await) as _ })
    }
}

/// How many times as much is tried in a long run.
fn times(long: u64) -> u64 {
    if std::env::var_os("HANDSTAMP_LONG").is_some() { long } else { 1 }
}

#[test]
fn random_operations_agree_with_the_reference_on_postgres() {
    conformance::run(async {
        let one = One(Database::new().await);
        let sequences = 10 * times(10);
        conformance::random_operations_agree_with_the_reference(&one, 1, sequences).await;
    });
}

/// Shows B02.
#[test]
fn recorded_histories_are_linearizable_on_postgres() {
    conformance::run(async {
        let one = One(Database::new().await);
        let rounds = 20 * times(10);
        conformance::recorded_histories_are_linearizable(&one, 1, rounds).await;
    });
}
