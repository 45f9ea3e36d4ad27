//! C05–C08: how sessions begin.

use super::fixture::Fixture;
use super::sample::{self, at, subject};
use super::world::{World, applied, is_applied};
use crate::id::{ChangeId, Subject};
use crate::record::Record;
use crate::store::{Found, Outcome, Refusal};

/// **C05** An insert of an id that is there, tombstones included, is refused.
pub async fn c05_an_insert_never_overwrites(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let alice = subject("alice");
    let record = world.begin(&alice).await;
    let other = Record { label: Some("other".into()), ..record.clone() };
    assert_eq!(world.try_one(sample::insert(&other)).await, Outcome::Exists);
    assert_eq!(world.get(record.id).await, record);
    let tombstone = world.end_at(&record, at(1)).await;
    assert_eq!(world.try_one(sample::insert(&other)).await, Outcome::Exists, "a tombstone too");
    assert_eq!(world.get(record.id).await, tombstone);
    assert_eq!(world.head(&alice).await.live, 0, "what was not inserted does not count");
}

/// **C06** An insert is stamped with version 1 and the present epochs, and answers the stamps.
pub async fn c06_an_insert_is_stamped(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let alice = subject("alice");
    stamped(&world, &alice, (0, 0)).await;
    let head = world.head(&alice).await;
    assert_eq!((head.version, head.epoch, head.live), (0, 0, 1), "a head was made");
    world.change(sample::bump(&alice)).await;
    stamped(&world, &alice, (1, 0)).await;
    world.change(sample::bump_deployment()).await;
    let moved = sample::moved_epoch();
    stamped(&world, &alice, (1, moved)).await;
    stamped(&world, &subject("bob"), (0, moved)).await;
    let nobody = world.insert(&world.anonymous()).await;
    assert_eq!((nobody.version, nobody.deployment_epoch), (1, moved));
}

async fn stamped(world: &World, subject: &Subject, epochs: (u64, u64)) {
    let change_id = ChangeId::from_bytes([9; 16]);
    let bogus =
        Record { version: 7, epoch: 5, deployment_epoch: 5, change_id, ..world.record(subject) };
    let applied = world.one(sample::insert(&bogus)).await;
    let record = world.get(bogus.id).await;
    assert_eq!((record.version, record.epoch, record.deployment_epoch), (1, epochs.0, epochs.1));
    assert_eq!((applied.version, applied.epoch, applied.deployment_epoch), (1, epochs.0, epochs.1));
    assert_eq!(applied.last_seen, record.last_seen);
    assert_eq!(applied.head, Some(world.head(subject).await), "the head after the change");
    assert_ne!(record.change_id, change_id);
}

/// **C07** No session begins for a disabled subject.
pub async fn c07_no_session_begins_for_a_disabled_subject(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let alice = subject("alice");
    world.change(sample::disable(&alice, true)).await;
    let record = world.record(&alice);
    let outcome = world.try_one(sample::insert(&record)).await;
    assert_eq!(outcome, Outcome::Refused(Refusal::Disabled));
    assert_eq!(world.find(record.id).await, Found::Missing);
    assert_eq!(world.head(&alice).await.live, 0);
    let outcome = world.try_one(sample::insert_within(&record, Some(0))).await;
    assert_eq!(outcome, Outcome::Refused(Refusal::Disabled), "said before the limit");
    world.begin(&subject("bob")).await;
    world.change(sample::disable(&alice, false)).await;
    world.insert(&record).await;
}

/// **C08** Never more sessions are live than the limit, whoever commits at once.
pub async fn c08_never_more_live_than_the_limit(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let alice = subject("alice");
    let within = |limit| sample::insert_within(&world.record(&alice), Some(limit));
    let refused = Outcome::Refused(Refusal::Limit);
    assert_eq!(world.try_one(within(0)).await, refused, "a limit of none admits none");
    let outcomes = world.commit(vec![within(2), within(2), within(2)]).await;
    assert!(is_applied(&outcomes[0]) && is_applied(&outcomes[1]), "{outcomes:?}");
    assert_eq!(outcomes[2], refused, "groups of one batch count each other");
    let live = world.get(world.listed(&alice, false).await[0]).await;
    world.end_at(&live, at(1)).await;
    let again = world.try_one(within(2)).await;
    assert!(is_applied(&again), "an end makes room: {again:?}");
    world.one(sample::insert(&world.record(&alice))).await;
    assert_eq!(applied(world.try_one(within(4)).await).head.map(|head| head.live), Some(4));
    all_at_once(&world).await;
}

async fn all_at_once(world: &World) {
    let bob = subject("bob");
    let tasks: Vec<_> = (0..24)
        .map(|_| {
            let (world, group) =
                (world.clone(), sample::insert_within(&world.record(&bob), Some(5)));
            tokio::spawn(async move { world.try_one(group).await })
        })
        .collect();
    let mut begun = 0;
    for task in tasks {
        match task.await.expect("a task") {
            Outcome::Applied(_) => begun += 1,
            other => assert_eq!(other, Outcome::Refused(Refusal::Limit)),
        }
    }
    assert_eq!((begun, world.listed(&bob, false).await.len()), (5, 5));
    assert_eq!(world.head(&bob).await.live, 5);
}
