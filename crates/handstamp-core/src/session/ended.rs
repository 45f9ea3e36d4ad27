//! Waiting for the end of a session, so that what is open closes with it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::Session;
use crate::cache::Cached;
use crate::engine::Engine;
use crate::policy::{self, Standing};
use crate::record::EndReason;
use crate::time::Timestamp;
use crate::watch::Watching;

/// The longest between two looks at a session that nobody tells anything of: 30 seconds.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// After so long is looked once more where the store did not answer.
const ONCE_MORE: Duration = Duration::from_secs(1);

/// How a session came to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Ending {
    /// It ended, by act or by running out.
    Ended {
        /// Why.
        reason: EndReason,
        /// When.
        at: Timestamp,
    },
    /// It was set aside; what is open must close all the same.
    Suspended,
    /// Its record is gone, or there never was a session.
    Gone,
    /// Nobody can say whether it lives: other processes may have ended it, and the store does not
    /// answer. What is open must close; the session itself may be good.
    Unconfirmed,
}

impl Session {
    /// Resolves when the session ends: anywhere, by any act, or by its own limits. Rotation does
    /// not trigger it. For a visitor without a session it resolves at once. Where other processes
    /// may end it and the store answers no more, it resolves as [`Ending::Unconfirmed`] within two
    /// leases and two waits for the store.
    ///
    /// The future holds no handle to the session, so it may live as long as a stream does.
    ///
    /// # Security
    /// What an event stream or WebSocket handler selects on, so that a connection does not
    /// outlive its session.
    pub fn ended(&self) -> impl Future<Output = Ending> + Send + use<> {
        let engine = Arc::clone(self.engine());
        let watch = self.live().map(|cached| {
            let record = &cached.record;
            (record.id, engine.watchers.watch(record.id, record.subject.clone()))
        });
        async move {
            match watch {
                Some((id, watching)) => wait(&engine, id, &watching).await,
                None => Ending::Gone,
            }
        }
    }
}

async fn wait(engine: &Engine, id: crate::id::SessionId, watching: &Watching) -> Ending {
    let mut is_unanswered = false;
    loop {
        // Memory may say yes for as long as it is trusted, as it does for a check.
        let held = engine.coherence.trusted(&id);
        let held = held.filter(|(held, now)| engine.is_live_at(held, *now));
        let pause = match held {
            Some((held, _)) => {
                is_unanswered = false;
                until_due(engine, &held)
            }
            None => match engine.fetch(id).await {
                Ok(None) => return Ending::Gone,
                Ok(Some(cached)) => match engine.standing(&cached) {
                    Standing::Live => {
                        is_unanswered = false;
                        until_due(engine, &cached)
                    }
                    Standing::Suspended => return Ending::Suspended,
                    Standing::Over { ended, .. } => {
                        return Ending::Ended { reason: ended.reason, at: ended.at };
                    }
                },
                // Where nobody else can have ended it, a store out of reach ends nothing.
                Err(error) => {
                    tracing::warn!(%error, "cannot look whether a session has ended");
                    if is_unanswered && engine.coherence.is_shared() {
                        return Ending::Unconfirmed;
                    }
                    is_unanswered = true;
                    ONCE_MORE
                }
            },
        };
        tokio::select! {
            () = watching.woken() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

fn until_due(engine: &Engine, cached: &Cached) -> Duration {
    let (due, _) = policy::first_to_expire(&cached.record, cached.activity.last_seen().at);
    let longest = engine.coherence.lease().map_or(LONGEST_WAIT, |lease| lease.min(LONGEST_WAIT));
    due.since(engine.now()).clamp(Duration::from_millis(50), longest)
}
