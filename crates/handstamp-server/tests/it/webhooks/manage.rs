//! Adding, listing, changing, trying and removing webhooks.

use std::time::Duration;

use handstamp_core::store::Page;
use handstamp_protocol::webhooks::{DeliveryState, WebhookRequest, WebhookUpdate};
use handstamp_server::webhooks::WebhookError;

use super::receiver::{Receiver, Reply};
use super::world::{World, add, deliver, deliveries, secret};

#[tokio::test]
async fn b12_the_secret_is_told_once_and_a_webhook_is_listed_without_it() {
    let (world, receiver) = (World::new(), Receiver::start().await);
    let webhooks = world.webhooks();
    let first = add(&webhooks, &receiver, &["risk.*"]).await;
    let second = add(&webhooks, &receiver, &["*"]).await;
    assert!(secret(&first).starts_with("whsec_") && secret(&first) != secret(&second));
    let list = webhooks.list(&Page::default()).await.unwrap();
    let ids: Vec<_> = list.webhooks.iter().map(|webhook| webhook.id.as_str()).collect();
    assert_eq!(ids, [&first.id, &second.id]);
    assert!(list.webhooks.iter().all(|webhook| webhook.secret.is_none() && webhook.is_enabled));
    assert_eq!((&list.webhooks[0].events, list.next), (&vec!["risk.*".to_owned()], None));
    let page = webhooks.list(&Page::first(1)).await.unwrap();
    assert_eq!(page.next.as_ref(), Some(&first.id));
    let rest = Page { limit: 1, after: page.next };
    let rest = webhooks.list(&rest).await.unwrap();
    assert_eq!((rest.webhooks[0].id.as_str(), rest.next), (second.id.as_str(), None));
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_with_its_field() {
    let world = World::new();
    let webhooks = world.webhooks();
    let good =
        || WebhookRequest { url: "https://127.0.0.1/".into(), events: None, description: None };
    for (request, expected) in [
        (WebhookRequest { url: "nowhere".into(), ..good() }, "url"),
        (WebhookRequest { events: Some(vec!["session.dreamt".into()]), ..good() }, "events"),
        (WebhookRequest { description: Some("a".repeat(501)), ..good() }, "description"),
    ] {
        match webhooks.create(request).await {
            Err(WebhookError::Invalid { field, .. }) => assert_eq!(field, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
    for _ in 0..50 {
        webhooks.create(good()).await.unwrap();
    }
    assert!(matches!(webhooks.create(good()).await, Err(WebhookError::Full { most: 50 })));
}

#[tokio::test]
async fn b12_a_test_is_sent_at_once_and_its_answer_is_told() {
    let (world, receiver) = (World::new(), Receiver::start().await);
    let webhooks = world.webhooks();
    let webhook = add(&webhooks, &receiver, &["risk.*"]).await;
    let off = WebhookUpdate { is_enabled: Some(false), ..WebhookUpdate::default() };
    webhooks.update(&webhook.id, off).await.unwrap();
    receiver.script([Reply::Status(200), Reply::Status(418)]);
    let taken = webhooks.test(&webhook.id).await.unwrap().unwrap();
    assert_eq!((taken.delivered, taken.status, taken.error), (true, Some(200), None));
    let refused = webhooks.test(&webhook.id).await.unwrap().unwrap();
    assert_eq!((refused.delivered, refused.status), (false, Some(418)));
    assert_eq!(refused.error.as_deref(), Some("the receiver answered 418 I'm a teapot"));
    let heard = receiver.heard();
    assert!(heard.iter().all(|it| it.name() == "webhook.test"));
    assert!(heard.iter().all(|it| it.is_signed_with(&secret(&webhook))));
    assert_ne!(heard[0].id(), heard[1].id());
    assert_eq!(webhooks.test("wh_other").await.unwrap(), None);
}

#[tokio::test]
async fn b12_after_a_new_secret_both_sign_for_a_day() {
    let (world, receiver) = (World::new(), Receiver::start().await);
    let webhooks = world.webhooks();
    let webhook = add(&webhooks, &receiver, &["*"]).await;
    let rotated = webhooks.rotate_secret(&webhook.id).await.unwrap().unwrap();
    let (old, new) = (secret(&webhook), secret(&rotated));
    let mut dispatcher = webhooks.dispatcher();
    for seconds in [0, 86_399, 1] {
        world.advance(seconds);
        world.tell("step_up").await;
        deliver(&mut dispatcher, &world).await;
    }
    let heard = receiver.heard();
    assert!(heard.iter().all(|it| it.is_signed_with(&new)));
    let by_old: Vec<_> = heard.iter().map(|it| it.is_signed_with(&old)).collect();
    assert_eq!(by_old, [true, true, false]);
}

#[tokio::test]
async fn b12_signing_survives_a_rotated_key_ring_and_a_retired_key_is_said_to_be_the_cause() {
    let (world, receiver) = (World::new(), Receiver::start().await);
    let webhooks = world.webhooks();
    let webhook = add(&webhooks, &receiver, &["*"]).await;
    let mut dispatcher = webhooks.dispatcher();
    world.sessions.keys().rotate().unwrap();
    world.tell("step_up").await;
    deliver(&mut dispatcher, &world).await;
    assert!(receiver.heard()[0].is_signed_with(&secret(&webhook)));
    world.sessions.keys().retire(1).unwrap();
    world.tell("step_up").await;
    deliver(&mut dispatcher, &world).await;
    assert_eq!(receiver.count(), 1, "nothing leaves without a signature");
    let waiting = &deliveries(&webhooks, &webhook.id).await[0];
    assert!(waiting.last_error.as_deref().unwrap().contains("retired"), "{waiting:?}");
    assert!(matches!(webhooks.test(&webhook.id).await, Err(WebhookError::Secret(_))));
    let rotated = webhooks.rotate_secret(&webhook.id).await.unwrap().unwrap();
    world.advance(10);
    deliver(&mut dispatcher, &world).await;
    assert!(receiver.heard()[1].is_signed_with(&secret(&rotated)));
}

#[tokio::test]
async fn b12_a_delivery_that_is_over_is_sent_once_more_when_asked_for() {
    let (mut world, receiver) = (World::new(), Receiver::start().await);
    world.options.max_attempts = 1;
    let webhooks = world.webhooks();
    let webhook = add(&webhooks, &receiver, &["*"]).await;
    receiver.script([Reply::Status(500)]);
    world.tell("step_up").await;
    let mut dispatcher = webhooks.dispatcher();
    deliver(&mut dispatcher, &world).await;
    let failed = deliveries(&webhooks, &webhook.id).await.remove(0);
    assert_eq!(failed.state, DeliveryState::Failed);
    assert!(webhooks.retry(&webhook.id, &failed.id).await.unwrap());
    assert!(!webhooks.retry(&webhook.id, &failed.id).await.unwrap(), "it waits already");
    assert!(!webhooks.retry("wh_other", &failed.id).await.unwrap());
    deliver(&mut dispatcher, &world).await;
    let done = deliveries(&webhooks, &webhook.id).await.remove(0);
    assert_eq!((done.state, done.id), (DeliveryState::Delivered, failed.id));
    assert_eq!(receiver.heard()[0].id(), receiver.heard()[1].id());
}

#[tokio::test]
async fn b12_pages_of_deliveries_show_each_once_first_what_waits() {
    let (world, receiver) = (World::new(), Receiver::start().await);
    let webhooks = world.webhooks();
    let webhook = add(&webhooks, &receiver, &["*"]).await;
    let mut dispatcher = webhooks.dispatcher();
    world.tell_many("session.started", 5).await;
    deliver(&mut dispatcher, &world).await;
    receiver.otherwise(Reply::Status(500));
    world.tell_many("session.ended", 5).await;
    deliver(&mut dispatcher, &world).await;
    for limit in [1, 3, 5, 7, 10, 11] {
        let (mut all, mut page) = (Vec::new(), Page::first(limit));
        loop {
            let list = webhooks.deliveries(&webhook.id, &page).await.unwrap().unwrap();
            assert!(list.deliveries.len() <= limit);
            all.extend(list.deliveries);
            match list.next {
                Some(next) => page.after = Some(next),
                None => break,
            }
        }
        let states: Vec<_> = all.iter().map(|it| it.state.as_str()).collect();
        assert_eq!(states, [["waiting"; 5], ["delivered"; 5]].concat(), "pages of {limit}");
        let ids: std::collections::BTreeSet<_> = all.iter().map(|it| &it.id).collect();
        assert_eq!(ids.len(), 10);
    }
    for bad in ["", "x", "ä"] {
        let page = Page { limit: 1, after: Some(bad.into()) };
        let refused = webhooks.deliveries(&webhook.id, &page).await;
        assert!(matches!(refused, Err(WebhookError::Invalid { field: "cursor", .. })), "{bad:?}");
    }
}

#[tokio::test]
async fn deliveries_that_are_over_are_forgotten_in_time() {
    let (mut world, receiver) = (World::new(), Receiver::start().await);
    world.options.kept = Duration::from_secs(3600);
    let webhooks = world.webhooks();
    let webhook = add(&webhooks, &receiver, &["*"]).await;
    let mut dispatcher = webhooks.dispatcher();
    world.tell_many("step_up", 1200).await;
    deliver(&mut dispatcher, &world).await;
    world.advance(3599);
    deliver(&mut dispatcher, &world).await;
    let page = webhooks.deliveries(&webhook.id, &Page::first(1000)).await.unwrap().unwrap();
    assert!(page.next.is_some(), "all 1200 are still there");
    world.advance(60);
    deliver(&mut dispatcher, &world).await;
    assert!(deliveries(&webhooks, &webhook.id).await.is_empty());
}

#[tokio::test]
async fn b12_nothing_is_left_of_a_webhook_that_was_removed() {
    let (world, receiver) = (World::new(), Receiver::start().await);
    let webhooks = world.webhooks();
    let webhook = add(&webhooks, &receiver, &["*"]).await;
    let mut dispatcher = webhooks.dispatcher();
    receiver.script((0..3).map(|_| Reply::Status(500)));
    world.tell_many("step_up", 6).await;
    deliver(&mut dispatcher, &world).await;
    let heard = receiver.count();
    assert!(webhooks.remove(&webhook.id).await.unwrap());
    assert!(!webhooks.remove(&webhook.id).await.unwrap());
    assert!(webhooks.get(&webhook.id).await.unwrap().is_none());
    assert!(webhooks.deliveries(&webhook.id, &Page::default()).await.unwrap().is_none());
    world.advance(86_400);
    world.tell("step_up").await;
    deliver(&mut dispatcher, &world).await;
    assert_eq!(receiver.count(), heard);
    for shelf in ["webhook_waiting/", "webhook_over/"] {
        let shelf = format!("{shelf}{}", webhook.id);
        assert!(world.ledger.list(&shelf, "", &Page::default()).await.unwrap().entries.is_empty());
    }
    assert!(world.ledger.get("webhook_progress", &webhook.id).await.unwrap().is_none());
    let all = world.ledger.get("webhooks", "all").await.unwrap().unwrap();
    assert!(!all.body.contains(&webhook.id), "{}", &*all.body);
}

#[tokio::test]
async fn a_change_of_what_is_wanted_counts_from_then_on() {
    let (world, receiver) = (World::new(), Receiver::start().await);
    let webhooks = world.webhooks();
    let webhook = add(&webhooks, &receiver, &["risk.*"]).await;
    let mut dispatcher = webhooks.dispatcher();
    world.tell("step_up").await;
    deliver(&mut dispatcher, &world).await;
    let update = WebhookUpdate {
        events: Some(vec!["step_up".into()]),
        description: Some("to the\npager".into()),
        ..WebhookUpdate::default()
    };
    let changed = webhooks.update(&webhook.id, update).await.unwrap().unwrap();
    assert_eq!(changed.description.as_deref(), Some("to thepager"));
    assert_eq!(changed.url, webhook.url);
    world.tell("risk.a").await;
    world.tell("step_up").await;
    deliver(&mut dispatcher, &world).await;
    assert_eq!(receiver.count(), 1);
    assert!(webhooks.update("wh_other", WebhookUpdate::default()).await.unwrap().is_none());
}
