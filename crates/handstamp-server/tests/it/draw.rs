//! Choices that a seed makes, so that what went wrong can be played again.

use handstamp_core::random::Rng as _;
use handstamp_core::testing::SeededRng;

/// The seed of a test, which prints it: `HANDSTAMP_SEED`, or a new one.
pub(crate) fn seed() -> u64 {
    let given = std::env::var("HANDSTAMP_SEED").ok();
    given.map_or_else(|| std::process::id().into(), |text| text.parse().unwrap())
}

/// A stream of choices.
pub(crate) struct Draw(SeededRng);

impl Draw {
    /// The choices of the `number`th of those that share a seed.
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        Self(SeededRng::new(seed.wrapping_mul(1_000_003).wrapping_add(number)))
    }

    /// One of the numbers below `end`.
    pub(crate) fn below(&self, end: u32) -> u32 {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes).unwrap();
        u32::from_be_bytes(bytes) % end
    }

    /// True once in `times`.
    pub(crate) fn once_in(&self, times: u32) -> bool {
        self.below(times) == 0
    }

    /// One of these; there must be one.
    pub(crate) fn of<'a, T>(&self, choices: &'a [T]) -> &'a T {
        &choices[self.below(u32::try_from(choices.len()).unwrap()) as usize]
    }
}
