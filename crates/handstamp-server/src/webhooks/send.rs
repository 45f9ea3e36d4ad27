//! One request to one receiver, and what came of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use handstamp_core::text;
use handstamp_core::time::Clock;
use handstamp_protocol::webhooks::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use reqwest::{Client, Response, redirect};

use super::address::Reach;
use super::error::WebhookError;
use super::options::WebhookOptions;
use super::resolve::{Guarded, Lookup, is_not_allowed};
use super::retry;
use super::target::{Host, NOT_ALLOWED, Target};

/// How much of an answer is read: enough to use the connection again after a short one.
const MOST_READ: usize = 16 * 1024;

/// How long a connection to a receiver is kept for the next delivery.
const IDLE: Duration = Duration::from_secs(30);

/// How long the name of a receiver is looked for when a webhook is added.
const LOOKUP: Duration = Duration::from_secs(5);

const AGENT: &str = concat!("Handstamp/", env!("CARGO_PKG_VERSION"));

/// What is sent: signed already.
pub(super) struct Message {
    pub(super) id: String,
    pub(super) timestamp: i64,
    pub(super) signature: String,
    pub(super) body: Bytes,
}

/// What came of sending it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Attempt {
    /// What the receiver answered, if it did.
    pub(super) status: Option<StatusCode>,
    /// What went wrong, in words.
    pub(super) error: Option<String>,
    /// How long the receiver wants to be left alone.
    pub(super) retry_after: Option<Duration>,
    /// How long it took.
    pub(super) took: Duration,
}

impl Attempt {
    /// One that was not made.
    pub(super) fn unmade(why: impl Into<String>) -> Self {
        let (status, retry_after, took) = (None, None, Duration::ZERO);
        Self { status, error: Some(why.into()), retry_after, took }
    }

    /// Whether the receiver took it.
    pub(super) fn is_taken(&self) -> bool {
        self.status.is_some_and(|status| status.is_success())
    }

    /// Whether the receiver wants nothing any more.
    pub(super) fn is_gone(&self) -> bool {
        self.status == Some(StatusCode::GONE)
    }
}

/// Sends to receivers, by way of addresses that may be called and of nothing else: no proxy, no
/// redirect, no cookie.
pub(super) struct Sender {
    /// For `https`.
    encrypted: Client,
    /// For `http`, to private networks only, where those are allowed.
    plain: Client,
    lookup: Arc<dyn Lookup>,
    clock: Arc<dyn Clock>,
    options: WebhookOptions,
}

impl Sender {
    /// A sender by these rules.
    ///
    /// # Errors
    /// [`WebhookError::Client`] when the system's certificates cannot be used.
    pub(super) fn new(
        options: WebhookOptions,
        lookup: Arc<dyn Lookup>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, WebhookError> {
        let reach = if options.allow_private_networks { Reach::Anywhere } else { Reach::Public };
        let client = |reach, is_encrypted| {
            let resolver = Guarded { lookup: Arc::clone(&lookup), reach };
            let builder = Client::builder().no_proxy().redirect(redirect::Policy::none());
            let builder = builder.https_only(is_encrypted).referer(false).user_agent(AGENT);
            let builder = builder.timeout(options.timeout).pool_idle_timeout(IDLE);
            builder.dns_resolver(resolver).build().map_err(WebhookError::client)
        };
        let (encrypted, plain) = (client(reach, true)?, client(Reach::Private, false)?);
        Ok(Self { encrypted, plain, lookup, clock, options })
    }

    /// The receiver at `url`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn target(&self, url: &str) -> Result<Target, &'static str> {
        Target::parse(url, self.options.allow_private_networks)
    }

    /// Whether a receiver could be called now, as far as its name tells: a name that cannot be
    /// looked up may be known later, one that leads inside is refused.
    pub(super) async fn may_call(&self, target: &Target) -> bool {
        let Some(Host::Name(name)) = target.host() else { return true };
        let guarded = Guarded { lookup: Arc::clone(&self.lookup), reach: target.reach() };
        let found = tokio::time::timeout(LOOKUP, guarded.addresses(name)).await;
        !matches!(found, Ok(Err(error)) if is_not_allowed(&error))
    }

    /// Sends `message` to `url` once.
    pub(super) async fn send(&self, url: &str, message: Message) -> Attempt {
        // Judged again: the settings may be others than when the webhook was added.
        let target = match self.target(url) {
            Ok(target) => target,
            Err(why) => return Attempt::unmade(why),
        };
        let began = self.clock.now();
        let answer = self.post(&target, message).await;
        let took = self.clock.now().since(began);
        match answer {
            Ok(answer) => Attempt { took, ..self.judge(answer).await },
            Err(error) => Attempt { took, ..Attempt::unmade(self.words(&error)) },
        }
    }

    async fn post(&self, target: &Target, message: Message) -> reqwest::Result<Response> {
        let client = match target.reach() {
            Reach::Private => &self.plain,
            Reach::Public | Reach::Anywhere => &self.encrypted,
        };
        let request = client.post(target.url().clone()).header(CONTENT_TYPE, "application/json");
        let request = request.header(ID_HEADER, message.id);
        let request = request.header(TIMESTAMP_HEADER, message.timestamp);
        let request = request.header(SIGNATURE_HEADER, message.signature);
        request.body(message.body).send().await
    }

    /// What an answer means. Its body is dropped: only that it ended matters, for the connection.
    async fn judge(&self, answer: Response) -> Attempt {
        let status = answer.status();
        let retry_after = self.retry_after(answer.headers());
        drain(answer).await;
        let error = (!status.is_success()).then(|| format!("the receiver answered {status}"));
        Attempt { status: Some(status), error, retry_after, took: Duration::ZERO }
    }

    fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        retry::retry_after(headers.get(RETRY_AFTER)?.to_str().ok()?, self.clock.now())
    }

    /// Why there is no answer. Never the URL: it may hold a key of the receiver's.
    fn words(&self, error: &reqwest::Error) -> String {
        let seconds = self.options.timeout.as_secs_f32();
        if is_not_allowed(error) {
            NOT_ALLOWED.to_owned()
        } else if error.is_timeout() {
            format!("no answer within {seconds} s")
        } else if error.is_dns() {
            "the name of the receiver cannot be looked up".to_owned()
        } else if error.is_connect() {
            format!("no connection: {}", root(error))
        } else {
            format!("no answer: {}", root(error))
        }
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("options", &self.options).finish_non_exhaustive()
    }
}

async fn drain(mut answer: Response) {
    let mut read = 0;
    while read < MOST_READ {
        match answer.chunk().await {
            Ok(Some(chunk)) => read += chunk.len(),
            Ok(None) | Err(_) => return,
        }
    }
}

/// What the innermost cause says, without what somebody else may have put into it.
fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    text::plain(&cause.to_string(), 200).unwrap_or_default()
}
