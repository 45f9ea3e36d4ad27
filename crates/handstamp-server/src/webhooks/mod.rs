//! Webhooks: what happens is told to other programs over HTTP, signed per Standard Webhooks.
//!
//! [`Webhooks`] adds, lists, changes and tries them; a [`Dispatcher`] delivers. Deliveries are
//! made at least once: the `webhook-id` of an event is the same at every try, so that a receiver
//! can tell.
//!
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

mod address;
mod delivery;
mod dispatch;
mod error;
mod filter;
mod hook;
mod log;
mod options;
mod payload;
mod progress;
mod resolve;
mod retry;
mod secret;
mod send;
mod shared;
mod target;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use handstamp_core::SessionManager;
use handstamp_core::ledger::{Ledger, LedgerExt, Put};
use handstamp_core::random::{Rng, SystemRng, random};
use handstamp_core::store::Page;
use handstamp_core::text;
use handstamp_core::time::Clock;
use handstamp_protocol::webhooks::{
    DeliveryList, Webhook, WebhookList, WebhookRequest, WebhookTest, WebhookUpdate,
};
use tokio::sync::watch;

pub use dispatch::Dispatcher;
pub use error::WebhookError;
pub use options::WebhookOptions;
pub use resolve::{Lookup, SystemLookup};

use delivery::{Delivery, Shelves, State};
use filter::EventNames;
use hook::{Hook, MOST, Roster};
use log::Log;
use progress::Progress;
use secret::SigningSecret;
use send::{Attempt, Sender};
use shared::Shared;
use target::NOT_ALLOWED;

/// The longest description, in bytes.
const MOST_WORDS: usize = 500;

/// The webhooks of a deployment. Clones share everything.
#[derive(Clone)]
pub struct Webhooks {
    shared: Arc<Shared>,
}

/// What webhooks are made of.
#[derive(Clone)]
#[must_use = "a builder does nothing until it is built"]
pub struct WebhooksBuilder {
    sessions: SessionManager,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    options: WebhookOptions,
    rng: Arc<dyn Rng>,
    lookup: Arc<dyn Lookup>,
}

impl WebhooksBuilder {
    /// Takes random bytes from `rng` instead of the system.
    ///
    /// # Security
    /// Anything but a cryptographic source makes signing secrets guessable.
    pub fn rng(mut self, rng: impl Rng) -> Self {
        self.rng = Arc::new(rng);
        self
    }

    /// Looks names up by `lookup` instead of the system's way.
    pub fn lookup(mut self, lookup: impl Lookup) -> Self {
        self.lookup = Arc::new(lookup);
        self
    }

    /// The webhooks.
    ///
    /// # Errors
    /// [`WebhookError::Client`] when the system's certificates cannot be used.
    pub fn build(self) -> Result<Webhooks, WebhookError> {
        let Self { sessions, ledger, clock, options, rng, lookup } = self;
        let sender = Sender::new(options, lookup, Arc::clone(&clock))?;
        let log = Log::new(Arc::clone(sessions.store()));
        let changed = watch::Sender::new(());
        let shared = Shared { sessions, ledger, clock, rng, sender, log, options, changed };
        Ok(Webhooks { shared: Arc::new(shared) })
    }
}

impl Webhooks {
    /// Starts to make webhooks that tell of what `sessions` log.
    pub fn builder(
        sessions: SessionManager,
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        options: WebhookOptions,
    ) -> WebhooksBuilder {
        let (rng, lookup) = (Arc::new(SystemRng), Arc::new(SystemLookup));
        WebhooksBuilder { sessions, ledger, clock, options, rng, lookup }
    }

    /// What delivers. One is enough; several over one ledger share the work.
    pub fn dispatcher(&self) -> Dispatcher {
        Dispatcher::new(Arc::clone(&self.shared))
    }

    /// Adds a webhook. It is told of what is committed from now on. The answer is the only one
    /// that holds its signing secret.
    ///
    /// # Errors
    /// [`WebhookError::Invalid`] for an address that must not be called, for a name that no event
    /// has, and for too long a description; [`WebhookError::Full`] at 50 webhooks;
    /// [`WebhookError::Ledger`] and [`WebhookError::Log`] when those are out of reach.
    ///
    /// # Security
    /// Only `https` to addresses of the internet is taken, unless private networks are allowed
    /// (SSRF, OWASP A10:2021); what counts is the address that is connected to, at every delivery.
    /// The secret is kept sealed under a key of the key ring.
    pub async fn create(&self, request: WebhookRequest) -> Result<Webhook, WebhookError> {
        let WebhookRequest { url, events, description } = request;
        let events = names(events)?;
        let description = words(description)?;
        self.check(&url).await?;
        let shared = &self.shared;
        let id = format!("wh_{}", URL_SAFE_NO_PAD.encode(random::<12>(&*shared.rng)?));
        let secret = SigningSecret::generate(&*shared.rng)?;
        let mut hook = Hook::new(id, url, events, shared.now());
        hook.description = description;
        hook.sign_with(&secret, shared.sessions.keys(), shared.now())?;
        // First its place in the log: whatever is committed once the webhook is there is behind it.
        let ends = shared.log.follow().await.map_err(WebhookError::Log)?;
        let place = Progress::behind(&ends).put(&hook.id, 0)?;
        let _ = shared.ledger.write(vec![place]).await?;
        let add = |roster: &mut Roster| {
            let has_room = roster.hooks.len() < MOST;
            roster.hooks.extend(has_room.then(|| hook.clone()));
            has_room
        };
        if !Roster::change(&shared.ledger, add).await? {
            let _ = shared.ledger.write(vec![Progress::removal(&hook.id)]).await?;
            return Err(WebhookError::Full { most: MOST });
        }
        shared.has_changed();
        Ok(hook.to_wire(None, Some(secret.to_text())))
    }

    /// Lists webhooks, oldest first.
    ///
    /// # Errors
    /// [`WebhookError::Ledger`] when the ledger is out of reach.
    pub async fn list(&self, page: &Page) -> Result<WebhookList, WebhookError> {
        let hooks = Roster::read(&self.shared.ledger).await?.hooks;
        let is_last = |hook: &Hook| page.after.as_deref() == Some(&hook.id);
        let from = hooks.iter().position(is_last).map_or(0, |at| at + 1);
        let mut webhooks = Vec::new();
        for hook in hooks.iter().skip(from).take(page.clamped()) {
            webhooks.push(self.to_wire(hook).await?);
        }
        let has_more = from + webhooks.len() < hooks.len();
        let next = webhooks.last().filter(|_| has_more).map(|last| last.id.clone());
        Ok(WebhookList { webhooks, next })
    }

    /// One webhook; `None` if there is none of this id.
    ///
    /// # Errors
    /// [`WebhookError::Ledger`] when the ledger is out of reach.
    pub async fn get(&self, id: &str) -> Result<Option<Webhook>, WebhookError> {
        match Roster::read(&self.shared.ledger).await?.find(id) {
            Some(hook) => Ok(Some(self.to_wire(hook).await?)),
            None => Ok(None),
        }
    }

    /// Changes a webhook; `None` if there is none of this id. One that is turned on again goes on
    /// where it stopped, and tries at once what waits.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub async fn update(
        &self,
        id: &str,
        update: WebhookUpdate,
    ) -> Result<Option<Webhook>, WebhookError> {
        let WebhookUpdate { url, events, description, is_enabled } = update;
        let events = events.map(|events| names(Some(events))).transpose()?;
        let description = words(description)?;
        if let Some(url) = &url {
            self.check(url).await?;
        }
        let change = |hook: &mut Hook| {
            hook.url = url.clone().unwrap_or_else(|| hook.url.clone());
            hook.events = events.clone().unwrap_or_else(|| hook.events.clone());
            hook.description = description.clone().or_else(|| hook.description.take());
            let was_enabled = hook.is_enabled;
            if let Some(is_enabled) = is_enabled {
                (hook.is_enabled, hook.disabled_reason) = (is_enabled, None);
            }
            !was_enabled && hook.is_enabled
        };
        let (ledger, now) = (&self.shared.ledger, self.shared.now());
        if Roster::change_one(ledger, id, change).await? == Some(true) {
            Progress::forgive(ledger, id).await?;
            Shelves::of(id).hurry(ledger, now, &BTreeSet::new()).await?;
        }
        self.shared.has_changed();
        self.get(id).await
    }

    /// Removes a webhook with all that is kept of it; `false` if there is none of this id. A
    /// delivery that is on its way arrives.
    ///
    /// # Errors
    /// [`WebhookError::Ledger`] when the ledger is out of reach.
    pub async fn remove(&self, id: &str) -> Result<bool, WebhookError> {
        let remove = |roster: &mut Roster| {
            let before = roster.hooks.len();
            roster.hooks.retain(|hook| hook.id != id);
            let is_removed = roster.hooks.len() < before;
            roster.removed.extend(is_removed.then(|| id.to_owned()));
            is_removed
        };
        let is_removed = Roster::change(&self.shared.ledger, remove).await?;
        self.shared.has_changed();
        Ok(is_removed)
    }

    /// Gives a webhook another signing secret; `None` if there is none of this id. For a day the
    /// one before signs beside it, so that the receiver may learn of it at its leisure.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub async fn rotate_secret(&self, id: &str) -> Result<Option<Webhook>, WebhookError> {
        let shared = &self.shared;
        let (secret, now) = (SigningSecret::generate(&*shared.rng)?, shared.now());
        let change = |hook: &mut Hook| hook.sign_with(&secret, shared.sessions.keys(), now);
        if let Some(signed) = Roster::change_one(&shared.ledger, id, change).await? {
            signed?;
            shared.has_changed();
        }
        let told = |webhook| Webhook { secret: Some(secret.to_text()), ..webhook };
        Ok(self.get(id).await?.map(told))
    }

    /// Sends a webhook, turned off or not, an event `webhook.test` at once and answers what came
    /// of it; `None` if there is none of this id. It is not tried again.
    ///
    /// # Errors
    /// [`WebhookError::Ledger`] when the ledger is out of reach, [`WebhookError::Secret`] when the
    /// signing secret is lost.
    pub async fn test(&self, id: &str) -> Result<Option<WebhookTest>, WebhookError> {
        let shared = &self.shared;
        let roster = Roster::read(&shared.ledger).await?;
        let Some(hook) = roster.find(id) else { return Ok(None) };
        let message = URL_SAFE_NO_PAD.encode(random::<16>(&*shared.rng)?);
        let message = format!("msg_test_{message}");
        let body = payload::of_test(&message, shared.now());
        let message = shared.sign(hook, &message, body)?;
        let attempt = shared.sender.send(&hook.url, message).await;
        let delivered = attempt.is_taken();
        let Attempt { status, error, took, .. } = attempt;
        let status = status.map(|status| status.as_u16());
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        Ok(Some(WebhookTest { delivered, status, error, duration_ms }))
    }

    /// Lists the deliveries of a webhook: first those that wait, at most 256 in all, then those
    /// that are over, as long as they are kept; each newest first. `None` if there is no webhook of
    /// this id.
    ///
    /// # Errors
    /// [`WebhookError::Invalid`] for a cursor that is none, [`WebhookError::Ledger`] when the
    /// ledger is out of reach.
    pub async fn deliveries(
        &self,
        id: &str,
        page: &Page,
    ) -> Result<Option<DeliveryList>, WebhookError> {
        let ledger = &self.shared.ledger;
        if Roster::read(ledger).await?.find(id).is_none() {
            return Ok(None);
        }
        let listed = Shelves::of(id).list(ledger, page).await?;
        let no_place = || WebhookError::invalid("cursor", "not a cursor of this list");
        listed.map(Some).ok_or_else(no_place)
    }

    /// Sends a delivery that is over once more, as if it were new; `false` if there is none of
    /// this id, or no such webhook.
    ///
    /// # Errors
    /// [`WebhookError::Ledger`] when the ledger is out of reach.
    pub async fn retry(&self, id: &str, delivery: &str) -> Result<bool, WebhookError> {
        let (ledger, shelves) = (&self.shared.ledger, Shelves::of(id));
        let is_there = Roster::read(ledger).await?.find(id).is_some();
        let found = ledger.find::<Delivery>(&shelves.over, delivery).await?;
        let Some((delivery, version)) = found.filter(|_| is_there) else { return Ok(false) };
        let now = self.shared.now();
        let again = Delivery { state: State::Waiting, attempts: 0, next_at: now, ..delivery };
        let removal = Put::removal(&shelves.over, &again.key()).if_version(version);
        let wait = shelves.wait(&again, now)?.if_absent();
        let is_applied = ledger.write(vec![removal, wait]).await?.is_applied();
        self.shared.has_changed();
        Ok(is_applied)
    }

    async fn to_wire(&self, hook: &Hook) -> Result<Webhook, WebhookError> {
        let (progress, _) = Progress::read(&self.shared.ledger, &hook.id).await?;
        Ok(hook.to_wire(progress.failing_since, None))
    }

    /// Whether a receiver at `url` may be called, as far as can be told now.
    async fn check(&self, url: &str) -> Result<(), WebhookError> {
        let sender = &self.shared.sender;
        let target = sender.target(url).map_err(|why| WebhookError::invalid("url", why))?;
        match sender.may_call(&target).await {
            true => Ok(()),
            false => Err(WebhookError::invalid("url", NOT_ALLOWED)),
        }
    }
}

fn names(events: Option<Vec<String>>) -> Result<EventNames, WebhookError> {
    EventNames::parse(events).map_err(|why| WebhookError::invalid("events", why))
}

fn words(description: Option<String>) -> Result<Option<String>, WebhookError> {
    match description {
        Some(words) if words.len() > MOST_WORDS => {
            let why = format!("at most {MOST_WORDS} bytes");
            Err(WebhookError::invalid("description", why))
        }
        words => Ok(words.and_then(|words| text::plain(&words, MOST_WORDS))),
    }
}

impl fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = &self.shared;
        f.debug_struct("Webhooks")
            .field("options", &shared.options)
            .field("log", &shared.log)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for WebhooksBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhooksBuilder").field("options", &self.options).finish_non_exhaustive()
    }
}
