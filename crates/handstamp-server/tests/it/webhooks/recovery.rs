//! A receiver that was away and is back.

use handstamp_protocol::webhooks::DeliveryState;

use super::receiver::{Receiver, Reply};
use super::world::{World, add, deliver, deliveries};

#[tokio::test]
async fn b12_when_a_receiver_is_back_what_waits_comes_at_once() {
    let (world, receiver) = (World::new(), Receiver::start().await);
    let webhooks = world.webhooks();
    let webhook = add(&webhooks, &receiver, &["*"]).await;
    let mut dispatcher = webhooks.dispatcher();
    receiver.otherwise(Reply::Status(500));
    world.tell_many("session.started", 20).await;
    for seconds in [0, 10, 400, 2_200] {
        world.advance(seconds);
        deliver(&mut dispatcher, &world).await;
    }
    assert_eq!(receiver.count(), 80, "each was tried four times and waits for two hours");
    receiver.otherwise(Reply::Status(200));
    receiver.forget();
    world.tell("session.ended").await;
    deliver(&mut dispatcher, &world).await;
    assert_eq!(receiver.count(), 21);
    let all = deliveries(&webhooks, &webhook.id).await;
    assert!(all.iter().all(|it| it.state == DeliveryState::Delivered));
    assert_eq!(webhooks.get(&webhook.id).await.unwrap().unwrap().failing_since, None);
}

#[tokio::test]
async fn b12_what_a_receiver_never_takes_keeps_its_schedule_beside_what_it_takes() {
    let (world, receiver) = (World::new(), Receiver::start().await);
    let webhooks = world.webhooks();
    let webhook = add(&webhooks, &receiver, &["*"]).await;
    let mut dispatcher = webhooks.dispatcher();
    // The first event is poison; the receiver takes every other one.
    receiver.script([Reply::Status(500)]);
    world.tell("risk.poison").await;
    deliver(&mut dispatcher, &world).await;
    for _ in 0..10 {
        // Taken, whereupon the poison is tried early, and refused.
        receiver.script([Reply::Status(200), Reply::Status(500)]);
        world.tell("step_up").await;
        deliver(&mut dispatcher, &world).await;
    }
    let poison: Vec<_> =
        receiver.heard().into_iter().filter(|it| it.name() == "risk.poison").collect();
    assert_eq!(poison.len(), 2, "once by the schedule, once early");
    let all = deliveries(&webhooks, &webhook.id).await;
    let waiting = all.iter().find(|it| it.event == "risk.poison").unwrap();
    assert_eq!((waiting.state.clone(), waiting.attempts), (DeliveryState::Waiting, 1));
}

#[tokio::test]
async fn b12_a_long_absence_costs_a_bounded_number_of_entries_and_loses_nothing() {
    let (world, receiver) = (World::new(), Receiver::start().await);
    let webhooks = world.webhooks();
    let webhook = add(&webhooks, &receiver, &["*"]).await;
    let mut dispatcher = webhooks.dispatcher();
    receiver.otherwise(Reply::Status(502));
    for _ in 0..10 {
        world.tell_many("step_up", 100).await;
        deliver(&mut dispatcher, &world).await;
    }
    assert_eq!(deliveries(&webhooks, &webhook.id).await.len(), 256);
    for seconds in [10, 400, 2_200] {
        world.advance(seconds);
        deliver(&mut dispatcher, &world).await;
    }
    receiver.forget();
    for _ in 0..6 {
        world.advance(600);
        deliver(&mut dispatcher, &world).await;
    }
    assert_eq!(receiver.count(), 6, "every ten minutes it is asked whether it is back");
    receiver.otherwise(Reply::Status(200));
    receiver.forget();
    world.advance(600);
    deliver(&mut dispatcher, &world).await;
    let mut ids: Vec<_> = receiver.heard().iter().map(|heard| heard.id()).collect();
    ids.sort();
    ids.dedup();
    // The six that were asked with before keep their schedule.
    assert_eq!((receiver.count(), ids.len()), (994, 994));
    world.advance(86_400);
    deliver(&mut dispatcher, &world).await;
    assert_eq!(receiver.count(), 1000);
}
