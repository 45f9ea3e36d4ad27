//! C04, C17–C19: groups and batches.

use super::fixture::Fixture;
use super::sample::{self, at, subject};
use super::world::{World, is_applied};
use crate::event::Action;
use crate::head::Head;
use crate::id::Subject;
use crate::record::Record;
use crate::store::{Change, Cursor, EventFilter, Found, Group, Outcome};

/// **C04** One outcome per group, in order; a group is applied whole or not at all.
pub async fn c04_a_group_is_applied_whole_or_not_at_all(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let alice = subject("alice");
    let stale = world.begin(&alice).await;
    world.one(sample::replace(&stale)).await;
    let (_, cursor) = world.changes(&Cursor::default()).await;
    let (before, head) = (world.get(stale.id).await, world.head(&alice).await);
    let (first, last) = (world.record(&subject("bob")), world.anonymous());
    let event = |name: &str| sample::event(Action::Admin(name.into()), at(1));
    let outcomes = world
        .commit(vec![
            Group { events: vec![event("first")], ..sample::insert(&first) },
            Group { events: vec![event("lost")], ..sample::adopt(&stale, sample::bump(&alice)) },
            Group { events: vec![event("last")], ..sample::insert(&last) },
        ])
        .await;
    assert!(is_applied(&outcomes[0]) && is_applied(&outcomes[2]), "{outcomes:?}");
    assert!(matches!(outcomes[1], Outcome::Conflict(_)), "{:?}", outcomes[1]);
    assert_eq!(world.get(stale.id).await, before, "no record of a group that was not applied");
    assert_eq!(world.head(&alice).await, head, "no head either");
    let actions: Vec<_> =
        world.events(&EventFilter::default()).await.into_iter().map(|it| it.action).collect();
    assert_eq!(actions, [Action::Admin("last".into()), Action::Admin("first".into())]);
    let changed: Vec<_> = world.changes(&cursor).await.0.iter().map(session_of).collect();
    assert_eq!(changed, [Some(first.id), Some(last.id)], "nor is it in the change log");
}

fn session_of(change: &Change) -> Option<crate::id::SessionId> {
    match change {
        Change::Session { id, .. } => Some(*id),
        _ => None,
    }
}

/// **C17** A group whose `only_if` group was not applied is skipped.
pub async fn c17_what_depends_on_a_group_not_applied_is_skipped(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let (taken, fresh) = (world.begin(&subject("a")).await, world.record(&subject("b")));
    let others = [world.anonymous(), world.anonymous(), world.anonymous()];
    let after = |place, record: &Record| Group { only_if: Some(place), ..sample::insert(record) };
    let outcomes = world
        .commit(vec![
            sample::insert(&taken),
            after(0, &others[0]),
            sample::insert(&fresh),
            after(2, &others[1]),
            after(1, &others[2]),
        ])
        .await;
    assert_eq!(outcomes[0], Outcome::Exists);
    assert_eq!(outcomes[1], Outcome::Skipped, "what it depends on was not applied");
    assert!(is_applied(&outcomes[2]) && is_applied(&outcomes[3]), "{outcomes:?}");
    assert_eq!(outcomes[4], Outcome::Skipped, "what it depends on was skipped");
    for (record, is_there) in others.iter().zip([false, true, false]) {
        assert_eq!(world.find(record.id).await != Found::Missing, is_there);
    }
}

/// **C18** What cannot be stored is said to be invalid; its batch-mates are applied.
pub async fn c18_what_cannot_be_stored_spoils_no_other(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let (alice, bob) = (subject("alice"), subject("bob"));
    let there = world.begin(&alice).await;
    for bad in invalid_groups(&world, fixture, &there, &bob) {
        let mates = [world.record(&alice), world.record(&bob)];
        let batch = vec![sample::insert(&mates[0]), bad.clone(), sample::insert(&mates[1])];
        let outcomes = world.commit(batch).await;
        assert!(matches!(outcomes[1], Outcome::Invalid(_)), "{:?} for {bad:?}", outcomes[1]);
        assert!(is_applied(&outcomes[0]) && is_applied(&outcomes[2]), "{outcomes:?}");
        assert_eq!(world.get(there.id).await, there, "nothing changed by {bad:?}");
    }
    assert_eq!(world.head(&bob).await.epoch, Head::new(bob).epoch, "no head moved");
    let twice = Record { label: Some("first".into()), ..there.clone() };
    let second = Record { label: Some("second".into()), ..there };
    let outcomes = world.commit(vec![sample::replace(&twice), sample::replace(&second)]).await;
    assert!(is_applied(&outcomes[0]), "{outcomes:?}");
    assert!(matches!(outcomes[1], Outcome::Invalid(_)), "one group per session: {outcomes:?}");
    assert_eq!(world.get(twice.id).await.label.as_deref(), Some("first"));
}

fn invalid_groups(
    world: &World,
    fixture: &dyn Fixture,
    there: &Record,
    other: &Subject,
) -> Vec<Group> {
    let mut ended = world.record(other);
    ended.end(sample::end(at(1)));
    let moved = Record { subject: Some(other.clone()), ..there.clone() };
    let rejuvenated = Record { created_at: at(9), ..there.clone() };
    let waits_for_later = Group { only_if: Some(2), ..sample::insert(&world.anonymous()) };
    let mut groups = vec![
        sample::insert(&ended),
        sample::replace(&moved),
        sample::replace(&rejuvenated),
        sample::adopt(there, sample::bump(other)),
        waits_for_later,
    ];
    let mut spoilt = world.record(other);
    if fixture.spoil(&mut spoilt) {
        groups.push(sample::insert(&spoilt));
    }
    groups
}

/// **C19** An applied record carries its change id.
pub async fn c19_an_applied_change_can_be_found_out(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let record = world.record(&subject("alice"));
    let group = sample::insert(&record);
    let first = group.change_id;
    world.one(group).await;
    let record = world.get(record.id).await;
    assert_eq!(record.change_id, first);
    let group = sample::replace(&record);
    let second = group.change_id;
    world.one(group).await;
    assert_eq!(world.get(record.id).await.change_id, second);
    world.try_one(sample::replace_at(&record, record.version)).await;
    assert_eq!(world.get(record.id).await.change_id, second, "a change not applied leaves none");
}
