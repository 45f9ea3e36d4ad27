//! What was not taken is tried again, by the schedule and as the receiver asks.

use std::time::Duration;

use handstamp_core::time::Timestamp;
use handstamp_protocol::webhooks::{DeliveryState, DeliveryStatus, Webhook};
use handstamp_server::webhooks::{Dispatcher, WebhookOptions, Webhooks};

use super::receiver::{Receiver, Reply};
use super::world::{World, add, deliver, deliveries, secret};

struct Scene {
    world: World,
    receiver: Receiver,
    webhooks: Webhooks,
    webhook: Webhook,
    dispatcher: Dispatcher,
}

impl Scene {
    async fn with(max_attempts: u32) -> Self {
        let mut world = World::new();
        world.options = WebhookOptions { max_attempts, ..world.options };
        let (receiver, webhooks) = (Receiver::start().await, world.webhooks());
        let webhook = add(&webhooks, &receiver, &["*"]).await;
        let dispatcher = webhooks.dispatcher();
        Self { world, receiver, webhooks, webhook, dispatcher }
    }

    async fn deliver(&mut self) {
        deliver(&mut self.dispatcher, &self.world).await;
    }

    async fn only(&self) -> DeliveryStatus {
        let all = deliveries(&self.webhooks, &self.webhook.id).await;
        assert_eq!(all.len(), 1, "{all:?}");
        all[0].clone()
    }

    /// How long until the next try.
    async fn wait(&self) -> Duration {
        let next = self.only().await.next_attempt_at.unwrap();
        Timestamp::from_millis(next.as_millis()).since(self.world.now())
    }

    async fn webhook(&self) -> Webhook {
        self.webhooks.get(&self.webhook.id).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn b12_a_failure_is_tried_again_by_the_schedule_with_the_same_id_until_it_is_given_up() {
    let mut scene = Scene::with(10).await;
    scene.receiver.otherwise(Reply::Status(500));
    scene.world.tell("step_up").await;
    scene.deliver().await;
    for (tries, least) in (1..).zip([5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400])
    {
        let waiting = scene.only().await;
        assert_eq!((waiting.state.clone(), waiting.attempts), (DeliveryState::Waiting, tries));
        assert_eq!(waiting.last_status, Some(500));
        let (wait, least) = (scene.wait().await, Duration::from_secs(least));
        assert!(wait >= least && wait < least.mul_f64(1.2), "{wait:?} after {tries}");
        scene.world.clock.advance(wait - Duration::from_millis(1));
        scene.deliver().await;
        assert_eq!(scene.receiver.count(), tries as usize, "not a moment early");
        scene.world.clock.advance(Duration::from_millis(1));
        scene.deliver().await;
        assert_eq!(scene.receiver.count(), tries as usize + 1);
    }
    let over = scene.only().await;
    assert_eq!((over.state, over.attempts), (DeliveryState::Failed, 10));
    assert_eq!(over.last_error.as_deref(), Some("the receiver answered 500 Internal Server Error"));
    let heard = scene.receiver.heard();
    assert!(heard.iter().all(|it| it.id() == heard[0].id() && it.body == heard[0].body));
    assert!(heard.iter().all(|it| it.is_signed_with(&secret(&scene.webhook))));
    let times: Vec<_> = heard.iter().map(|it| it.header("webhook-timestamp").to_owned()).collect();
    assert!(times.is_sorted() && times[0] < times[1], "each try is signed with its own time");
}

#[tokio::test]
async fn b12_a_retry_that_is_taken_is_the_last() {
    let mut scene = Scene::with(10).await;
    scene.receiver.script([Reply::Status(503), Reply::Status(404), Reply::Status(202)]);
    scene.world.tell("step_up").await;
    for _ in 0..5 {
        scene.deliver().await;
        scene.world.advance(600);
    }
    assert_eq!(scene.receiver.count(), 3);
    let over = scene.only().await;
    assert_eq!((over.state, over.attempts), (DeliveryState::Delivered, 3));
    assert_eq!((over.last_status, over.last_error), (Some(202), None));
}

#[tokio::test]
async fn b12_gone_turns_a_webhook_off_and_nothing_more_is_sent() {
    let mut scene = Scene::with(10).await;
    scene.receiver.script([Reply::Status(410)]);
    scene.world.tell("step_up").await;
    scene.deliver().await;
    scene.world.tell("step_up").await;
    scene.world.advance(86_400);
    scene.deliver().await;
    assert_eq!(scene.receiver.count(), 1);
    let webhook = scene.webhook().await;
    assert!(!webhook.is_enabled);
    assert_eq!(webhook.disabled_reason.as_deref(), Some("the receiver answered 410 Gone"));
    assert_eq!(scene.only().await.state, DeliveryState::Failed);
}

#[tokio::test]
async fn b12_retry_after_is_respected_for_all_that_goes_to_the_receiver() {
    let mut scene = Scene::with(10).await;
    scene.receiver.script([Reply::With(429, "retry-after", "900".into())]);
    scene.world.tell("step_up").await;
    scene.deliver().await;
    assert_eq!(scene.wait().await, Duration::from_secs(900), "more than the schedule says");
    scene.world.tell("step_up").await;
    scene.world.advance(899);
    scene.deliver().await;
    assert_eq!(scene.receiver.count(), 1, "the other one waits too");
    scene.world.advance(1);
    scene.deliver().await;
    assert_eq!(scene.receiver.count(), 3);
}

#[tokio::test]
async fn b12_a_redirect_is_a_failure_and_is_not_followed() {
    let mut scene = Scene::with(1).await;
    let other = Receiver::start().await;
    scene.receiver.script([Reply::With(307, "location", other.url())]);
    scene.world.tell("step_up").await;
    scene.deliver().await;
    assert_eq!(other.count(), 0);
    let over = scene.only().await;
    assert_eq!((over.state, over.last_status), (DeliveryState::Failed, Some(307)));
}

#[tokio::test]
async fn b12_an_answer_without_end_is_not_read_to_its_end() {
    let mut scene = Scene::with(10).await;
    scene.receiver.script([Reply::Endless]);
    scene.world.tell("step_up").await;
    scene.deliver().await;
    assert_eq!(scene.only().await.state, DeliveryState::Delivered);
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_said_to_be_so() {
    let mut scene = Scene::with(1).await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = Some(format!("http://{free}/"));
    let update = handstamp_protocol::webhooks::WebhookUpdate { url, ..Default::default() };
    scene.webhooks.update(&scene.webhook.id, update).await.unwrap();
    scene.world.tell("step_up").await;
    scene.deliver().await;
    let error = scene.only().await.last_error.unwrap();
    assert!(error.starts_with("no connection: "), "{error}");
}

#[tokio::test]
async fn b12_a_receiver_that_never_answers_is_given_up_in_time() {
    let mut scene = Scene::with(1).await;
    scene.world.options.timeout = Duration::from_millis(50);
    scene.dispatcher = scene.world.webhooks().dispatcher();
    scene.receiver.script([Reply::Held]);
    scene.world.tell("step_up").await;
    scene.deliver().await;
    assert_eq!(scene.only().await.last_error.as_deref(), Some("no answer within 0.05 s"));
}

#[tokio::test]
async fn b12_three_days_of_failures_turn_a_webhook_off_and_on_again_it_goes_on_where_it_stopped() {
    let mut scene = Scene::with(100).await;
    scene.receiver.otherwise(Reply::Status(500));
    scene.world.tell("session.started").await;
    scene.deliver().await;
    let since = scene.webhook().await.failing_since.unwrap();
    while scene.webhook().await.is_enabled {
        scene.world.advance(3600);
        scene.deliver().await;
    }
    let took = scene.world.now().as_millis() - since.as_millis();
    assert!((3 * 86_400_000..5 * 86_400_000).contains(&took), "{took} ms");
    let webhook = scene.webhook().await;
    assert_eq!(webhook.disabled_reason.as_deref(), Some("nothing but failures for three days"));

    scene.world.tell("session.ended").await;
    scene.receiver.forget();
    scene.world.advance(86_400);
    scene.deliver().await;
    assert_eq!(scene.receiver.count(), 0);
    scene.receiver.otherwise(Reply::Status(200));
    let on = handstamp_protocol::webhooks::WebhookUpdate {
        is_enabled: Some(true),
        ..Default::default()
    };
    let webhook = scene.webhooks.update(&scene.webhook.id, on).await.unwrap().unwrap();
    assert_eq!((webhook.disabled_reason, webhook.failing_since), (None, None));
    scene.deliver().await;
    let mut names: Vec<_> = scene.receiver.heard().iter().map(|heard| heard.name()).collect();
    names.sort();
    assert_eq!(names, ["session.ended", "session.started"]);
}
