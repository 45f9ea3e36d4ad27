//! The store decorator that holds, fails and counts calls.

use std::sync::Arc;

use handstamp_core::conformance::{Fixture, World, sample};
use handstamp_core::store::{
    Batch, BoxFuture, Found, MemoryStore, Outcome, SessionStore, StoreError,
};
use handstamp_core::testing::{Call, Failure, GateStore, When};

/// A gate that delays every call must not be noticed by the contract.
struct Scheduled;

impl Fixture for Scheduled {
    fn open(&self) -> BoxFuture<'_, Arc<dyn SessionStore>> {
        let gate = GateStore::new(MemoryStore::new());
        gate.schedule(7);
        Box::pin(async { Arc::new(gate) as _ })
    }
}

handstamp_core::conformance_suite!(|| Scheduled);

fn gated() -> (GateStore<MemoryStore>, World) {
    let gate = GateStore::new(MemoryStore::new());
    (gate.clone(), World::of(Arc::new(gate)))
}

#[tokio::test]
async fn a_call_is_held_before_the_store_has_done_it() {
    let (gate, world) = gated();
    let record = world.anonymous();
    let held = gate.hold(Call::Commit, When::Before);
    let commit = tokio::spawn({
        let (world, record) = (world.clone(), record.clone());
        async move { world.insert(&record).await }
    });
    held.arrived().await;
    assert_eq!(world.find(record.id).await, Found::Missing);
    held.release();
    assert_eq!(commit.await.unwrap().id, record.id);
}

#[tokio::test]
async fn a_reply_is_held_after_the_store_has_done_it() {
    let (gate, world) = gated();
    let record = world.anonymous();
    let held = gate.hold_commit(When::After, |batch| batch.groups.len() == 1);
    let commit = tokio::spawn({
        let (world, record) = (world.clone(), record.clone());
        async move { world.one(sample::insert(&record)).await }
    });
    held.arrived().await;
    assert!(!commit.is_finished());
    assert_eq!(world.get(record.id).await.version, 1);
    drop(held);
    assert_eq!(commit.await.unwrap().version, 1);
}

#[tokio::test]
async fn a_hold_that_does_not_fit_lets_the_call_pass() {
    let (gate, world) = gated();
    let held = gate.hold_commit(When::Before, |batch| batch.groups.len() > 1);
    world.insert(&world.anonymous()).await;
    assert!(!held.has_arrived());
}

#[tokio::test]
async fn a_lost_reply_was_applied_and_a_lost_request_was_not() {
    let (gate, world) = gated();
    for (failure, is_applied) in
        [(Failure::ReplyLost, true), (Failure::RequestLost, false), (Failure::Unavailable, false)]
    {
        let record = world.anonymous();
        gate.fail_next(Call::Commit, failure);
        let groups = vec![sample::insert(&record)];
        let batch = Batch::new(groups, world.sealer.clone());
        let error = world.store.commit(batch).await.unwrap_err();
        let is_unavailable = matches!(error, StoreError::Unavailable(_));
        assert_eq!(is_unavailable, failure == Failure::Unavailable);
        assert_eq!(world.find(record.id).await != Found::Missing, is_applied, "{failure:?}");
    }
}

#[tokio::test]
async fn a_commit_that_is_late_is_carried_out_when_it_is_delivered() {
    let (gate, world) = gated();
    let record = world.anonymous();
    gate.fail_next(Call::Commit, Failure::RequestLate);
    let batch = Batch::new(vec![sample::insert(&record)], world.sealer.clone());
    assert!(matches!(world.store.commit(batch).await, Err(StoreError::Unknown(_))));
    assert_eq!(world.find(record.id).await, Found::Missing);
    assert!(matches!(gate.deliver().await.as_deref(), Ok([Outcome::Applied(_)])));
    assert_ne!(world.find(record.id).await, Found::Missing);
    assert!(gate.deliver().await.unwrap().is_empty(), "once");
}

#[tokio::test]
async fn a_store_that_is_down_answers_nothing_and_counts_everything() {
    let (gate, world) = gated();
    gate.set_down(true);
    assert!(world.store.load(&[]).await.is_err());
    assert!(world.store.writers().await.is_err());
    gate.set_down(false);
    assert!(world.store.load(&[]).await.is_ok());
    assert_eq!((gate.counts().load, gate.counts().writers, gate.counts().total()), (2, 1, 3));
}

#[tokio::test]
async fn one_seed_gives_one_interleaving() {
    assert_eq!(interleaving(1).await, interleaving(1).await);
    let mut seen = std::collections::HashSet::new();
    for seed in 0..10 {
        seen.insert(interleaving(seed).await);
    }
    assert!(seen.len() > 1, "other seeds give others");
}

/// The order in which eight commits are answered.
async fn interleaving(seed: u64) -> Vec<usize> {
    let (gate, world) = gated();
    gate.schedule(seed);
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let tasks: Vec<_> = (0..8)
        .map(|turn| {
            let (world, order) = (world.clone(), Arc::clone(&order));
            tokio::spawn(async move {
                world.one(sample::insert(&world.anonymous())).await;
                order.lock().unwrap().push(turn);
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    order.lock().unwrap().clone()
}
