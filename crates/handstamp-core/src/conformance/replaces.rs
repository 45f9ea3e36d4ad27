//! C09–C13, C44: how sessions change and end.

use std::sync::Arc;

use super::fixture::Fixture;
use super::sample::{self, at, subject};
use super::world::World;
use crate::head::Head;
use crate::record::Record;
use crate::store::{Batch, Found, Group, Loaded, Outcome, Refusal, Remake};

/// **C09** A replace applies to the version it was made from, and to no other.
pub async fn c09_a_replace_needs_the_version_it_was_made_from(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let first = world.begin(&subject("alice")).await;
    let labelled = |label: &str| Record { label: Some(label.into()), ..first.clone() };
    let applied = world.one(sample::replace(&labelled("second"))).await;
    let second = world.loaded(first.id).await;
    assert_eq!((applied.version, second.record.version), (2, 2));
    assert_eq!(second.record.label.as_deref(), Some("second"));
    for expected in [1, 0, 3, u64::from(u32::MAX)] {
        let outcome = world.try_one(sample::replace_at(&labelled("third"), expected)).await;
        assert_eq!(outcome, Outcome::Conflict(Box::new(second.clone())), "expected {expected}");
        assert_eq!(world.loaded(first.id).await, second);
    }
    let nobody = world.insert(&world.anonymous()).await;
    let outcome = world.try_one(sample::replace_at(&nobody, 9)).await;
    assert_eq!(outcome, Outcome::Conflict(Box::new(Loaded { record: nobody, head: None })));
}

/// **C10** A replace of nothing is said to be so and creates nothing.
pub async fn c10_a_replace_of_nothing_creates_nothing(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let alice = subject("alice");
    let record = world.record(&alice);
    for expected in [0, 1] {
        let outcome = world.try_one(sample::replace_at(&record, expected)).await;
        assert_eq!(outcome, Outcome::Missing, "expected {expected}");
    }
    assert_eq!(world.find(record.id).await, Found::Missing);
    assert!(world.listed(&alice, true).await.is_empty());
    assert_eq!(world.head(&alice).await, Head::new(alice), "no head is made");
}

/// **C11** A replace of a tombstone answers the tombstone, which never changes.
pub async fn c11_a_tombstone_never_changes(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let alice = subject("alice");
    let live = world.begin(&alice).await;
    let tombstone = world.end_at(&live, at(1)).await;
    let ended = Outcome::Ended(Box::new(tombstone.clone()));
    let again = Record { ended: Some(sample::end(at(2))), ..tombstone.clone() };
    for (what, group) in [
        ("the version before the end", sample::replace(&live)),
        ("the tombstone's own version", sample::replace_at(&live, tombstone.version)),
        ("a version to come", sample::replace_at(&live, tombstone.version + 1)),
        ("another end", sample::replace(&again)),
        ("an end-all that spares it", sample::adopt(&again, sample::bump(&alice))),
    ] {
        assert_eq!(world.try_one(group).await, ended, "{what}");
        assert_eq!(world.get(live.id).await, tombstone, "{what}");
    }
    assert_eq!(world.head(&alice).await.live, 0);
}

/// **C12** Where the head forbids a session, it can only end.
pub async fn c12_a_head_forbids_all_but_the_end(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let (disabled, moved, both) = (subject("disabled"), subject("moved"), subject("both"));
    let records = [
        (world.begin(&disabled).await, Refusal::Disabled),
        (world.begin(&moved).await, Refusal::Epoch),
        (world.begin(&both).await, Refusal::Disabled),
    ];
    for change in [
        sample::disable(&disabled, true),
        sample::bump(&moved),
        sample::bump(&both),
        sample::disable(&both, true),
    ] {
        world.change(change).await;
    }
    for (record, refusal) in &records {
        only_ends(&world, record, *refusal).await;
    }
    let of_deployment = [world.begin(&moved).await, world.insert(&world.anonymous()).await];
    world.change(sample::bump_deployment()).await;
    for record in &of_deployment {
        only_ends(&world, record, Refusal::Epoch).await;
    }
}

pub(super) async fn only_ends(world: &World, record: &Record, refusal: Refusal) {
    let outcome = world.try_one(sample::replace(record)).await;
    assert_eq!(outcome, Outcome::Refused(refusal));
    assert_eq!(world.get(record.id).await, *record, "what was refused changed nothing");
    assert!(world.end_at(record, at(70)).await.is_tombstone());
}

/// **C13** `last_seen` never moves back.
pub async fn c13_last_seen_never_moves_back(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let record = world.begin(&subject("alice")).await;
    assert!(world.touch(record.id, at(100)).await);
    let applied = world.one(sample::replace(&record)).await;
    assert_eq!(applied.last_seen, at(100), "what it was made from is older than the touch");
    let record = world.get(record.id).await;
    assert_eq!(record.last_seen, at(100));
    let due = record.due_at().minus(std::time::Duration::from_millis(1));
    assert!(world.due(due).await.is_empty(), "nor is it due earlier");
    let applied = world.one(sample::replace(&Record { last_seen: at(200), ..record })).await;
    assert_eq!(applied.last_seen, at(200), "forward it moves");
}

/// Appends a letter to the label that is there, and tells of it; twice it has nothing to say.
#[derive(Debug)]
struct Letters(Vec<Group>);

impl Remake for Letters {
    fn remake(&self, place: usize, current: &Loaded) -> Option<Group> {
        let mut record = current.record.clone();
        let label = record.label.as_deref().filter(|label| label.len() < 3)?;
        record.label = Some(format!("{label}b").into());
        let events = vec![sample::event_of(&record, crate::event::Action::StepUp, at(1))];
        let Group { change_id, only_if, .. } = self.0[place];
        Some(Group { events, change_id, only_if, ..sample::replace(&record) })
    }
}

/// **C44** In a shared store, who was overtaken is asked again instead of being refused.
pub async fn c44_what_was_overtaken_is_made_again(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    if !world.store.capabilities().is_shared {
        return;
    }
    let first = world.begin(&subject("alice")).await;
    let labelled = |label: &str| Record { label: Some(label.into()), ..first.clone() };
    world.one(sample::replace(&labelled("a"))).await;
    for (turn, expected) in [(1, Some("ab")), (2, Some("abb")), (3, None)] {
        let other = world.begin(&subject("bob")).await;
        let mut groups = vec![sample::replace(&other), sample::replace(&labelled("lost"))];
        groups[1].only_if = Some(0);
        let change = groups[1].change_id;
        let remake: Arc<dyn Remake> = Arc::new(Letters(groups.clone()));
        let sealer = world.sealer.clone();
        let batch = Batch { remake: Some(remake), ..Batch::new(groups, sealer) };
        let outcomes = world.store.commit(batch).await.expect("a commit is answered");
        let there = world.get(first.id).await;
        match expected {
            Some(label) => {
                assert!(matches!(outcomes[1], Outcome::Applied(_)), "{outcomes:?}");
                assert_eq!(there.label.as_deref(), Some(label));
                assert_eq!((there.version, there.change_id), (2 + turn, change));
            }
            None => assert!(matches!(outcomes[1], Outcome::Conflict(_)), "{outcomes:?}"),
        }
    }
    let told = world.events(&crate::store::EventFilter::default()).await;
    assert_eq!(told.len(), 2, "the events of what was applied");
    world.end_at(&first, at(5)).await;
    let groups = vec![sample::replace(&labelled("lost"))];
    let remake: Arc<dyn Remake> = Arc::new(Letters(groups.clone()));
    let batch = Batch { remake: Some(remake), ..Batch::new(groups, world.sealer.clone()) };
    let outcomes = world.store.commit(batch).await.expect("a commit is answered");
    assert!(matches!(outcomes[0], Outcome::Ended(_)), "an end is for ever: {outcomes:?}");
}
