//! What goes on in the background while the service serves. Nothing that is correct depends on it:
//! it hands out, renews and tidies.

use std::sync::Arc;
use std::time::Duration;

use handstamp_core::store::StoreError;
use tokio::time::{MissedTickBehavior, interval};

use crate::ring;
use crate::service::Service;

/// How often keys are looked after and leftovers removed.
const EVERY: Duration = Duration::from_secs(60);

/// How many events are added up in one step.
const STEP: usize = 500;

/// Starts the background work; it ends when the service is asked to stop.
pub(crate) fn start(service: &Arc<Service>) {
    let handing_out = Arc::clone(service);
    tokio::spawn(async move {
        let Service { hub, sessions, metrics, .. } = &*handing_out;
        hub.run(sessions, metrics, handing_out.stopping()).await;
    });
    let delivering = Arc::clone(service);
    tokio::spawn(async move {
        delivering.webhooks.dispatcher().run(delivering.stopping()).await;
    });
    let ending = Arc::clone(service);
    tokio::spawn(async move {
        tokio::select! {
            () = ending.stopping() => {}
            () = end_what_nobody_took_back(&ending) => {}
        }
    });
    let keeping = Arc::clone(service);
    tokio::spawn(async move {
        tokio::select! {
            () = keeping.stopping() => {}
            () = keep_up_the_log(&keeping) => {}
        }
    });
    let following = Arc::clone(service);
    tokio::spawn(async move {
        following.feed.run(&following.sessions, following.stopping()).await;
    });
    let telling = Arc::clone(service);
    tokio::spawn(async move {
        if let Some(telemetry) = &telling.telemetry {
            telemetry.run(telling.stopping()).await;
        }
    });
    let tidying = Arc::clone(service);
    tokio::spawn(async move {
        tokio::select! {
            () = tidying.stopping() => {}
            () = tidy(&tidying) => {}
        }
    });
}

async fn tidy(service: &Service) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        service.limits.tidy();
        if let Err(error) = service.access.renew_keys(service.sessions.now()).await {
            tracing::warn!(%error, "the signing keys could not be looked after");
        }
        if let Err(error) = ring::note_new(service.sessions.keys(), &*service.ledger).await {
            tracing::warn!(%error, "the keys of the ring could not be noted");
        }
        if let Err(error) = service.idempotency.clean().await {
            tracing::warn!(%error, "old idempotency keys could not be removed");
        }
        if let Err(error) = add_up(service).await {
            tracing::warn!(%error, "what happened is not added up yet");
        }
    }
}

/// Looks each second whether a checkpoint or retention is due.
async fn keep_up_the_log(service: &Service) {
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        service.audit.keep_up().await;
    }
}

/// Adds up what happened, for reports, so that whoever asks for one does not wait for a day's
/// worth. In steps, with room for others between them.
async fn add_up(service: &Service) -> Result<(), StoreError> {
    while service.ledger.roll_up(STEP).await? {
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Ends what was set aside to end, within a second of its time.
async fn end_what_nobody_took_back(service: &Service) {
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = service.undo.end_due(&service.sessions).await {
            tracing::warn!(%error, "sessions that were set aside to end have not ended yet");
        }
    }
}
