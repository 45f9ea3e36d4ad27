//! C01–C03: loading.

use super::fixture::Fixture;
use super::sample::{self, at, subject};
use super::world::World;
use crate::head::Head;
use crate::record::Record;
use crate::roles::Roles;
use crate::store::{Found, HeadChange, HeadTarget};

/// **C01** `load` answers in the order asked for, repeats and absences included.
pub async fn c01_load_answers_in_the_order_asked(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let (a, b) = (world.begin(&subject("a")).await, world.begin(&subject("b")).await);
    let nobody = world.anonymous().id;
    let ids = [b.id, nobody, a.id, b.id];
    let found: Vec<_> = world
        .load(&ids)
        .await
        .found
        .into_iter()
        .map(|found| match found {
            Found::Record(loaded) => Some(loaded.record.id),
            Found::Missing => None,
            Found::Corrupt(why) => panic!("nothing is damaged: {why}"),
        })
        .collect();
    assert_eq!(found, [Some(b.id), None, Some(a.id), Some(b.id)]);
    assert!(world.load(&[]).await.found.is_empty(), "nothing asked, nothing answered");
}

/// **C02** What was applied is read back unchanged, with the heads of that moment.
pub async fn c02_what_was_applied_is_read_back_unchanged(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let alice = subject("alice \u{1f469} 'x\" %_");
    for record in [sample::full_record(world.store.meta(), &alice), world.record(&alice)] {
        inserted_and_replaced(&world, record).await;
    }
    inserted_and_replaced(&world, world.anonymous()).await;
    heads_are_those_of_the_moment(&world).await;
}

async fn inserted_and_replaced(world: &World, mut record: Record) {
    let group = sample::insert(&record);
    (record.version, record.change_id) = (1, group.change_id);
    world.one(group).await;
    assert_eq!(world.get(record.id).await, record, "as inserted");
    record = differing(world, record);
    let group = sample::replace(&record);
    (record.version, record.change_id) = (2, group.change_id);
    world.one(group).await;
    assert_eq!(world.get(record.id).await, record, "as replaced");
    record.end(sample::end(at(100)));
    let group = sample::replace(&record);
    (record.version, record.change_id) = (3, group.change_id);
    world.one(group).await;
    assert_eq!(world.get(record.id).await, record, "as ended");
}

/// `record` with every other field from a sample that differs in it.
fn differing(world: &World, record: Record) -> Record {
    let name = subject("x");
    let full = sample::full_record(world.store.meta(), &name);
    let other = if record.label.is_none() { full } else { world.record(&name) };
    Record {
        id: record.id,
        version: record.version,
        subject: record.subject,
        created_at: record.created_at,
        last_seen: at(50),
        ..other
    }
}

async fn heads_are_those_of_the_moment(world: &World) {
    let (bob, eve) = (subject("bob"), subject("eve"));
    let (record, nobody) = (world.begin(&bob).await, world.insert(&world.anonymous()).await);
    let roles = Some(Some(Roles::new(["reader"]).expect("a role")));
    let change =
        HeadChange { roles: roles.clone(), ..HeadChange::of(HeadTarget::Subject(bob.clone())) };
    let applied = world.change(change).await;
    world.change(sample::bump(&bob)).await;
    world.change(sample::bump_deployment()).await;
    let answer = world.load(&[record.id, nobody.id]).await;
    assert_eq!(
        answer.deployment.epoch,
        sample::moved_epoch(),
        "the deployment's head is of this moment"
    );
    let head = world.loaded(record.id).await.head.expect("a subject has a head");
    assert_eq!(Some(head.roles.clone()), roles);
    assert_eq!(head.moved, sample::bump(&bob).bump_epoch, "why the epoch moved is kept");
    assert_eq!((head.version, head.epoch), (2, 1));
    assert_eq!(applied.head.map(|head| head.version), Some(1));
    assert_eq!(world.loaded(nobody.id).await.head, None, "nobody has no head");
    let heads = world.store.heads(&[eve.clone(), bob.clone(), eve.clone()]).await;
    let new = Head::new(eve);
    assert_eq!(heads.expect("heads are answered"), [new.clone(), head, new]);
}

/// **C03** A record that cannot be read is said to be so, and the others are served. Shown where
/// the fixture can damage one.
pub async fn c03_a_record_that_cannot_be_read_spoils_no_other(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let alice = subject("alice");
    let (bad, good) = (world.begin(&alice).await, world.begin(&alice).await);
    if !fixture.damage(&world.store, bad.id).await {
        return;
    }
    let found = world.load(&[bad.id, good.id]).await.found;
    assert!(matches!(&found[0], Found::Corrupt(why) if !why.is_empty()), "{:?}", found[0]);
    assert_eq!(world.get(good.id).await, good);
    assert!(world.listed(&alice, true).await.contains(&good.id), "lists go on as well");
}
