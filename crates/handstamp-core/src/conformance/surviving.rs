//! C35–C37: surviving.

use super::fixture::Fixture;
use super::sample::{self, at, subject};
use super::world::World;
use crate::event::Action;
use crate::id::SessionId;
use crate::store::{Cursor, Durability, EventFilter, Group, Outcome};

/// **C35** What was acknowledged is there after the store is opened again, unless the store
/// declares that it is not.
pub async fn c35_what_was_acknowledged_survives(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    if world.store.capabilities().durability == Durability::Memory {
        return;
    }
    let alice = subject("alice");
    let (ended, changed, touched) = (
        world.begin(&alice).await,
        world.begin(&alice).await,
        world.insert(&world.anonymous()).await,
    );
    world.end_at(&ended, at(1)).await;
    let event = sample::event_of(&changed, Action::StepUp, at(2));
    world.one(Group { events: vec![event], ..sample::replace(&changed) }).await;
    world.change(sample::bump(&alice)).await;
    world.change(sample::bump_deployment()).await;
    assert!(world.touch(touched.id, at(3)).await);
    world.store.bind(changed.id, None, Some(vec![1, 2, 3])).await.expect("it is bound");
    let ids = [ended.id, changed.id, touched.id];
    let before = everything(&world, &ids).await;
    let world = world.reopen(fixture).await.expect("a store that keeps data can be opened again");
    assert_eq!(everything(&world, &ids).await, before);
    world.begin(&alice).await;
}

/// What the store shows of these records and all around them.
async fn everything(world: &World, ids: &[SessionId]) -> impl PartialEq + std::fmt::Debug + use<> {
    let alice = subject("alice");
    (
        world.load(ids).await,
        world.head(&alice).await,
        world.listed(&alice, true).await,
        world.events(&EventFilter::default()).await,
        world.store.binding(ids[1]).await.expect("a binding is answered"),
        world.changes(&Cursor::default()).await.0,
        world.due(at(100_000)).await,
    )
}

/// **C36** The partition key stays for as long as the data lives, and every store has its own.
pub async fn c36_the_partition_key_stays(fixture: &dyn Fixture) {
    let (world, other) = (World::open(fixture).await, World::open(fixture).await);
    let key = world.store.meta().partition_key.clone();
    assert_ne!(other.store.meta().partition_key, key, "each store draws its own");
    world.begin(&subject("alice")).await;
    assert_eq!(world.store.meta().partition_key, key);
    if let Some(world) = world.reopen(fixture).await {
        assert_eq!(world.store.meta().partition_key, key, "also when it is opened again");
    }
}

/// **C37** Concurrent changes all count: increments by replace-and-retry sum up.
pub async fn c37_concurrent_changes_all_count(fixture: &dyn Fixture) {
    const TASKS: u64 = 8;
    const EACH: u64 = 8;
    let world = World::open(fixture).await;
    let id = world.begin(&subject("alice")).await.id;
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let world = world.clone();
            tokio::spawn(async move {
                for _ in 0..EACH {
                    increment(&world, id).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a task");
    }
    let record = world.get(id).await;
    assert_eq!(record.data.get("n").map(|n| &**n), Some((TASKS * EACH).to_string().as_str()));
    assert_eq!(record.version, 1 + TASKS * EACH, "one version for each");
}

async fn increment(world: &World, id: SessionId) {
    let mut record = world.get(id).await;
    loop {
        let n: u64 = record.data.get("n").map_or(0, |n| n.parse().expect("a number"));
        record.data.insert("n".into(), (n + 1).to_string().into());
        match world.try_one(sample::replace(&record)).await {
            Outcome::Applied(_) => return,
            Outcome::Conflict(current) => record = current.record,
            other => panic!("a conflict or applied: {other:?}"),
        }
    }
}
