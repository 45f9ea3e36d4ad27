//! One receiver's trouble is nobody else's.

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
