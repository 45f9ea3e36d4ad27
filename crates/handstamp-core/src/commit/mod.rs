//! The committer: collects what waits, folds what concerns one session, and commits one batch
//! after another. One transaction, one fsync, one round trip for all that came in meanwhile.

mod draft;
mod inquiry;
mod job;
mod plan;
mod remake;
mod rhythm;
mod round;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

pub(crate) use draft::{Draft, Mutation, Step, blank_event, event_of};
pub(crate) use job::{Answer, Build, Committed, Job, NewSession, Reply, Spared};

use crate::cache::Cache;
use crate::chain::Sealer;
use crate::error::SessionError;
use crate::random::{Rng, random};
use crate::store::SessionStore;
use crate::time::Clock;
use crate::watch::Watchers;
use rhythm::Rhythm;

/// The most jobs that one batch takes.
const BATCH: usize = 256;

/// How often a job is tried again because another writer was faster.
const TRIES: u32 = 64;

/// After so many tries a job rests: two processes that write one session in step would else be faster
/// than each other for ever, always the same one.
const REST_AFTER: u32 = 4;

/// The longest rest, in milliseconds. How long it is, is drawn.
const LONGEST_REST: u8 = 8;

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
    parts: Arc<Parts>,
    queue: Mutex<Queue>,
    idle: Notify,
    /// A job has come.
    came: Notify,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Waiting>,
    /// How many jobs have ever come.
    submitted: u64,
    /// How many rest before they are tried again.
    resting: usize,
    is_draining: bool,
    rhythm: Rhythm,
}

/// A job and how often it has been tried.
struct Waiting {
    job: Job,
    tries: u32,
}

impl Committer {
    pub(crate) fn new(parts: Parts) -> Self {
        let parts = Arc::new(parts);
        let (queue, idle, came) = (Mutex::default(), Notify::new(), Notify::new());
        Self(Arc::new(Inner { parts, queue, idle, came }))
    }

    /// Queues a job made with the sender of its answer.
    pub(crate) fn submit(&self, make: impl FnOnce(Reply) -> Job) -> Answer {
        let (reply, answer) = oneshot::channel();
        let mut queue = self.0.lock();
        queue.submitted += 1;
        self.0.push(&mut queue, Waiting { job: make(reply), tries: 0 });
        answer
    }

    /// How many jobs have ever been queued: it grows while there are requests that commit.
    pub(crate) fn submitted(&self) -> u64 {
        self.0.lock().submitted
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
            let is_idle = {
                let queue = self.0.lock();
                !queue.is_draining && queue.resting == 0
            };
            if is_idle {
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

    fn push(self: &Arc<Self>, queue: &mut Queue, waiting: Waiting) {
        queue.jobs.push_back(waiting);
        if !queue.is_draining {
            queue.is_draining = true;
            tokio::spawn(Arc::clone(self).drain());
        }
        self.came.notify_one();
    }

    async fn drain(self: Arc<Self>) {
        let mut draining = Draining { inner: &self, is_done: false };
        loop {
            self.wait_for_more().await;
            let Some(jobs) = self.next_jobs() else { break };
            let (start, count) = (Instant::now(), jobs.len());
            let again = round::run(&self.parts, jobs).await;
            let (end, answered) = (Instant::now(), count - again.len());
            let (tired, again): (Vec<_>, Vec<_>) =
                again.into_iter().partition(|waiting| waiting.is_tired());
            let mut queue = self.lock();
            let queued = queue.jobs.len();
            queue.rhythm.done(end - start, answered, queued, end);
            for waiting in again.into_iter().rev() {
                queue.jobs.push_front(waiting);
            }
            for waiting in tired {
                queue.resting += 1;
                tokio::spawn(Resting(Arc::clone(&self)).rest(waiting));
            }
        }
        draining.is_done = true;
    }

    /// Waits for those who are likely to come in a moment, where anybody is.
    async fn wait_for_more(&self) {
        let wait = {
            let queue = self.lock();
            queue.rhythm.wait(queue.jobs.len(), Instant::now())
        };
        let Some(mut wait) = wait else { return };
        loop {
            let until = {
                let mut queue = self.lock();
                let jobs = queue.jobs.len();
                queue.rhythm.go_on(&mut wait, jobs, Instant::now())
            };
            let Some(until) = until else { return };
            wait.turn(until, &self.came).await;
        }
    }

    /// The next jobs; `None` when there are none, and then this drain is over: the next job
    /// starts another.
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

impl Waiting {
    /// Whether this job has lost so often that it rests before its next try.
    const fn is_tired(&self) -> bool {
        self.tries > 0 && self.tries.is_multiple_of(REST_AFTER)
    }
}

/// A job that rests; counted for as long as it does.
struct Resting(Arc<Inner>);

impl Resting {
    async fn rest(self, mut waiting: Waiting) {
        let parts = &self.0.parts;
        let drawn = random(&*parts.rng).map_or(0, |[byte]| byte);
        tokio::time::sleep(Duration::from_millis(u64::from(drawn % LONGEST_REST))).await;
        // Tried at once on what is there then.
        waiting.job.needs().iter().for_each(|id| parts.cache.forget(id));
        waiting.tries += 1;
        self.0.push(&mut self.0.lock(), waiting);
    }
}

impl Drop for Resting {
    fn drop(&mut self) {
        self.0.lock().resting -= 1;
        self.0.idle.notify_waiters();
    }
}

/// Looks after a drain that a panic or the end of its runtime cuts off. What the store has
/// committed and the cache has not heard of is then unknown, so nothing cached is trusted; what
/// was queued is answered by its dropped senders.
struct Draining<'a> {
    inner: &'a Inner,
    is_done: bool,
}

impl Drop for Draining<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            self.inner.parts.cache.forget_all();
            let mut queue = self.inner.lock();
            queue.is_draining = false;
            let unanswered = std::mem::take(&mut queue.jobs);
            drop(queue);
            drop(unanswered);
        }
        self.inner.idle.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyRing;
    use crate::random::SystemRng;
    use crate::store::MemoryStore;
    use crate::time::SystemClock;

    fn committer() -> Committer {
        let keys = KeyRing::generate().unwrap();
        Committer::new(Parts {
            store: Arc::new(MemoryStore::new()),
            cache: Arc::new(Cache::new(1 << 20, keys.clone(), true)),
            watchers: Arc::default(),
            clock: Arc::new(SystemClock::new()),
            rng: Arc::new(SystemRng),
            sealer: Sealer::new(keys),
        })
    }

    /// After a round of 8 ms that answered four: how long it takes until so many are answered.
    async fn answered_after_four(jobs: usize) -> Duration {
        let (committer, start) = (committer(), Instant::now());
        committer.0.lock().rhythm.done(Duration::from_millis(8), 4, 0, start);
        let submit = |_| committer.submit(|reply| Job::Tell { events: Vec::new(), reply });
        for answer in (0..jobs).map(submit).collect::<Vec<_>>() {
            answered(answer.await).unwrap();
        }
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_while_others_are_expected_waits_for_them_and_a_quarter_of_a_round_at_most() {
        assert_eq!(answered_after_four(4).await, Duration::ZERO);
        let waited = answered_after_four(1).await;
        assert!((2..=3).contains(&waited.as_millis()), "{waited:?}");
    }

    #[tokio::test]
    async fn a_drain_that_is_done_leaves_alone_what_the_next_has_been_given() {
        let committer = committer();
        let mut first = Draining { inner: &committer.0, is_done: false };
        committer.0.lock().is_draining = true;
        assert!(committer.0.next_jobs().is_none());
        first.is_done = true;
        let answer = committer.submit(|reply| Job::Tell { events: Vec::new(), reply });
        drop(first);
        assert!(committer.0.lock().is_draining);
        answered(answer.await).unwrap();
    }

    #[tokio::test]
    async fn a_drain_that_broke_off_answers_those_who_wait() {
        let committer = committer();
        let broken = Draining { inner: &committer.0, is_done: false };
        committer.0.lock().is_draining = true;
        let answer = committer.submit(|reply| Job::Tell { events: Vec::new(), reply });
        drop(broken);
        assert!(matches!(answered(answer.await), Err(SessionError::Unknown(_))));
        let next = committer.submit(|reply| Job::Tell { events: Vec::new(), reply });
        answered(next.await).unwrap();
    }
}
