//! The program is killed at the worst moment, every one of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use handstamp_core::KeyRing;
use handstamp_core::ledger::MemoryLedger;
use handstamp_core::store::MemoryStore;
use handstamp_protocol::webhooks::DeliveryState;

use super::journal::{Break, Journal};
use super::receiver::{Receiver, Reply};
use super::world::{World, add, deliver, deliveries};

/// How many events are told; each takes three writes.
const EVENTS: usize = 3;

/// How long until the claim of a dispatcher that is gone runs out.
const CLAIM: u64 = 41;

struct Outcome {
    is_broken: bool,
    heard: BTreeMap<String, usize>,
}

/// Tells events, is cut off from the ledger after `writes`, and begins again.
async fn killed_after(writes: usize, kind: Break) -> Outcome {
    let (ledger, receiver) = (MemoryLedger::new(), Receiver::start().await);
    receiver.script([Reply::Status(500)]);
    let keys = KeyRing::generate().unwrap();
    let world = World::over(MemoryStore::new(), ledger.clone(), keys, Journal::new());
    let webhook = add(&world.webhooks(), &receiver, &["*"]).await;
    for _ in 0..EVENTS {
        world.tell("step_up").await;
    }
    let cut = Journal::over(ledger, writes, kind);
    let mut dispatcher = world.webhooks_over(Arc::new(cut.clone())).dispatcher();
    for _ in 0..EVENTS {
        let _ = dispatcher.pass().await;
        dispatcher.settle().await;
    }
    drop(dispatcher);
    let webhooks = world.webhooks();
    let mut dispatcher = webhooks.dispatcher();
    for _ in 0..3 {
        deliver(&mut dispatcher, &world).await;
        world.advance(CLAIM);
    }
    let all = deliveries(&webhooks, &webhook.id).await;
    assert_eq!(all.len(), EVENTS, "after {writes} writes, {kind:?}");
    assert!(all.iter().all(|it| it.state == DeliveryState::Delivered), "{writes} {all:?}");
    let mut heard = BTreeMap::new();
    receiver.heard().iter().for_each(|it| *heard.entry(it.id()).or_default() += 1);
    Outcome { is_broken: cut.is_broken(), heard }
}

#[tokio::test]
async fn b12_whatever_write_was_the_last_nothing_is_lost_and_only_what_was_open_comes_twice() {
    for kind in [Break::Before, Break::After] {
        let mut writes = 1;
        loop {
            let Outcome { is_broken, heard } = killed_after(writes, kind).await;
            assert_eq!(heard.len(), EVENTS, "after {writes} writes, {kind:?}");
            // One was refused once; beside that, at most what was on its way comes again.
            let again: usize = heard.values().map(|count| count - 1).sum();
            assert!(again <= 1 + EVENTS, "{again} after {writes} writes, {kind:?}");
            if !is_broken {
                assert!(writes > 2 * EVENTS && again == 1, "{writes} writes, {again} again");
                break;
            }
            writes += 1;
        }
    }
}

#[tokio::test]
async fn b12_what_was_on_its_way_when_the_program_was_killed_is_sent_again_with_its_id() {
    let (world, receiver) = (World::new(), Receiver::start().await);
    let webhooks = world.webhooks();
    add(&webhooks, &receiver, &["*"]).await;
    receiver.script([Reply::Held]);
    world.tell("step_up").await;
    let mut killed = webhooks.dispatcher();
    killed.pass().await.unwrap();
    receiver.hears(1).await;
    drop(killed);
    let mut next = webhooks.dispatcher();
    deliver(&mut next, &world).await;
    assert_eq!(receiver.count(), 1, "it may still arrive");
    world.advance(CLAIM);
    deliver(&mut next, &world).await;
    let [first, second] = &receiver.heard()[..] else { panic!("heard {}", receiver.count()) };
    assert_eq!(first.id(), second.id());
}
