//! How a cleanup makes way for requests.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use crate::commit::Committer;

/// How many sessions end, or tombstones go, in one step while no request commits anything.
pub(super) const STEP: usize = 128;

/// The same while requests commit. What arrives during a step waits until it is on disk, so a step
/// is to take little longer than the sync that it needs anyway.
const STEP_BESIDE: usize = 16;

/// So long after the last request that committed something, a cleanup has the store for itself.
const LATELY: Duration = Duration::from_secs(1);

/// After so long a cleanup makes way no more: what comes faster than it may go would pile up.
const PATIENCE: Duration = Duration::from_secs(60 * 60);

/// Paces one cleanup: while requests commit it goes in small steps, and after each leaves the store
/// to them for as long as the step took. Half of the time is theirs, however slow the disk is.
pub(super) struct Pace<'a> {
    committer: &'a Committer,
    begun: Instant,
    /// How many jobs had been submitted, ours included, when it was last looked.
    submitted: u64,
    /// When requests were last heard of.
    heard: Instant,
}

impl<'a> Pace<'a> {
    /// At first, requests count as heard of.
    pub(super) fn of(committer: &'a Committer) -> Self {
        let now = Instant::now();
        Self { committer, begun: now, submitted: committer.submitted(), heard: now }
    }

    /// How much the next step does.
    pub(super) fn size(&self) -> usize {
        if self.makes_way() { STEP_BESIDE } else { STEP }
    }

    /// Takes a step, which submits `own` jobs, and then the rest that is due.
    pub(super) async fn step<T>(&mut self, own: usize, step: impl Future<Output = T>) -> T {
        let start = Instant::now();
        let done = step.await;
        let spent = start.elapsed();
        self.listen(own as u64);
        if self.makes_way() {
            tokio::time::sleep(spent.min(LATELY)).await;
        } else {
            tokio::task::yield_now().await;
        }
        done
    }

    /// Notices whether others than us have submitted anything.
    fn listen(&mut self, own: u64) {
        let submitted = self.committer.submitted();
        if submitted > self.submitted + own {
            self.heard = Instant::now();
        }
        self.submitted = submitted;
    }

    fn makes_way(&self) -> bool {
        self.heard.elapsed() < LATELY && self.begun.elapsed() < PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::commit::Job;
    use crate::config::SessionConfig;
    use crate::engine::Engine;
    use crate::key::KeyRing;
    use crate::random::SystemRng;
    use crate::store::MemoryStore;
    use crate::time::SystemClock;

    const MILLI: Duration = Duration::from_millis(1);

    fn engine() -> Arc<Engine> {
        let (config, keys) = (SessionConfig::default(), KeyRing::generate().unwrap());
        let (clock, rng) = (Arc::new(SystemClock::new()), Arc::new(SystemRng));
        Engine::new(Arc::new(MemoryStore::new()), config, keys, clock, rng, false)
    }

    fn request(engine: &Engine) {
        drop(engine.committer.submit(|reply| Job::Tell { events: Vec::new(), reply }));
    }

    /// How long a step takes, with the rest after it.
    async fn taken(pace: &mut Pace<'_>, own: usize, step: impl Future<Output = ()>) -> Duration {
        let start = Instant::now();
        pace.step(own, step).await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn beside_requests_steps_are_small_and_followed_by_a_rest_as_long() {
        let engine = engine();
        let mut pace = Pace::of(&engine.committer);
        for _ in 0..1_000 {
            request(&engine);
            assert_eq!(pace.size(), STEP_BESIDE);
            assert_eq!(taken(&mut pace, 0, tokio::time::sleep(MILLI * 5)).await, MILLI * 10);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_after_the_last_request_steps_are_large_and_without_a_rest() {
        let engine = engine();
        let mut pace = Pace::of(&engine.committer);
        request(&engine);
        taken(&mut pace, 0, tokio::time::sleep(MILLI)).await;
        taken(&mut pace, 0, tokio::time::sleep(LATELY)).await;
        assert_eq!(pace.size(), STEP);
        assert_eq!(taken(&mut pace, 0, tokio::time::sleep(MILLI * 5)).await, MILLI * 5);
        request(&engine);
        assert_eq!(taken(&mut pace, 0, tokio::time::sleep(MILLI * 5)).await, MILLI * 10);
        assert_eq!(pace.size(), STEP_BESIDE);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_step_submits_itself_is_no_request() {
        let engine = engine();
        let mut pace = Pace::of(&engine.committer);
        for _ in 0..1_000 {
            let step = async {
                request(&engine);
                request(&engine);
                tokio::time::sleep(MILLI).await;
            };
            taken(&mut pace, 2, step).await;
        }
        assert_eq!(pace.size(), STEP);
    }

    #[tokio::test(start_paused = true)]
    async fn after_an_hour_a_cleanup_makes_way_no_more() {
        let engine = engine();
        let mut pace = Pace::of(&engine.committer);
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            request(&engine);
            assert_eq!(pace.size(), STEP_BESIDE);
            taken(&mut pace, 0, tokio::time::sleep(MILLI * 500)).await;
        }
        request(&engine);
        assert_eq!(pace.size(), STEP);
        assert_eq!(taken(&mut pace, 0, tokio::time::sleep(MILLI * 5)).await, MILLI * 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_that_hung_is_followed_by_a_second_of_rest_and_no_more() {
        let engine = engine();
        let mut pace = Pace::of(&engine.committer);
        request(&engine);
        let hung = LATELY * 30;
        assert_eq!(taken(&mut pace, 0, tokio::time::sleep(hung)).await, hung + LATELY);
    }
}
