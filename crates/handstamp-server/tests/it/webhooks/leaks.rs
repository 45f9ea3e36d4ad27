//! No secret is where it does not belong.

use super::logs::Logs;
use super::receiver::{Receiver, Reply};
use super::world::{World, add, deliver, secret};

#[tokio::test]
async fn b12_no_signing_secret_is_in_a_log_in_debug_or_in_the_ledger() {
    let logs = Logs::default();
    let _guard = tracing::subscriber::set_default(logs.clone());
    let (world, receiver) = (World::new(), Receiver::start().await);
    let webhooks = world.webhooks();
    let webhook = add(&webhooks, &receiver, &["*"]).await;
    let rotated = webhooks.rotate_secret(&webhook.id).await.unwrap().unwrap();
    let mut dispatcher = webhooks.dispatcher();
    receiver.script([Reply::Status(500), Reply::Status(410)]);
    for _ in 0..3 {
        world.tell("risk.a").await;
        deliver(&mut dispatcher, &world).await;
        world.advance(10);
    }
    webhooks.test(&webhook.id).await.unwrap();
    let debug = format!("{webhooks:?} {dispatcher:?} {webhook:?} {rotated:?}");
    let (ledger, logs) = (world.journal.text(), logs.text());
    assert!(logs.contains("a webhook was turned off"), "something was logged");
    assert!(ledger.contains(&webhook.id), "something was written");
    for secret in [secret(&webhook), secret(&rotated)] {
        let bare = secret.strip_prefix("whsec_").unwrap();
        for (place, text) in [("debug", &debug), ("ledger", &ledger), ("logs", &logs)] {
            assert!(!text.contains(bare), "a secret is in the {place}");
            assert!(!text.contains("whsec_"), "a secret is in the {place}");
        }
    }
    // What a receiver's URL holds is its secret; the log names the webhook instead.
    assert!(!logs.contains("/hook"));
    // Whom an event concerns stays in the audit log, where it can be erased.
    assert!(!ledger.contains("203.0.113.7") && !ledger.contains("Mozilla"));
}
