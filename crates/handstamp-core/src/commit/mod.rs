//! The committer: collects what waits, folds what concerns one session, and commits one batch
//! after another. One transaction, one fsync, one round trip for all that came in meanwhile.

mod draft;
mod inquiry;
mod job;
mod plan;
mod round;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

pub(crate) use draft::{Draft, Mutation, Step, blank_event, event_of};
pub(crate) use job::{Answer, Build, Committed, Job, NewSession, Reply};

use crate::cache::Cache;
use crate::chain::Sealer;
use crate::error::SessionError;
use crate::random::Rng;
use crate::store::SessionStore;
use crate::time::Clock;
use crate::watch::Watchers;

/// The most jobs that one batch takes.
const BATCH: usize = 256;

/// How often a job is tried again because another writer was faster.
const TRIES: u32 = 64;

/// What a committer works on.
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn SessionStore>,
    pub(crate) cache: Arc<Cache>,
    pub(crate) watchers: Arc<Watchers>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Arc<dyn Rng>,
    pub(crate) sealer: Sealer,
}

/// Commits jobs in batches.
#[derive(Clone)]
pub(crate) struct Committer(Arc<Inner>);

struct Inner {
    parts: Parts,
    queue: Mutex<Queue>,
    idle: Notify,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Waiting>,
    is_draining: bool,
}

/// A job and how often it has been tried.
struct Waiting {
    job: Job,
    tries: u32,
}

impl Committer {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner { parts, queue: Mutex::default(), idle: Notify::new() }))
    }

    /// Queues a job made with the sender of its answer.
    pub(crate) fn submit(&self, make: impl FnOnce(Reply) -> Job) -> Answer {
        let (reply, answer) = oneshot::channel();
        let mut queue = self.0.lock();
        queue.jobs.push_back(Waiting { job: make(reply), tries: 0 });
        if !queue.is_draining {
            queue.is_draining = true;
            tokio::spawn(Arc::clone(&self.0).drain());
        }
        answer
    }

    /// Queues a job and waits for its answer. The job goes on if the caller does not.
    pub(crate) async fn run(
        &self,
        make: impl FnOnce(Reply) -> Job,
    ) -> Result<Committed, SessionError> {
        answered(self.submit(make).await)
    }

    /// Waits until nothing is queued or under way.
    pub(crate) async fn drained(&self) {
        loop {
            let idle = self.0.idle.notified();
            if !self.0.lock().is_draining {
                return;
            }
            idle.await;
        }
    }
}

/// The answer, or what it means that none came.
pub(crate) fn answered(
    answer: Result<Result<Committed, SessionError>, oneshot::error::RecvError>,
) -> Result<Committed, SessionError> {
    answer.unwrap_or_else(|lost| Err(SessionError::Unknown(lost.into())))
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn drain(self: Arc<Self>) {
        let mut draining = Draining { inner: &self, is_over: false };
        while let Some(jobs) = self.next_jobs() {
            let again = round::run(&self.parts, jobs).await;
            let mut queue = self.lock();
            for waiting in again.into_iter().rev() {
                queue.jobs.push_front(waiting);
            }
        }
        draining.is_over = true;
    }

    /// The next jobs; `None` when there are none, and then the drain is over.
    fn next_jobs(&self) -> Option<Vec<Waiting>> {
        let mut queue = self.lock();
        if queue.jobs.is_empty() {
            queue.is_draining = false;
            return None;
        }
        let count = queue.jobs.len().min(BATCH);
        Some(queue.jobs.drain(..count).collect())
    }
}

/// Says that nobody drains any more, also when a drain panicked or its runtime stopped; what was
/// queued is then answered by the dropped senders.
struct Draining<'a> {
    inner: &'a Inner,
    /// The queue ran dry; what is in it by now is the next drain's.
    is_over: bool,
}

impl Drop for Draining<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            let mut queue = self.inner.lock();
            queue.is_draining = false;
            queue.jobs.clear();
        }
        self.inner.idle.notify_waiters();
    }
}
