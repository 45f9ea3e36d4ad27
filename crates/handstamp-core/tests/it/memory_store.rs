//! The memory store against the contract, and its own bounds.

use std::sync::Arc;

use handstamp_core::conformance::{Fixture, World, sample};
use handstamp_core::store::{BoxFuture, MemoryStore, Outcome, SessionStore};

pub(crate) struct Memory;

impl Fixture for Memory {
    fn open(&self) -> BoxFuture<'_, Arc<dyn SessionStore>> {
        Box::pin(async { Arc::new(MemoryStore::new()) as _ })
    }

    fn open_with_short_log(&self) -> BoxFuture<'_, Option<Arc<dyn SessionStore>>> {
        Box::pin(async { Some(Arc::new(MemoryStore::new().with_change_log(20)) as _) })
    }
}

handstamp_core::conformance_suite!(|| Memory);

#[tokio::test]
async fn a_full_store_refuses_beginnings_and_nothing_else() {
    let world = World::of(Arc::new(MemoryStore::bounded(1)));
    let record = world.insert(&world.anonymous()).await;
    let outcome = world.try_one(sample::insert(&world.anonymous())).await;
    assert_eq!(outcome, Outcome::Invalid("the memory store is full".into()));
    assert_eq!(world.try_one(sample::insert(&record)).await, Outcome::Exists);
    world.end_at(&record, sample::at(1)).await;
    world.store.purge(sample::at(1), 10).await.unwrap();
    world.insert(&world.anonymous()).await;
}
