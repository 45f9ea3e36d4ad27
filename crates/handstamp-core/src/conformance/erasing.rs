//! C39–C42: what is personal is erased, what is old is cut off, and chains verify.

use super::fixture::Fixture;
use super::sample::{self, at, subject};
use super::world::World;
use crate::chain::{BrokenAt, ChainEnd, Flaw, Link, Marks, Walk, verify_chain};
use crate::event::{Action, Event};
use crate::record::{Client, Profile, Record};
use crate::store::{Durability, EventFilter};
use crate::time::Timestamp;

async fn append(world: &World, events: Vec<Event>) {
    world.store.append(events, &world.sealer).await.expect("events are appended");
}

async fn ends(world: &World, before: Timestamp) -> Vec<ChainEnd> {
    world.store.ends(before).await.expect("ends are answered")
}

/// Walks through the store's chain; answers what it found broken, and where it ended.
async fn verify(world: &World, marks: &Marks) -> (Option<BrokenAt>, ChainEnd) {
    let writer = world.store.meta().writer;
    let mut walk = Walk::new(&world.sealer, marks, &[], writer);
    let cuts = world.store.cuts().await.expect("cuts are answered");
    let cut = cuts.iter().find(|cut| cut.end.writer == writer);
    let resumed = cut.map_or(Ok(()), |cut| walk.resume(cut));
    let batches = world.store.sealed(writer, walk.end().batch, 1000).await;
    let broken = resumed.and_then(|()| walk.step(&batches.expect("batches are answered"))).err();
    (broken.or(walk.blank()), walk.end())
}

/// Tells of an erasure up to `through`, as whoever erases has to; answers the marks.
async fn mark(world: &World, action: Action, whose: Option<&str>, through: &[ChainEnd]) -> Marks {
    let mut mark = sample::event(action, at(500));
    mark.subject = whose.map(subject);
    Marks::write(through, &mut mark.details);
    let mut marks = Marks::none();
    marks.add(&mark);
    append(world, vec![mark]).await;
    marks
}

/// The same store, opened again if it keeps anything.
async fn opened_again(world: World, fixture: &dyn Fixture) -> World {
    if world.store.capabilities().durability == Durability::Memory {
        return world;
    }
    world.reopen(fixture).await.expect("a store that keeps data can be opened again")
}

fn event(who: &str, seconds: u64) -> Event {
    let mut event = sample::event(Action::StepUp, at(seconds));
    event.subject = Some(subject(who));
    event
}

/// **C39** `ends` says how far each chain had come before a time, all events of it.
pub async fn c39_ends_say_how_far_a_chain_had_come(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let writer = world.store.meta().writer;
    assert!(ends(&world, Timestamp::MAX).await.is_empty(), "there is no chain");
    for seconds in [[10, 12], [11, 30], [20, 21], [40, 41]] {
        append(&world, seconds.map(|at| event("alice", at)).to_vec()).await;
    }
    let batches = world.store.sealed(writer, 0, 9).await.expect("batches are answered");
    let end = |batch: u64| match batch.checked_sub(1) {
        None => ChainEnd::start(writer),
        Some(place) => {
            let place = usize::try_from(place).expect("few");
            ChainEnd { writer, batch, event: batch * 2, link: batches[place].link }
        }
    };
    for (before, batch) in [(10, 0), (12, 0), (13, 1), (30, 1), (31, 3), (41, 3), (42, 4)] {
        assert_eq!(ends(&world, at(before)).await, [end(batch)], "before {before} s");
    }
    assert_eq!(ends(&world, Timestamp::MAX).await, [end(4)]);
    assert!(world.store.cuts().await.expect("cuts are answered").is_empty());
}

/// **C40** Erasing a subject blanks its events and its tombstones, up to a place, and no more.
pub async fn c40_a_subject_is_erased_and_nothing_else(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let alice = subject("alice");
    let full = sample::full_record(world.store.meta(), &alice);
    let (live, ended) = (world.insert(&full).await, Record { id: world.record(&alice).id, ..full });
    let ended = world.insert(&ended).await;
    let ended = world.end_at(&ended, at(3)).await;
    for turn in 0..70 {
        append(&world, vec![event("alice", turn), event("bob", turn)]).await;
    }
    let through = ends(&world, Timestamp::MAX).await;
    append(&world, vec![event("alice", 90)]).await;
    let marks = mark(&world, Action::SubjectErased, Some("alice"), &through).await;
    let before = world.events(&EventFilter::default()).await;
    let (unmarked, end) = (Marks::none(), through[0].event);
    assert_eq!(verify(&world, &unmarked).await.0, None);
    let erase = async || world.store.erase(Some(&alice), &through).await.expect("it is erased");
    assert_eq!(erase().await, 70);
    assert_eq!(erase().await, 0, "nothing is left");
    for (old, new) in before.iter().zip(world.events(&EventFilter::default()).await) {
        let mut expected = old.clone();
        if old.subject.as_ref() == Some(&alice) && old.number <= end {
            expected.blank();
        }
        assert_eq!(new, expected);
    }
    assert_eq!(world.get(live.id).await, live, "a live session needs what it has");
    let (client, profile) = (Client::default(), Profile::default());
    let blank = Record { client, profile, label: None, ..ended };
    assert_eq!(world.get(blank.id).await, blank, "a tombstone tells what happened, not to whom");
    assert_eq!(verify(&world, &marks).await.0, None);
    let first = before.iter().rev().find(|event| event.subject.as_ref() == Some(&alice));
    let bad = verify(&world, &unmarked).await.0.expect("unlisted");
    assert_eq!((bad.why, Some(bad.event)), (Flaw::Blank, first.map(|event| event.number)));
}

/// **C41** Erasing for everybody goes by place in the chain, and leaves records alone.
pub async fn c41_all_personal_parts_are_erased_by_age(fixture: &dyn Fixture) {
    let mut world = World::open(fixture).await;
    let ended = world.insert(&sample::full_record(world.store.meta(), &subject("alice"))).await;
    let ended = world.end_at(&ended, at(1)).await;
    for turn in 0..150 {
        append(&world, vec![event("alice", turn), event("bob", turn)]).await;
    }
    for (before, expected) in [(100, 200), (100, 0), (120, 40)] {
        let through = ends(&world, at(before)).await;
        let erased = world.store.erase(None, &through).await.expect("it is erased");
        assert_eq!(erased, expected, "older than {before} s");
        let marks = mark(&world, Action::PersonalExpired, None, &through).await;
        assert_eq!(verify(&world, &marks).await.0, None);
        if before == 100 {
            world = opened_again(world, fixture).await;
        }
    }
    let whole = EventFilter { ip: sample::client().ip, ..EventFilter::default() };
    let whole = world.events(&whole).await;
    assert_eq!(whole.iter().filter(|event| event.action == Action::StepUp).count(), 60);
    assert_eq!(world.get(ended.id).await, ended);
    let bad = verify(&world, &Marks::none()).await.0.expect("unlisted");
    assert_eq!((bad.why, bad.event), (Flaw::Blank, 1));
}

/// **C42** A chain that was cut verifies from a signed cut, and goes on, also when nothing is left.
pub async fn c42_a_chain_is_cut_and_goes_on(fixture: &dyn Fixture) {
    let mut world = World::open(fixture).await;
    let writer = world.store.meta().writer;
    for turn in 0..100 {
        append(&world, vec![event("alice", turn), event("bob", turn)]).await;
    }
    let unmarked = Marks::none();
    let mut left = 200;
    for (round, (before, expected)) in [(30, 60), (30, 0), (80, 100), (9999, 43)].iter().enumerate()
    {
        let through = ends(&world, at(*before)).await;
        let removed = world.store.cut(&through, &world.sealer).await.expect("it is cut");
        assert_eq!(removed, *expected, "older than {before} s");
        left -= removed;
        assert_eq!(world.events(&EventFilter::default()).await.len(), left);
        assert_eq!(verify(&world, &unmarked).await, (None, ends(&world, Timestamp::MAX).await[0]));
        assert_eq!(world.store.writers().await.expect("writers are answered"), [writer]);
        append(&world, vec![event("carol", 200 + round as u64)]).await;
        left += 1;
        world = opened_again(world, fixture).await;
    }
    let batches = world.store.sealed(writer, 0, 9).await.expect("batches are answered");
    assert_eq!(batches.iter().map(|batch| batch.number).collect::<Vec<_>>(), [104]);
    assert_eq!(batches[0].events[0].number, 204, "numbers go on");
    assert!(verify_chain(&world.sealer, 0, Link::START, &batches).is_err());
    let mut forged = world.store.cuts().await.expect("cuts are answered")[0];
    forged.end.event += 1;
    let mut walk = Walk::new(&world.sealer, &unmarked, &[], writer);
    assert_eq!(walk.resume(&forged).map_err(|broken| broken.why), Err(Flaw::Cut));
}
