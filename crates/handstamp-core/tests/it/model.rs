//! The engine against a model of it, over the memory store.

use std::sync::Arc;

use handstamp_core::conformance::{self, Fixture};
use handstamp_core::store::{BoxFuture, MemoryStore, SessionStore};

struct Memory;

impl Fixture for Memory {
    fn open(&self) -> BoxFuture<'_, Arc<dyn SessionStore>> {
        Box::pin(async { Arc::new(MemoryStore::new()) as _ })
    }
}

/// How many times as much is tried in a long run.
fn times(long: u64) -> u64 {
    if std::env::var_os("HANDSTAMP_LONG").is_some() { long } else { 1 }
}

#[test]
fn random_operations_agree_with_the_reference_in_memory() {
    conformance::run(async {
        let sequences = 300 * times(10);
        conformance::random_operations_agree_with_the_reference(&Memory, 1, sequences).await;
    });
}

/// Shows B02.
#[test]
fn recorded_histories_are_linearizable_in_memory() {
    conformance::run(async {
        let rounds = 100 * times(10);
        conformance::recorded_histories_are_linearizable(&Memory, 1, rounds).await;
    });
}
