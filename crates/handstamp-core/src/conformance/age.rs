//! C24–C27: activity and age.

use super::fixture::Fixture;
use super::sample::{self, at, subject};
use super::world::World;
use crate::record::Record;
use crate::store::Found;
use crate::time::Timestamp;
use std::time::Duration;

/// **C24** A touch moves `last_seen` forward only, and leaves the version alone.
pub async fn c24_a_touch_moves_forward_only(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let alice = subject("alice");
    let (a, b) = (world.begin(&alice).await, world.begin(&alice).await);
    let moved = world.store.touch(&[(a.id, at(10)), (b.id, at(20))]).await;
    assert_eq!(moved.expect("a touch is answered"), 2);
    let expected = [Record { last_seen: at(10), ..a.clone() }, Record { last_seen: at(20), ..b }];
    for record in &expected {
        assert_eq!(world.get(record.id).await, *record, "nothing else changes");
    }
    for earlier in [at(10), at(9), sample::BEGIN] {
        assert!(!world.touch(a.id, earlier).await, "{earlier:?} does not move it");
    }
    assert_eq!(world.get(a.id).await.last_seen, at(10));
    let moved = world.store.touch(&[(a.id, at(5)), (expected[1].id, at(21))]).await;
    assert_eq!(moved.expect("a touch is answered"), 1, "only what moved is counted");
    world.one(sample::replace(&a)).await;
}

/// **C25** A touch does nothing to a tombstone, a missing id, or a record that was due.
pub async fn c25_a_touch_revives_nothing(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let alice = subject("alice");
    let tombstone = world.end_at(&world.begin(&alice).await, at(1)).await;
    let due = world.begin(&alice).await;
    let in_time = world.begin(&alice).await;
    let short = Record { absolute_expiry: at(5), ..world.record(&alice) };
    let (short, nobody) = (world.insert(&short).await, world.anonymous().id);
    let just_before = due.due_at().minus(Duration::from_millis(1));
    let touches = [
        (tombstone.id, at(2)),
        (due.id, due.due_at()),
        (nobody, at(2)),
        (short.id, at(6)),
        (in_time.id, just_before),
    ];
    let moved = world.store.touch(&touches).await.expect("a touch is answered");
    assert_eq!(moved, 1, "only the one in time");
    assert_eq!(world.get(in_time.id).await.last_seen, just_before);
    for record in [&tombstone, &due, &short] {
        assert_eq!(world.get(record.id).await, *record);
    }
    assert_eq!(world.find(nobody).await, Found::Missing);
}

/// **C26** `due` lists live records whose time has come, earliest first.
pub async fn c26_due_lists_the_earliest_first(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let alice = subject("alice");
    let until = |expiry, idle| Record {
        absolute_expiry: at(expiry),
        idle_lifetime: idle,
        ..world.record(&alice)
    };
    let third = world.insert(&until(30, None)).await;
    let second = world.insert(&until(20, Some(sample::IDLE))).await;
    let first = world.insert(&until(5000, Some(Duration::from_secs(10)))).await;
    let ended = world.insert(&until(5, None)).await;
    let later = world.insert(&until(31, None)).await;
    world.end_at(&ended, at(4)).await;
    assert_eq!(world.due(at(30)).await, [first.id, second.id, third.id]);
    let limited = world.store.due(at(30), 2).await.expect("what is due is answered");
    assert_eq!(limited, [first.id, second.id]);
    let just_before = at(10).minus(Duration::from_millis(1));
    assert!(world.due(just_before).await.is_empty(), "nothing is due early");
    assert_eq!(world.due(at(10)).await, [first.id], "it is due when its time comes");
    assert!(world.touch(first.id, at(9)).await);
    assert_eq!(world.due(at(18)).await, [], "a touch moves it");
    assert_eq!(world.due(at(19)).await, [first.id]);
    let longer = Record { absolute_expiry: at(40), ..third };
    world.one(sample::replace(&longer)).await;
    let all = world.due(Timestamp::MAX).await;
    assert_eq!(all, [first.id, second.id, later.id, longer.id], "a replace moves it too");
}

/// **C27** `purge` removes tombstones that are old enough, and nothing else.
pub async fn c27_purge_removes_old_tombstones_only(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let alice = subject("alice");
    let live = world.begin(&alice).await;
    let mut tombstones = Vec::new();
    for seconds in [10, 20, 30] {
        tombstones.push(world.end_at(&world.begin(&alice).await, at(seconds)).await);
    }
    let purge = async |before, limit| world.store.purge(before, limit).await.expect("an answer");
    assert_eq!(purge(at(9), 10).await, 0, "none is old enough");
    assert_eq!(purge(at(20), 1).await, 1, "at most the limit");
    assert_eq!(purge(at(20), 10).await, 1, "at or before");
    assert_eq!(purge(at(20), 10).await, 0, "no more");
    for gone in &tombstones[..2] {
        assert_eq!(world.find(gone.id).await, Found::Missing);
    }
    assert_eq!(world.get(tombstones[2].id).await, tombstones[2], "a younger one stays");
    assert_eq!(purge(Timestamp::MAX, 10).await, 1);
    assert_eq!(world.get(live.id).await, live, "a live one stays");
    assert_eq!(world.listed(&alice, true).await, [live.id]);
    assert_eq!(world.head(&alice).await.live, 1);
}
