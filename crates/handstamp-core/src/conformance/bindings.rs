//! C34: device bindings.

use super::fixture::Fixture;
use super::sample::{self, at, subject};
use super::world::World;
use crate::id::SessionId;
use crate::store::{BindOutcome, Binding};
use crate::time::Timestamp;

/// **C34** A binding is replaced by version, lives beside its record, and goes with it.
pub async fn c34_a_binding_lives_beside_its_record(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let record = world.begin(&subject("alice")).await;
    let body = |byte: u8| Some(vec![byte; 4096]);
    let there = |version, byte| Some(Binding { version, body: vec![byte; 4096] });
    assert_eq!(bound(&world, record.id).await, None);
    let steps = [
        (Some(1), body(1), BindOutcome::Conflict(None), None),
        (None, body(1), BindOutcome::Applied, there(1, 1)),
        (None, body(2), BindOutcome::Conflict(there(1, 1)), there(1, 1)),
        (Some(2), body(2), BindOutcome::Conflict(there(1, 1)), there(1, 1)),
        (Some(1), body(2), BindOutcome::Applied, there(2, 2)),
        (Some(1), None, BindOutcome::Conflict(there(2, 2)), there(2, 2)),
    ];
    for (expected, body, outcome, after) in steps {
        assert_eq!(bind(&world, record.id, expected, body).await, outcome, "from {expected:?}");
        assert_eq!(bound(&world, record.id).await, after);
    }
    assert_eq!(world.get(record.id).await, record, "the record is as it was");
    world.one(sample::replace(&record)).await;
    assert_eq!(bound(&world, record.id).await, there(2, 2), "and so is the binding");
    assert_eq!(bind(&world, record.id, Some(2), None).await, BindOutcome::Applied);
    assert_eq!(bound(&world, record.id).await, None, "it can be removed");
    goes_with_its_record(&world).await;
    one_of_many_wins(&world).await;
}

async fn bind(
    world: &World,
    id: SessionId,
    expected: Option<u64>,
    body: Option<Vec<u8>>,
) -> BindOutcome {
    world.store.bind(id, expected, body).await.expect("a binding is answered")
}

async fn bound(world: &World, id: SessionId) -> Option<Binding> {
    world.store.binding(id).await.expect("a binding is answered")
}

async fn goes_with_its_record(world: &World) {
    let record = world.begin(&subject("bob")).await;
    assert_eq!(bind(world, record.id, None, Some(vec![7])).await, BindOutcome::Applied);
    let tombstone = world.end_at(&record, at(1)).await;
    let (more, nobody) = (Some(vec![8]), world.anonymous().id);
    assert_eq!(bind(world, record.id, Some(1), more.clone()).await, BindOutcome::Missing);
    assert_eq!(bind(world, nobody, None, more).await, BindOutcome::Missing);
    assert_eq!(world.get(record.id).await, tombstone);
    world.store.purge(Timestamp::MAX, 100).await.expect("a purge is answered");
    assert_eq!(bound(world, record.id).await, None, "a purge removes both");
    world.insert(&record).await;
    assert_eq!(bound(world, record.id).await, None, "for good");
}

async fn one_of_many_wins(world: &World) {
    let id = world.begin(&subject("eve")).await.id;
    let tasks: Vec<_> = (0..8)
        .map(|byte| {
            let world = world.clone();
            tokio::spawn(async move { bind(&world, id, None, Some(vec![byte])).await })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        won += u32::from(task.await.expect("a task") == BindOutcome::Applied);
    }
    assert_eq!(won, 1);
}
