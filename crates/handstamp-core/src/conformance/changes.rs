//! C32, C33: the change log.

use super::fixture::Fixture;
use super::sample::{self, at, subject};
use super::world::World;
use crate::record::{Record, Suspended};
use crate::store::{Change, Cursor};

/// **C32** The change log tells every applied group once, in the order of commits.
pub async fn c32_the_change_log_tells_each_change_once_in_order(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let alice = subject("alice");
    let empty = world.store.changes(&Cursor::default(), 10).await.expect("changes are answered");
    assert!(empty.changes.is_empty() && !empty.has_gap, "nothing has happened yet: {empty:?}");
    let first = world.begin(&alice).await;
    let mut rotated = first.clone();
    (rotated.lineage.generation, rotated.lineage.privilege_generation) = (2, 2);
    world.one(sample::adopt(&rotated, sample::bump(&alice))).await;
    world.try_one(sample::replace(&first)).await;
    world.change(sample::bump_deployment()).await;
    world.end_at(&first, at(1)).await;
    let expected = [
        session(&first, 1, 1, false),
        Change::Subject { subject: alice, version: 1, epoch: 1 },
        session(&first, 2, 2, false),
        Change::Deployment { epoch: sample::moved_epoch() },
        session(&first, 3, 2, true),
    ];
    let (changes, cursor) = world.changes(&Cursor::default()).await;
    assert_eq!(changes, expected);
    let whole = world.store.changes(&Cursor::default(), 100).await.expect("changes are answered");
    assert_eq!(whole.changes, expected, "in one page as well");
    assert!(world.changes(&cursor).await.0.is_empty(), "nothing twice");
    assert!(world.changes(&empty.cursor).await.0 == expected, "from where nothing had happened");
    assert_eq!(min_generation_when_suspended(&world).await, 2, "none that was minted is good");
    let (_, cursor) = world.changes(&cursor).await;
    let (a, b) = (world.anonymous(), world.anonymous());
    world.commit(vec![sample::insert(&a), sample::insert(&b)]).await;
    let (changes, _) = world.changes(&cursor).await;
    assert_eq!(changes, [session(&a, 1, 1, false), session(&b, 1, 1, false)], "what came after");
    in_order_under_load(&world).await;
}

/// What the log tells of a session of generation 1 that is set aside.
async fn min_generation_when_suspended(world: &World) -> u32 {
    let mut record = world.insert(&world.anonymous()).await;
    let (_, cursor) = world.changes(&Cursor::default()).await;
    let suspended = Suspended { at: at(1), by: None, why: None, is_until_step_up: false };
    record.suspended = Some(suspended);
    world.one(sample::replace(&record)).await;
    match world.changes(&cursor).await.0[..] {
        [Change::Session { min_generation, .. }] => min_generation,
        ref other => panic!("one change of a session: {other:?}"),
    }
}

fn session(record: &Record, version: u64, generation: u32, is_ended: bool) -> Change {
    let min_generation = generation;
    Change::Session { id: record.id, version, generation, min_generation, is_ended }
}

/// Somebody follows while many write: every change arrives, those of one record in order.
async fn in_order_under_load(world: &World) {
    let (_, mut cursor) = world.changes(&Cursor::default()).await;
    let tasks: Vec<_> = (0..6).map(|_| tokio::spawn(write_ten(world.clone()))).collect();
    let mut seen = Vec::new();
    while seen.len() < 60 {
        let answer = world.store.changes(&cursor, 3).await.expect("changes are answered");
        assert!(!answer.has_gap);
        let is_done = tasks.iter().all(tokio::task::JoinHandle::is_finished);
        let is_empty = answer.changes.is_empty();
        seen.extend(answer.changes);
        cursor = answer.cursor;
        assert!(!(is_done && is_empty && seen.len() < 60 && is_at_end(world, &cursor).await));
        tokio::task::yield_now().await;
    }
    for task in tasks {
        let id = task.await.expect("a task");
        let versions: Vec<_> = seen.iter().filter_map(|change| version_of(change, id)).collect();
        assert_eq!(versions, (1..=10).collect::<Vec<_>>(), "each version once, in order");
    }
    assert_eq!(seen.len(), 60);
}

async fn is_at_end(world: &World, cursor: &Cursor) -> bool {
    world.store.changes(cursor, 1).await.expect("changes are answered").changes.is_empty()
}

async fn write_ten(world: World) -> crate::id::SessionId {
    let mut record = world.insert(&world.anonymous()).await;
    for _ in 0..9 {
        record.version = world.one(sample::replace(&record)).await.version;
    }
    record.id
}

fn version_of(change: &Change, wanted: crate::id::SessionId) -> Option<u64> {
    match change {
        Change::Session { id, version, .. } if *id == wanted => Some(*version),
        _ => None,
    }
}

/// **C33** A cursor older than the log is a gap, and is said to be one. Shown where the fixture
/// can open a store with a short log.
pub async fn c33_a_cursor_older_than_the_log_is_a_gap(fixture: &dyn Fixture) {
    let Some(store) = fixture.open_with_short_log().await else { return };
    let world = World::of(store);
    let mut record = world.insert(&world.anonymous()).await;
    let (_, old) = world.changes(&Cursor::default()).await;
    for _ in 0..100 {
        record.version = world.one(sample::replace(&record)).await.version;
    }
    for cursor in [old, Cursor::default()] {
        let answer = world.store.changes(&cursor, 10).await.expect("changes are answered");
        assert!(answer.has_gap, "{cursor:?} is older than the log");
        let (_, now) = world.changes(&answer.cursor).await;
        record.version = world.one(sample::replace(&record)).await.version;
        let (changes, _) = world.changes(&now).await;
        assert_eq!(
            changes,
            [session(&record, record.version, 1, false)],
            "it can go on from there"
        );
    }
}
