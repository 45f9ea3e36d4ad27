//! What happens is told, signed, to those who want it.

use std::sync::Arc;

use handstamp_core::{KeyRing, Subject};
use handstamp_protocol::Time;
use handstamp_protocol::webhooks::{Delivery, DeliveryState};
use handstamp_sqlite::SqliteStore;
use serde_json::json;

use super::journal::Journal;
use super::receiver::Receiver;
use super::world::{START, World, add, deliver, deliveries, secret};

#[tokio::test]
async fn b12_an_event_is_told_once_signed_as_standard_webhooks_say() {
    let (world, receiver) = (World::new(), Receiver::start().await);
    let webhooks = world.webhooks();
    let webhook = add(&webhooks, &receiver, &["*"]).await;
    world.tell("session.started").await;
    let mut dispatcher = webhooks.dispatcher();
    deliver(&mut dispatcher, &world).await;
    deliver(&mut dispatcher, &world).await;

    let [heard] = &receiver.heard()[..] else { panic!("heard {}", receiver.count()) };
    assert!(heard.is_signed_with(&secret(&webhook)));
    assert_eq!(heard.header("webhook-timestamp"), START.as_seconds().to_string());
    assert_eq!(heard.header("content-type"), "application/json");
    assert!(heard.id().starts_with("msg_") && !heard.id().contains('.'));
    let [done] = &deliveries(&webhooks, &webhook.id).await[..] else { panic!("one delivery") };
    assert_eq!((done.state.clone(), done.attempts), (DeliveryState::Delivered, 1));
    assert_eq!(done.last_status, Some(204));
    assert_eq!(done.message_id, heard.id());
    assert_eq!(done.next_attempt_at, None);
}

#[tokio::test]
async fn f11_a_suspicious_sign_in_is_told_with_who_and_where_and_without_any_token() {
    let (world, receiver) = (World::new(), Receiver::start().await);
    let webhooks = world.webhooks();
    add(&webhooks, &receiver, &["risk.*"]).await;
    world.tell("risk.new_country").await;
    deliver(&mut webhooks.dispatcher(), &world).await;

    let told: Delivery = serde_json::from_slice(&receiver.heard()[0].body).unwrap();
    assert_eq!(told.name, "risk.new_country");
    assert_eq!(told.timestamp, Time::from_millis(START.as_millis()));
    let line = told.data;
    assert_eq!(line.subject.as_deref(), Some("ada"));
    assert_eq!(line.ip_address, Some("203.0.113.7".parse().unwrap()));
    assert_eq!(line.device_info.as_deref(), Some("Firefox on Linux"));
    assert_eq!(line.location.unwrap().country.as_deref(), Some("DE"));
    assert_eq!(line.details.unwrap().0["turn"], 0);
    assert!(line.success);
}

#[tokio::test]
async fn b12_a_real_sign_in_is_told_and_its_token_is_not() {
    let (world, receiver) = (World::new(), Receiver::start().await);
    let webhooks = world.webhooks();
    add(&webhooks, &receiver, &["session.*"]).await;
    let begun = world.sessions.begin("ada").await.unwrap();
    deliver(&mut webhooks.dispatcher(), &world).await;

    let [heard] = &receiver.heard()[..] else { panic!("heard {}", receiver.count()) };
    let data = &heard.json()["data"];
    assert_eq!(heard.name(), "session.started");
    assert_eq!(data["session_id"], begun.record.id.to_string());
    assert_eq!(data["owasp_name"], "session_created");
    let body = String::from_utf8(heard.body.to_vec()).unwrap();
    assert!(!body.contains(begun.token.to_text().as_str()));
}

#[tokio::test]
async fn b12_an_erasure_is_told_and_what_waited_for_it_has_lost_what_was_personal() {
    let (world, receiver) = (World::new(), Receiver::start().await);
    let webhooks = world.webhooks();
    add(&webhooks, &receiver, &["session.started", "subject.erased"]).await;
    world.tell("session.started").await;
    let ada = Subject::new("ada").unwrap();
    world.sessions.erase_subject(&ada, Some("operator")).await.unwrap();
    deliver(&mut webhooks.dispatcher(), &world).await;

    let mut heard: Vec<_> = receiver.heard().iter().map(|heard| heard.json()).collect();
    heard.sort_by_key(|told| told["type"].to_string());
    let [started, erased] = &heard[..] else { panic!("heard {heard:?}") };
    assert_eq!(
        (&started["type"], &erased["type"]),
        (&json!("session.started"), &json!("subject.erased"))
    );
    assert_eq!(
        (&erased["data"]["subject"], &erased["data"]["actor"]),
        (&json!("ada"), &json!("operator"))
    );
    for personal in ["ip_address", "user_agent", "device_info", "location"] {
        assert!(started["data"][personal].is_null(), "{started}");
    }
}

#[tokio::test]
async fn b12_only_what_is_wanted_is_told_and_only_from_when_it_was_wanted() {
    let (world, receiver) = (World::new(), Receiver::start().await);
    let webhooks = world.webhooks();
    for name in ["risk.before", "session.ended", "risk.before_too"] {
        world.tell(name).await;
    }
    add(&webhooks, &receiver, &["risk.*", "session.ended"]).await;
    for name in ["risk.a", "session.started", "session.ended", "step_up"] {
        world.tell(name).await;
    }
    deliver(&mut webhooks.dispatcher(), &world).await;
    let mut names: Vec<_> = receiver.heard().iter().map(|heard| heard.name()).collect();
    names.sort();
    assert_eq!(names, ["risk.a", "session.ended"]);
}

#[tokio::test]
async fn an_event_has_the_same_message_id_for_every_webhook_and_secrets_of_their_own() {
    let (world, one, other) = (World::new(), Receiver::start().await, Receiver::start().await);
    let webhooks = world.webhooks();
    let first = add(&webhooks, &one, &["*"]).await;
    let second = add(&webhooks, &other, &["*"]).await;
    world.tell("step_up").await;
    deliver(&mut webhooks.dispatcher(), &world).await;
    let (one, other) = (&one.heard()[0], &other.heard()[0]);
    assert_eq!(one.id(), other.id());
    assert!(one.is_signed_with(&secret(&first)) && !one.is_signed_with(&secret(&second)));
    assert!(other.is_signed_with(&secret(&second)));
}

#[tokio::test]
async fn b12_a_thousand_events_of_one_batch_are_told_each_once() {
    let (world, receiver) = (World::new(), Receiver::start().await);
    let webhooks = world.webhooks();
    add(&webhooks, &receiver, &["step_up"]).await;
    world.tell_many("step_up", 1000).await;
    deliver(&mut webhooks.dispatcher(), &world).await;
    let mut ids: Vec<_> = receiver.heard().iter().map(|heard| heard.id()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((receiver.count(), ids.len()), (1000, 1000));
}

#[tokio::test]
async fn b12_two_dispatchers_over_one_ledger_tell_each_event_once() {
    let (world, receiver) = (World::new(), Receiver::start().await);
    let (one, other) = (world.webhooks(), world.webhooks());
    add(&one, &receiver, &["*"]).await;
    let (mut one, mut other) = (one.dispatcher(), other.dispatcher());
    for _ in 0..20 {
        world.tell_many("step_up", 7).await;
        let (first, second) = tokio::join!(one.pass(), other.pass());
        first.unwrap();
        second.unwrap();
    }
    deliver(&mut one, &world).await;
    deliver(&mut other, &world).await;
    let mut ids: Vec<_> = receiver.heard().iter().map(|heard| heard.id()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((receiver.count(), ids.len()), (140, 140));
}

#[tokio::test]
async fn b12_what_was_not_told_before_the_program_ended_is_told_by_the_next() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let (path, keys) = (folder.path().join("sessions.db"), KeyRing::generate().unwrap());
    let world = |store: &Arc<SqliteStore>| {
        World::over(Arc::clone(store), Arc::clone(store), keys.clone(), Journal::new())
    };
    let told = {
        let store = Arc::new(SqliteStore::open(&path).await.unwrap());
        let world = world(&store);
        let webhooks = world.webhooks();
        let webhook = add(&webhooks, &receiver, &["*"]).await;
        world.tell("session.started").await;
        deliver(&mut webhooks.dispatcher(), &world).await;
        world.tell("session.ended").await;
        webhook
    };
    let store = Arc::new(SqliteStore::open(&path).await.unwrap());
    let world = world(&store);
    deliver(&mut world.webhooks().dispatcher(), &world).await;
    let names: Vec<_> = receiver.heard().iter().map(|heard| heard.name()).collect();
    assert_eq!(names, ["session.started", "session.ended"]);
    assert!(receiver.heard()[1].is_signed_with(&secret(&told)));
}

#[tokio::test]
async fn a_running_dispatcher_is_woken_and_stops_when_told() {
    let (world, receiver) = (World::new(), Receiver::start().await);
    let webhooks = world.webhooks();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = webhooks.dispatcher().run(async {
        let _ = stopped.await;
    });
    let running = tokio::spawn(running);
    add(&webhooks, &receiver, &["*"]).await;
    for count in 1..4 {
        world.sessions.begin("ada").await.unwrap();
        receiver.hears(count).await;
    }
    stop.send(()).unwrap();
    running.await.unwrap();
}
