//! Seeded schedules: the same race, ten thousand times, each time in another order.

use std::any::Any;
use std::future::Future;
use std::sync::Arc;

use super::stage::Stage;

/// How many schedules each race is played in, where the fixture asks for no fewer.
pub const SCHEDULES: u64 = 10_000;

/// How many schedules are played at once, on sessions of their own, so that they share batches.
const AT_ONCE: u64 = 100;

/// The variable that plays one schedule again, with those that it was played with.
pub const SEED: &str = "HANDSTAMP_SEED";

/// The turns that one actor of a schedule takes.
#[derive(Clone, Debug)]
pub struct Turns {
    seed: u64,
    state: u64,
}

impl Turns {
    pub(super) fn of(seed: u64) -> Self {
        Self { seed, state: seed.wrapping_mul(0x2545_f491_4f6c_dd1d) }
    }

    /// The number of the schedule.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// A subject that no other schedule has.
    pub fn subject(&self) -> String {
        format!("subject-{}", self.seed)
    }

    /// The turns of one more actor of the same schedule.
    pub fn another(&mut self) -> Self {
        Self { seed: self.seed, state: self.draw() }
    }

    /// A number below `end`, by SplitMix64.
    pub fn below(&mut self, end: u64) -> u64 {
        self.draw() % end
    }

    /// Lets others run for a few turns of the scheduler.
    pub async fn pause(&mut self) {
        for _ in 0..self.below(16) {
            tokio::task::yield_now().await;
        }
    }

    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Plays `race` in [`SCHEDULES`] schedules.
pub async fn in_every_schedule<F>(stage: Stage, race: impl Fn(Arc<Stage>, Turns) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    in_schedules(SCHEDULES, stage, race).await;
}

/// Plays `race` in so many schedules, a multiple of 100; in proportion fewer where the fixture asks
/// for fewer.
pub async fn in_schedules<F>(count: u64, stage: Stage, race: impl Fn(Arc<Stage>, Turns) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let count = (count * stage.schedules() / SCHEDULES).next_multiple_of(AT_ONCE);
    let stage = Arc::new(stage);
    for first in (0..count).step_by(usize::try_from(AT_ONCE).unwrap()) {
        if wanted().is_none_or(|seed| (first..first + AT_ONCE).contains(&seed)) {
            stage.gate.schedule(first);
            play(first, |seed| race(Arc::clone(&stage), Turns::of(seed))).await;
        }
    }
}

fn wanted() -> Option<u64> {
    std::env::var(SEED).ok().map(|seed| seed.parse().expect("a number of a schedule"))
}

async fn play<F>(first: u64, race: impl Fn(u64) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let played: Vec<_> =
        (first..first + AT_ONCE).map(|seed| (seed, tokio::spawn(race(seed)))).collect();
    for (seed, played) in played {
        if let Err(failed) = played.await {
            let why = told(failed.into_panic());
            panic!("schedule {seed}: {why}\n({SEED}={seed} plays it again)");
        }
    }
}

fn told(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}
