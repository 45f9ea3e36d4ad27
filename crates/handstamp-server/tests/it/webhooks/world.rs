//! Sessions, a ledger, a clock and names, from which webhooks are made.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::Duration;

use handstamp_core::chain::Sealer;
use handstamp_core::event::{Action, Event, Personal};
use handstamp_core::id::EventId;
use handstamp_core::ledger::Ledger;
use handstamp_core::random::{SystemRng, random};
use handstamp_core::record::{Client, Location};
use handstamp_core::store::{MemoryStore, Page, SessionStore};
use handstamp_core::time::{ManualClock, Timestamp};
use handstamp_core::{KeyRing, SessionConfig, SessionManager, Subject};
use handstamp_protocol::webhooks::{DeliveryStatus, Webhook, WebhookRequest};
use handstamp_server::webhooks::{Dispatcher, WebhookOptions, Webhooks};

use super::journal::Journal;
use super::names::Names;
use super::receiver::Receiver;

pub(super) const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

pub(super) struct World {
    pub(super) sessions: SessionManager,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) journal: Journal,
    pub(super) clock: Arc<ManualClock>,
    pub(super) names: Names,
    pub(super) options: WebhookOptions,
    turn: AtomicU8,
}

impl World {
    /// A world in which receivers may be on this machine.
    pub(super) fn new() -> Self {
        let journal = Journal::new();
        Self::over(MemoryStore::new(), journal.clone(), KeyRing::generate().unwrap(), journal)
    }

    pub(super) fn over(
        store: impl SessionStore,
        ledger: impl Ledger,
        keys: KeyRing,
        journal: Journal,
    ) -> Self {
        let clock = ManualClock::at(START);
        let sessions = SessionManager::builder(store, SessionConfig::default(), keys)
            .clock(Arc::clone(&clock))
            .maintenance(false)
            .build();
        let options = WebhookOptions { allow_private_networks: true, ..WebhookOptions::default() };
        let (ledger, names) = (Arc::new(ledger), Names::default());
        Self { sessions, ledger, journal, clock, names, options, turn: 0.into() }
    }

    pub(super) fn webhooks(&self) -> Webhooks {
        self.webhooks_over(Arc::clone(&self.ledger))
    }

    pub(super) fn webhooks_over(&self, ledger: Arc<dyn Ledger>) -> Webhooks {
        let (sessions, clock) = (self.sessions.clone(), self.clock.clone());
        let builder = Webhooks::builder(sessions, ledger, clock, self.options);
        builder.lookup(self.names.clone()).build().unwrap()
    }

    pub(super) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(super) fn now(&self) -> Timestamp {
        self.sessions.now()
    }

    /// Logs an event of this name.
    pub(super) async fn tell(&self, name: &str) {
        let event = self.event(name);
        let sealer = Sealer::new(self.sessions.keys().clone());
        self.sessions.store().append(vec![event], &sealer).await.unwrap();
    }

    /// Logs `count` events of this name, all in one batch.
    pub(super) async fn tell_many(&self, name: &str, count: usize) {
        let events = (0..count).map(|_| self.event(name)).collect();
        let sealer = Sealer::new(self.sessions.keys().clone());
        self.sessions.store().append(events, &sealer).await.unwrap();
    }

    fn event(&self, name: &str) -> Event {
        let action: Action = name.parse().unwrap();
        let id = EventId::from_bytes(random(&SystemRng).unwrap());
        let mut event = Event::new(id, self.now(), action, random(&SystemRng).unwrap());
        event.subject = Some(Subject::new("ada").unwrap());
        event.details.insert("turn".into(), self.turn.fetch_add(1, Relaxed).into());
        let location = Location { country: Some("DE".into()), ..Location::default() };
        let client = Client {
            ip: Some("203.0.113.7".parse().unwrap()),
            user_agent: Some("Mozilla/5.0".into()),
            device: Some("Firefox on Linux".into()),
            location: Some(location.into()),
            ..Client::default()
        };
        event.set_personal(Personal { client, ..Personal::default() });
        event
    }
}

/// A webhook at `receiver` that wants these events.
pub(super) async fn add(webhooks: &Webhooks, receiver: &Receiver, events: &[&str]) -> Webhook {
    let events = Some(events.iter().map(|name| (*name).to_owned()).collect());
    let request = WebhookRequest { url: receiver.url(), events, description: None };
    webhooks.create(request).await.unwrap()
}

/// Delivers until nothing more can be done at this moment.
pub(super) async fn deliver(dispatcher: &mut Dispatcher, world: &World) {
    loop {
        let next = dispatcher.pass().await.unwrap();
        let is_busy = dispatcher.on_the_way() > 0;
        dispatcher.settle().await;
        if !is_busy && next > world.now() {
            return;
        }
    }
}

/// The deliveries of a webhook as its list shows them.
pub(super) async fn deliveries(webhooks: &Webhooks, id: &str) -> Vec<DeliveryStatus> {
    webhooks.deliveries(id, &Page::first(1000)).await.unwrap().unwrap().deliveries
}

/// The secret of a webhook that was just made.
pub(super) fn secret(webhook: &Webhook) -> String {
    webhook.secret.as_ref().unwrap().expose().to_owned()
}
