//! Counting what passed and what failed, from what test runners print.

use std::fmt;
use std::ops::{Add, AddAssign};

/// How many tests passed, failed, and were left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) left_out: u32,
}

impl Tally {
    /// One thing that passed.
    pub(crate) const PASSED: Self = Self { passed: 1, failed: 0, left_out: 0 };
    /// One thing that failed.
    pub(crate) const FAILED: Self = Self { passed: 0, failed: 1, left_out: 0 };

    /// One thing that was not tried.
    pub(crate) const LEFT_OUT: Self = Self { passed: 0, failed: 0, left_out: 1 };

    /// How many were run.
    pub(crate) fn total(self) -> u32 {
        self.passed + self.failed
    }

    /// Adds what a line of libtest's output says, if it is a result:
    /// `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; …`.
    pub(crate) fn see_libtest(&mut self, line: &str) {
        let Some((_, counts)) = line.split_once("test result: ") else { return };
        for count in counts.split([';', '.']) {
            match number_and_word(count) {
                Some((n, "passed")) => self.passed += n,
                Some((n, "failed")) => self.failed += n,
                Some((n, "ignored")) => self.left_out += n,
                _ => {}
            }
        }
    }

    /// Takes what a line of node's `spec` reporter says, if it is one of the closing counts:
    /// `ℹ pass 3`. They come once, last, so a later one replaces an earlier one.
    pub(crate) fn see_node(&mut self, line: &str) {
        let Some(count) = line.strip_prefix("ℹ ") else { return };
        match count.split_once(' ').map(|(word, n)| (word, n.trim().parse())) {
            Some(("pass", Ok(n))) => self.passed = n,
            Some(("fail", Ok(n))) => self.failed = n,
            Some(("cancelled", Ok(n))) => self.failed += n,
            Some(("skipped" | "todo", Ok(n))) => self.left_out += n,
            _ => {}
        }
    }

    /// A runner that failed without a failed test (it did not build, it crashed) is a failure.
    pub(crate) fn with_exit(self, is_good: bool) -> Self {
        if is_good || self.failed > 0 { self } else { self + Self::FAILED }
    }
}

impl Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            left_out: self.left_out + other.left_out,
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

fn number_and_word(count: &str) -> Option<(u32, &str)> {
    let (number, word) = count.trim().split_once(' ')?;
    Some((number.parse().ok()?, word.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_lines(lines: &[&str], see: fn(&mut Tally, &str)) -> Tally {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| see(&mut tally, line));
        tally
    }

    #[test]
    fn libtest_results_add_up_over_several_binaries() {
        let lines = [
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.02s",
            "test a_test_with_99 passed; in_its_name ... ok",
            "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.50s",
        ];
        let tally = of_lines(&lines, Tally::see_libtest);
        assert_eq!(tally, Tally { passed: 14, failed: 1, left_out: 1 });
        assert_eq!(tally.to_string(), "14 passed, 1 failed");
    }

    #[test]
    fn node_counts_are_read_and_a_cancelled_test_is_a_failed_one() {
        let lines = [
            "✔ signs in (512.3ms)",
            "ℹ tests 7",
            "ℹ suites 0",
            "ℹ pass 4",
            "ℹ fail 1",
            "ℹ cancelled 1",
            "ℹ skipped 1",
            "ℹ todo 0",
            "ℹ duration_ms 734.1",
        ];
        let tally = of_lines(&lines, Tally::see_node);
        assert_eq!(tally, Tally { passed: 4, failed: 2, left_out: 1 });
    }

    #[test]
    fn a_runner_that_crashes_counts_as_a_failure_once() {
        assert_eq!(Tally::PASSED.with_exit(true).failed, 0);
        assert_eq!(Tally::PASSED.with_exit(false).failed, 1);
        assert_eq!(Tally::FAILED.with_exit(false).failed, 1);
    }
}
