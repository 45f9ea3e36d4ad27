//! One receiver's trouble is nobody else's.

use handstamp_core::ledger::Put;
use tokio::sync::oneshot;

use super::receiver::{Receiver, Reply};
use super::world::{World, add, deliver};

#[tokio::test]
async fn b12_a_receiver_that_does_not_answer_delays_nobody_else() {
    let world = World::new();
    let (slow, quick) = (Receiver::start().await, Receiver::start().await);
    slow.otherwise(Reply::Held);
    let webhooks = world.webhooks();
    add(&webhooks, &slow, &["*"]).await;
    add(&webhooks, &quick, &["*"]).await;
    let (stop, stopped) = oneshot::channel::<()>();
    let running = webhooks.dispatcher().run(async {
        let _ = stopped.await;
    });
    world.tell_many("step_up", 100).await;
    let running = tokio::spawn(running);
    quick.hears(100).await;
    assert_eq!(slow.count(), 4, "as many at once as one receiver gets");
    slow.let_go();
    slow.hears(100).await;
    stop.send(()).unwrap();
    running.await.unwrap();
    assert_eq!((slow.count(), quick.count()), (100, 100));
}

#[tokio::test]
async fn what_cannot_be_read_of_one_webhook_stops_no_other() {
    let (world, one, other) = (World::new(), Receiver::start().await, Receiver::start().await);
    let webhooks = world.webhooks();
    let first = add(&webhooks, &one, &["*"]).await;
    let second = add(&webhooks, &other, &["*"]).await;
    for webhook in [&first, &second] {
        let shelf = format!("webhook_waiting/{}", webhook.id);
        let damaged = Put::new(&shelf, "damaged", "no delivery").unwrap().due(world.now());
        assert!(world.ledger.write(vec![damaged]).await.unwrap().is_applied());
        world.tell("step_up").await;
        let mut dispatcher = webhooks.dispatcher();
        assert!(dispatcher.pass().await.is_err(), "it is told");
        dispatcher.settle().await;
        assert_eq!(one.count() + other.count(), 1);
        let removal = Put::removal(&shelf, "damaged");
        assert!(world.ledger.write(vec![removal]).await.unwrap().is_applied());
        deliver(&mut webhooks.dispatcher(), &world).await;
        assert_eq!((one.count(), other.count()), (1, 1));
        one.forget();
        other.forget();
    }
}

#[tokio::test]
async fn b12_a_receiver_that_is_gone_delays_nobody_else() {
    let world = World::new();
    let (bad, good) = (Receiver::start().await, Receiver::start().await);
    bad.otherwise(Reply::Status(500));
    let webhooks = world.webhooks();
    add(&webhooks, &bad, &["*"]).await;
    add(&webhooks, &good, &["*"]).await;
    let mut dispatcher = webhooks.dispatcher();
    for _ in 0..5 {
        world.tell_many("step_up", 300).await;
        deliver(&mut dispatcher, &world).await;
    }
    assert_eq!(good.count(), 1500);
    assert_eq!(bad.count(), 256, "and it gets no more than fits its window");
}
