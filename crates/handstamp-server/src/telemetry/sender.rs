//! Sends spans, some at a time. Nobody waits for it, and what cannot be sent is dropped.

use std::time::Duration;

use reqwest::redirect::Policy;
use tokio::sync::mpsc::Receiver;

use super::{Span, otlp};

/// How many spans go at once.
const BATCH: usize = 512;

/// How long a span waits for others at most.
const EVERY: Duration = Duration::from_secs(1);

/// How long the receiver may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where spans go, and in whose name.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) url: String,
    pub(super) service: String,
}

/// Sends until `stopping` resolves, then what waits, once.
pub(super) async fn run(
    mut waiting: Receiver<Span>,
    target: &Target,
    stopping: impl Future<Output = ()> + Send,
) {
    let client = reqwest::Client::builder().redirect(Policy::none()).timeout(PATIENCE).build();
    let client = match client {
        Ok(client) => client,
        Err(error) => return tracing::error!(%error, "spans cannot be sent"),
    };
    let mut sender = Sender { client, target, is_lost: false };
    tokio::pin!(stopping);
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            () = &mut stopping => break,
            came = waiting.recv_many(&mut batch, BATCH) => if came == 0 { return },
        }
        tokio::select! {
            () = &mut stopping => break,
            () = gather(&mut waiting, &mut batch) => {}
        }
        sender.send(std::mem::take(&mut batch)).await;
    }
    waiting.close();
    while let Ok(span) = waiting.try_recv() {
        batch.push(span);
    }
    sender.send(batch).await;
}

/// Waits until the batch is full or has waited long enough.
async fn gather(waiting: &mut Receiver<Span>, batch: &mut Vec<Span>) {
    let full = async { while batch.len() < BATCH && waiting.recv_many(batch, BATCH).await > 0 {} };
    let _ = tokio::time::timeout(EVERY, full).await;
}

struct Sender<'a> {
    client: reqwest::Client,
    target: &'a Target,
    /// Whether the last batch was lost: that is told once, and once when it is over.
    is_lost: bool,
}

impl Sender<'_> {
    async fn send(&mut self, batch: Vec<Span>) {
        if batch.is_empty() {
            return;
        }
        let body = otlp::export(&self.target.service, &batch);
        let sent = self.client.post(&self.target.url).json(&body).send().await;
        match sent.and_then(reqwest::Response::error_for_status) {
            Ok(_) if self.is_lost => tracing::info!("spans are sent again"),
            Err(error) if !self.is_lost => {
                tracing::warn!(%error, "spans cannot be sent and are dropped until they can be");
                self.is_lost = true;
                return;
            }
            Err(_) => return,
            Ok(_) => {}
        }
        self.is_lost = false;
    }
}
