//! C14–C16: heads.

use super::fixture::Fixture;
use super::replaces::only_ends;
use super::sample::{self, at, subject};
use super::world::{World, is_applied};
use crate::head::Head;
use crate::id::Subject;
use crate::record::Record;
use crate::store::{Group, Outcome, Refusal};

/// **C14** The head's live count follows what begins and ends.
pub async fn c14_the_live_count_follows(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let alice = subject("alice");
    let old = [world.begin(&alice).await, world.begin(&alice).await, world.begin(&alice).await];
    counts(&world, &alice, 3, "three began").await;
    world.one(sample::replace(&old[0])).await;
    counts(&world, &alice, 3, "a change is no beginning").await;
    world.end_at(&old[0], at(1)).await;
    counts(&world, &alice, 2, "one ended").await;
    world.change(sample::disable(&alice, true)).await;
    world.try_one(sample::insert(&world.record(&alice))).await;
    world.change(sample::disable(&alice, false)).await;
    counts(&world, &alice, 2, "one was refused").await;
    world.change(sample::bump(&alice)).await;
    counts(&world, &alice, 0, "the epoch moved").await;
    let new = world.begin(&alice).await;
    world.end_at(&old[1], at(2)).await;
    counts(&world, &alice, 1, "the end of one of an earlier epoch").await;
    world.change(sample::bump_deployment()).await;
    counts(&world, &alice, 0, "the deployment's epoch moved").await;
    world.begin(&alice).await;
    world.end_at(&new, at(3)).await;
    world.end_at(&old[2], at(3)).await;
    counts(&world, &alice, 1, "the end of one of the deployment's earlier epoch").await;
}

async fn counts(world: &World, subject: &Subject, live: u32, when: &str) {
    assert_eq!(world.head(subject).await.live, live, "{when}");
}

/// **C15** A head change comes before its group's record change, and spares who adopts it.
pub async fn c15_a_head_change_comes_first_and_spares_who_adopts(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let alice = subject("alice");
    let (dead, other, own) =
        (world.begin(&alice).await, world.begin(&alice).await, world.begin(&alice).await);
    let keeps = Group { head: Some(sample::bump(&alice)), ..sample::replace(&own) };
    assert_eq!(world.try_one(keeps).await, Outcome::Refused(Refusal::Epoch), "it does not adopt");
    assert_eq!(world.head(&alice).await.epoch, 0, "and then the epoch has not moved");
    let applied = world.one(sample::adopt(&own, sample::bump(&alice))).await;
    let own = world.get(own.id).await;
    assert_eq!((own.epoch, applied.epoch, applied.version), (1, 1, 2));
    let head = world.head(&alice).await;
    assert_eq!((head.epoch, head.live), (1, 1), "the one that is spared counts");
    assert_eq!(applied.head, Some(head));
    only_ends(&world, &other, Refusal::Epoch).await;
    let revived = world.try_one(sample::adopt(&dead, sample::bump(&alice))).await;
    assert_eq!(revived, Outcome::Refused(Refusal::Epoch), "who was dead is not spared");
    adopting_ends(&world, &alice, own).await;
    begins_after_the_change(&world).await;
}

async fn adopting_ends(world: &World, subject: &Subject, own: Record) {
    let ended = Record { ended: Some(sample::end(at(9))), ..own };
    world.one(sample::adopt(&ended, sample::bump(subject))).await;
    let head = world.head(subject).await;
    assert_eq!((head.epoch, head.live), (2, 0), "who ends is not counted");
}

async fn begins_after_the_change(world: &World) {
    let bob = subject("bob");
    world.change(sample::disable(&bob, true)).await;
    let record = world.record(&bob);
    let enables = Group { head: Some(sample::disable(&bob, false)), ..sample::insert(&record) };
    assert!(is_applied(&world.try_one(enables).await), "the flag is lowered first");
    let next = world.record(&bob);
    let moves = Group { head: Some(sample::bump(&bob)), ..sample::insert_within(&next, Some(1)) };
    assert!(is_applied(&world.try_one(moves).await), "the epoch moves first and makes room");
    assert_eq!((world.get(next.id).await.epoch, world.head(&bob).await.live), (1, 1));
}

/// **C16** What a head has ended stays ended; what it has disabled waits until it is enabled.
pub async fn c16_what_a_head_has_ended_stays_ended(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let (alice, bob) = (subject("alice"), subject("bob"));
    let old = [world.begin(&alice).await, world.begin(&alice).await];
    let theirs = world.begin(&bob).await;
    world.change(sample::bump(&alice)).await;
    world.change(sample::bump(&alice)).await;
    let new = world.begin(&alice).await;
    for record in &old {
        only_ends(&world, record, Refusal::Epoch).await;
    }
    for record in [&new, &theirs] {
        world.one(sample::replace(record)).await;
    }
    world.change(sample::disable(&alice, true)).await;
    let new = world.get(new.id).await;
    let outcome = world.try_one(sample::replace(&new)).await;
    assert_eq!(outcome, Outcome::Refused(Refusal::Disabled));
    world.change(sample::disable(&alice, false)).await;
    world.one(sample::replace(&new)).await;
    world.change(sample::bump_deployment()).await;
    for record in [world.get(new.id).await, world.get(theirs.id).await] {
        only_ends(&world, &record, Refusal::Epoch).await;
    }
    no_epoch_is_given_out_again(&world).await;
    head_changes_meet_at_the_head(&world).await;
}

/// By the second of each move, an epoch is none that was there since a backup was made; by one, none
/// that was there within that second.
async fn no_epoch_is_given_out_again(world: &World) {
    let first = sample::moved_epoch();
    let ids = [world.begin(&subject("ida")).await.id];
    assert_eq!(world.load(&ids).await.deployment.epoch, first);
    world.change(sample::bump_deployment()).await;
    assert_eq!(world.load(&ids).await.deployment.epoch, first + 1);
}

/// Changes of one head from many tasks are all made, each a version.
async fn head_changes_meet_at_the_head(world: &World) {
    let eve = subject("eve");
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let (world, change) = (world.clone(), sample::bump(&eve));
            tokio::spawn(async move { world.change(change).await.epoch })
        })
        .collect();
    let mut epochs = Vec::new();
    for task in tasks {
        epochs.push(task.await.expect("a task"));
    }
    epochs.sort_unstable();
    assert_eq!(epochs, (1..=10).collect::<Vec<_>>(), "each change answers its own epoch");
    let Head { version, epoch, .. } = world.head(&eve).await;
    assert_eq!((version, epoch), (10, 10));
}
