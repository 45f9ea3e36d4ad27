//! How often something happened within a window that slides.

use std::time::Duration;

use handstamp_core::time::Timestamp;

/// Into how many parts a window is cut.
const PARTS: usize = 16;

/// Counts what happened within a window, to one sixteenth of it: something is forgotten when it is
/// between 15/16 of the window and the whole window old. Takes the same room however much happens.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    /// The number of the newest part, counted from the epoch.
    newest: i64,
    parts: [u32; PARTS],
}

impl Window {
    /// Counts one at `at`. A clock that went back counts into the newest part.
    pub(super) fn add(&mut self, at: Timestamp, window: Duration) {
        self.advance(part_of(at, window));
        let newest = slot(self.newest);
        self.parts[newest] = self.parts[newest].saturating_add(1);
    }

    /// How many there were in the window that ends at `at`.
    pub(super) fn count(&self, at: Timestamp, window: Duration) -> u32 {
        let mut now = *self;
        now.advance(part_of(at, window));
        now.parts.iter().fold(0, |sum, part| sum.saturating_add(*part))
    }

    /// Forgets what is too old once `part` is the newest.
    fn advance(&mut self, part: i64) {
        let passed = part.saturating_sub(self.newest);
        if passed <= 0 {
            return;
        }
        let forgotten = usize::try_from(passed).unwrap_or(PARTS).min(PARTS);
        for step in 0..forgotten {
            self.parts[(slot(part) + PARTS - step) % PARTS] = 0;
        }
        self.newest = part;
    }
}

fn part_of(at: Timestamp, window: Duration) -> i64 {
    let length = i64::try_from(window.as_millis() / PARTS as u128).unwrap_or(i64::MAX).max(1);
    at.as_millis().div_euclid(length)
}

fn slot(part: i64) -> usize {
    part.rem_euclid(PARTS as i64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(160);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000).plus(Duration::from_secs(seconds))
    }

    #[test]
    fn what_is_within_the_window_counts_and_what_is_older_does_not() {
        let mut window = Window::default();
        for seconds in [0, 0, 70, 140] {
            window.add(at(seconds), WINDOW);
        }
        assert_eq!(window.count(at(140), WINDOW), 4);
        assert_eq!(window.count(at(149), WINDOW), 4, "15/16 are always within");
        assert_eq!(window.count(at(161), WINDOW), 2, "the whole window is always over");
        assert_eq!(window.count(at(231), WINDOW), 1);
        assert_eq!(window.count(at(100_000), WINDOW), 0);
    }

    #[test]
    fn asking_forgets_nothing() {
        let mut window = Window::default();
        window.add(at(0), WINDOW);
        assert_eq!(window.count(at(1_000), WINDOW), 0);
        assert_eq!(window.count(at(0), WINDOW), 1);
    }

    #[test]
    fn a_clock_that_goes_back_neither_loses_nor_invents() {
        let mut window = Window::default();
        window.add(at(100), WINDOW);
        window.add(at(0), WINDOW);
        assert_eq!(window.count(at(0), WINDOW), 2);
        assert_eq!(window.count(at(100), WINDOW), 2);
    }

    /// Against a list of everything that happened.
    #[test]
    fn it_agrees_with_a_list_to_one_sixteenth_of_the_window() {
        let (mut window, mut list, mut now, mut seed) =
            (Window::default(), Vec::new(), 0_u64, 7_u64);
        for _ in 0..5_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            now += (seed >> 33) % 40;
            window.add(at(now), WINDOW);
            list.push(now);
            let within = |age: u64| list.iter().filter(|then| now - **then <= age).count();
            let count = window.count(at(now), WINDOW) as usize;
            assert!(within(150) <= count + 1 && count <= within(160), "{count} at {now}");
        }
    }
}
