//! What was committed, handed out as it happens: to event streams, counters and whoever else
//! listens. Nobody waits for a listener, and a listener that lags is told so.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use handstamp_core::chain::ChainEnd;
use handstamp_core::event::Event;
use handstamp_core::time::Timestamp;
use handstamp_core::{SessionError, SessionManager};
use tokio::sync::broadcast;

use crate::metrics::Metrics;

/// How many events a listener may be behind before it must start afresh.
const KEPT: usize = 4096;

/// How many batches are read at once.
const STEP: usize = 256;

/// The place of an event in the log: whose chain, which batch, which of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Place {
    writer: u32,
    batch: u64,
    index: usize,
}

impl Place {
    /// Whether somebody who was told of `last` was told of this: it is of the same chain and not
    /// later.
    pub(crate) const fn is_told_by(&self, last: Self) -> bool {
        let is_before = self.batch < last.batch;
        let is_within = self.batch == last.batch && self.index <= last.index;
        self.writer == last.writer && (is_before || is_within)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.writer, self.batch, self.index)
    }
}

impl FromStr for Place {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(3, '.');
        let mut next = || parts.next().unwrap_or_default();
        Ok(Self { writer: next().parse()?, batch: next().parse()?, index: next().parse()? })
    }
}

/// An event with its place.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) place: Place,
    pub(crate) event: Arc<Event>,
}

/// How long it waits after a log that could not be read, and how often it looks whether another
/// process told of something that changes nothing.
const RETRY: Duration = Duration::from_secs(1);

/// Hands events out.
#[derive(Debug)]
pub(crate) struct Hub {
    sender: broadcast::Sender<Told>,
    /// Where each chain ended when it was opened: whoever listens from then on misses nothing.
    from: Vec<(u32, u64)>,
}

impl Hub {
    /// Begins at the end of the log.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn open(sessions: &SessionManager) -> Result<Self, SessionError> {
        Ok(Self { sender: broadcast::Sender::new(KEPT), from: newest(sessions).await? })
    }

    /// Everything that is handed out from now on.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Told> {
        self.sender.subscribe()
    }

    /// Reads what is committed and hands it out, until `stopping` resolves.
    pub(crate) async fn run(
        &self,
        sessions: &SessionManager,
        metrics: &Metrics,
        stopping: impl Future<Output = ()> + Send,
    ) {
        let mut commits = sessions.commits();
        let mut ends = self.from.clone();
        let is_shared = sessions.store().capabilities().is_shared;
        tokio::pin!(stopping);
        loop {
            let step = self.step(sessions, &mut ends, metrics).await;
            if let Err(error) = &step {
                tracing::warn!(%error, "events cannot be read and will be tried again");
            }
            tokio::select! {
                () = &mut stopping => return,
                () = tokio::time::sleep(RETRY), if is_shared || step.is_err() => {}
                changed = commits.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Hands out what came after `ends`, and moves them.
    async fn step(
        &self,
        sessions: &SessionManager,
        ends: &mut Vec<(u32, u64)>,
        metrics: &Metrics,
    ) -> Result<(), SessionError> {
        for writer in sessions.store().writers().await? {
            if !ends.iter().any(|(known, _)| *known == writer) {
                ends.push((writer, 0));
            }
        }
        let own = sessions.store().meta().writer;
        for (writer, batch) in ends {
            loop {
                let told = after(sessions, *writer, *batch).await?;
                let Some(last) = told.last().map(|told| told.place.batch) else { break };
                // Numbers have no gaps, so fewer than were asked for are all there are.
                let is_all = last - *batch < STEP as u64;
                *batch = last;
                for one in told {
                    // Each process counts its own, so that the sum of all is right.
                    if *writer == own {
                        metrics.event(&one.event.action.to_string());
                    }
                    // That nobody listens is no fault.
                    let _ = self.sender.send(one);
                }
                if is_all {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Events of `writer` after `batch`, oldest first, some batches at a time.
pub(crate) async fn after(
    sessions: &SessionManager,
    writer: u32,
    batch: u64,
) -> Result<Vec<Told>, SessionError> {
    let batches = sessions.store().sealed(writer, batch, STEP).await?;
    let told = batches.into_iter().flat_map(|batch| {
        let number = batch.number;
        batch.events.into_iter().enumerate().map(move |(index, event)| Told {
            place: Place { writer, batch: number, index },
            event: Arc::new(event),
        })
    });
    Ok(told.collect())
}

/// Events of the chain of `place` that come after it, some batches at a time.
pub(crate) async fn after_place(
    sessions: &SessionManager,
    place: Place,
) -> Result<Vec<Told>, SessionError> {
    let before = place.batch.saturating_sub(1);
    let mut told = after(sessions, place.writer, before).await?;
    told.retain(|one| one.place > place);
    Ok(told)
}

/// Whether the log has come to `place`. What was cut off by age it has come to, too.
///
/// # Errors
/// Those of the store.
pub(crate) async fn has(sessions: &SessionManager, place: Place) -> Result<bool, SessionError> {
    let is_there = |end: &ChainEnd| end.writer == place.writer && end.batch >= place.batch;
    Ok(sessions.store().ends(Timestamp::MAX).await?.iter().any(is_there))
}

/// The number of the newest batch of each writer.
async fn newest(sessions: &SessionManager) -> Result<Vec<(u32, u64)>, SessionError> {
    let mut ends = Vec::new();
    for writer in sessions.store().writers().await? {
        ends.push((writer, newest_of(sessions, writer).await?));
    }
    Ok(ends)
}

/// The number of the newest batch of `writer`: doubled until there is none, then halved. Numbers
/// have no gaps, so a few dozen look-ups find the end of the longest log.
async fn newest_of(sessions: &SessionManager, writer: u32) -> Result<u64, SessionError> {
    let has_after = async |number| -> Result<bool, SessionError> {
        Ok(!sessions.store().sealed(writer, number, 1).await?.is_empty())
    };
    let mut above = 1_u64;
    while has_after(above).await? {
        above = above.saturating_mul(2);
    }
    let mut below = 0;
    while below < above {
        let middle = below + (above - below) / 2;
        match has_after(middle).await? {
            true => below = middle + 1,
            false => above = middle,
        }
    }
    Ok(below)
}

#[cfg(test)]
mod tests {
    use handstamp_core::store::MemoryStore;
    use handstamp_core::{KeyRing, SessionConfig};

    use super::*;
    use crate::metrics::StoreFigures;

    /// A listener that comes before the first round must hear of what happens meanwhile: its own
    /// role may be taken away.
    #[tokio::test]
    async fn b04_what_happens_before_the_first_round_is_told() {
        let keys = KeyRing::generate().unwrap();
        let builder = SessionManager::builder(MemoryStore::new(), SessionConfig::default(), keys);
        let sessions = builder.maintenance(false).build();
        sessions.begin("ada").await.unwrap();
        let hub = Hub::open(&sessions).await.unwrap();
        let mut listener = hub.listen();
        sessions.begin("bob").await.unwrap();
        let metrics = Metrics::new(&StoreFigures::default());
        let told = tokio::select! {
            () = hub.run(&sessions, &metrics, std::future::pending()) => unreachable!(),
            told = listener.recv() => told.unwrap(),
        };
        assert_eq!(told.event.subject.as_ref().unwrap().as_str(), "bob");
    }

    #[test]
    fn a_place_reads_back_and_what_is_none_is_refused() {
        let place = Place { writer: 1, batch: 20, index: 3 };
        assert_eq!(place.to_string().parse(), Ok(place));
        for text in ["", "1", "1.2", "1.2.", "a.b.c", "-1.2.3", "1.2.3.4"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}
