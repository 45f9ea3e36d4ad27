//! A webhook reaches nothing that its maker could not reach anyway.

use handstamp_protocol::webhooks::{DeliveryState, WebhookRequest, WebhookUpdate};
use handstamp_server::webhooks::{WebhookError, Webhooks};

use super::receiver::Receiver;
use super::world::{World, deliver, deliveries};

fn request(url: &str) -> WebhookRequest {
    WebhookRequest { url: url.to_owned(), events: None, description: None }
}

/// A world in which receivers must be on the internet.
fn strict() -> World {
    let mut world = World::new();
    world.options.allow_private_networks = false;
    world
}

async fn why(webhooks: &Webhooks, url: &str) -> String {
    match webhooks.create(request(url)).await {
        Err(WebhookError::Invalid { field: "url", why }) => why,
        other => panic!("{url}: {other:?}"),
    }
}

#[tokio::test]
async fn b12_an_address_inside_is_refused_when_a_webhook_is_added() {
    let world = strict();
    let webhooks = world.webhooks();
    for host in ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1", "169.254.169.254"] {
        let why = why(&webhooks, &format!("https://{host}/")).await;
        assert!(why.contains("not allowed"), "{host}: {why}");
    }
    assert!(why(&webhooks, "http://example.com/").await.contains("https"));
}

#[tokio::test]
async fn b12_a_name_that_leads_inside_is_refused_when_a_webhook_is_added_or_changed() {
    let world = strict();
    let webhooks = world.webhooks();
    for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "fe80::1", "169.254.169.254", "0.0.0.0"]
    {
        world.names.set("inside.test", &[address]);
        let why = why(&webhooks, "https://inside.test/").await;
        assert!(why.contains("not allowed"), "{address}: {why}");
    }
    world.names.set("outside.test", &["1.1.1.1"]);
    let webhook = webhooks.create(request("https://outside.test/")).await.unwrap();
    let url = Some("https://inside.test/".to_owned());
    let update = WebhookUpdate { url, ..WebhookUpdate::default() };
    assert!(webhooks.update(&webhook.id, update).await.is_err());
    assert!(webhooks.create(request("https://not-known-yet.test/")).await.is_ok());
}

#[tokio::test]
async fn b12_a_name_that_leads_inside_later_is_not_called() {
    let world = strict();
    let webhooks = world.webhooks();
    // Whoever is called here would be heard: the port is open and nobody accepts.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    port.set_nonblocking(true).unwrap();
    world.names.set("rebinding.test", &["1.1.1.1", "127.0.0.1", "::ffff:127.0.0.1"]);
    let url = format!("https://rebinding.test:{}/", port.local_addr().unwrap().port());
    let webhook = webhooks.create(request(&url)).await.unwrap();
    world.tell("step_up").await;
    let mut dispatcher = webhooks.dispatcher();
    for _ in 0..2 {
        deliver(&mut dispatcher, &world).await;
        world.advance(10);
    }
    let [waiting] = &deliveries(&webhooks, &webhook.id).await[..] else { panic!("one") };
    assert_eq!((waiting.state.clone(), waiting.attempts), (DeliveryState::Waiting, 2));
    assert!(waiting.last_error.as_deref().unwrap().contains("not allowed"), "{waiting:?}");
    assert_eq!(port.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    let tried = webhooks.test(&webhook.id).await.unwrap().unwrap();
    assert!(!tried.delivered && tried.error.unwrap().contains("not allowed"));
}

#[tokio::test]
async fn b12_a_webhook_that_was_allowed_once_is_judged_again_by_the_settings_of_today() {
    let (mut world, receiver) = (World::new(), Receiver::start().await);
    let webhook = world.webhooks().create(request(&receiver.url())).await.unwrap();
    world.options.allow_private_networks = false;
    let webhooks = world.webhooks();
    world.tell("step_up").await;
    deliver(&mut webhooks.dispatcher(), &world).await;
    assert_eq!(receiver.count(), 0);
    let [waiting] = &deliveries(&webhooks, &webhook.id).await[..] else { panic!("one") };
    assert!(waiting.last_error.as_deref().unwrap().contains("https"));
}

#[tokio::test]
async fn b12_inside_is_reached_by_name_and_in_the_clear_where_that_is_allowed() {
    let (world, receiver) = (World::new(), Receiver::start().await);
    let webhooks = world.webhooks();
    let url = |host: &str| format!("http://{host}:{}/", receiver.port());
    world.names.set("receiver.internal", &["127.0.0.1"]);
    let webhook = webhooks.create(request(&url("receiver.internal"))).await.unwrap();
    assert!(webhooks.test(&webhook.id).await.unwrap().unwrap().delivered);
    // Nothing goes to the internet in the clear, and nothing to the metadata of a cloud.
    for address in ["1.1.1.1", "169.254.169.254", "::ffff:169.254.169.254"] {
        world.names.set("elsewhere.internal", &["127.0.0.1", address]);
        let webhook = webhooks.create(request(&url("elsewhere.internal"))).await.unwrap();
        let tried = webhooks.test(&webhook.id).await.unwrap().unwrap();
        assert!(tried.error.unwrap().contains("not allowed"), "{address}");
    }
    assert_eq!(receiver.count(), 1);
}
