//! What happens when. Nothing here looks at a clock or at chance: the plan is always the same.

use std::time::Duration;

use super::cast::{PEOPLE, Person};
use super::minutes;

/// How far back the history goes.
const DAYS: u64 = 14;

const DAY: u64 = 24 * 60;

/// Any number but 0; another one gives another history.
const SEED: u64 = 0x6e69_6768_7466_6169;

/// Something that happens, so long before the end.
pub(super) struct Act {
    pub(super) before: Duration,
    pub(super) what: What,
}

/// What can happen. Visits are counted from 0.
#[derive(Clone, Copy)]
pub(super) enum What {
    Fail {
        person: &'static Person,
        device: usize,
    },
    Guess,
    Begin {
        visit: usize,
        person: &'static Person,
        device: usize,
        is_remembered: bool,
    },
    Refresh {
        visit: usize,
    },
    Leave {
        visit: usize,
    },
    /// A token that has been exchanged comes back: a copy of it was taken.
    Replay {
        visit: usize,
    },
    TidyUp,
}

/// Numbers that look like chance (xorshift64*).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % sides
    }
}

/// Everything that happens, in its order.
pub(super) fn plan() -> Vec<Act> {
    let mut writer = Writer { dice: Dice(SEED), acts: Vec::new(), visits: 0 };
    for day in (0..DAYS).rev() {
        // It grows a little, and the week has its shape.
        let visits = 8 + (DAYS - day) / 2 + writer.dice.roll(5);
        for _ in 0..visits {
            let minute = writer.dice.roll(DAY);
            writer.visit(day * DAY + minute);
        }
        for hour in (0..24).step_by(3) {
            writer.note(day * DAY + hour * 60, What::TidyUp);
        }
    }
    // Some are here right now.
    for start in [4, 11, 19, 33] {
        writer.visit(start);
    }
    // One night, somebody tries names for a while.
    for guess in 0..40 {
        writer.note(3 * DAY + 200 - guess, What::Guess);
    }
    // Stable: what was planned first for a minute happens first in it.
    writer.acts.sort_by_key(|act| std::cmp::Reverse(act.before));
    writer.acts
}

struct Writer {
    dice: Dice,
    acts: Vec<Act>,
    visits: usize,
}

impl Writer {
    fn note(&mut self, before: u64, what: What) {
        // The end itself belongs to those who start the demo.
        self.acts.push(Act { before: minutes(before + 1), what });
    }

    /// Somebody comes `start` minutes before the end, and stays for a while.
    fn visit(&mut self, start: u64) {
        let visit = self.visits;
        self.visits += 1;
        let person = &PEOPLE[self.index(PEOPLE.len())];
        let device = self.index(3);
        if self.dice.roll(8) == 0 {
            self.note(start + 1, What::Fail { person, device });
        }
        let is_remembered = self.dice.roll(5) < 2;
        self.note(start, What::Begin { visit, person, device, is_remembered });
        let mut at = start;
        for _ in 0..self.dice.roll(4) {
            let Some(later) = at.checked_sub(10 + self.dice.roll(15)) else { return };
            at = later;
            self.note(at, What::Refresh { visit });
        }
        if visit % 50 == 31 {
            self.stolen(visit, at);
        } else if self.dice.roll(10) < 4
            && let Some(later) = at.checked_sub(1 + self.dice.roll(10))
        {
            self.note(later, What::Leave { visit });
        }
    }

    /// Somebody else presents a token of this visit, long after it was exchanged.
    fn stolen(&mut self, visit: usize, at: u64) {
        for (earlier, what) in [
            (8, What::Refresh { visit }),
            (16, What::Refresh { visit }),
            (25, What::Replay { visit }),
        ] {
            self.note(at.saturating_sub(earlier), what);
        }
    }

    fn index(&mut self, count: usize) -> usize {
        let sides = u64::try_from(count).unwrap_or(1);
        usize::try_from(self.dice.roll(sides)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_goes_over_two_weeks_in_order_and_holds_each_kind_of_thing() {
        let acts = plan();
        assert!(acts.is_sorted_by(|one, next| one.before >= next.before));
        assert!(acts[0].before <= minutes(DAYS * DAY + 2));
        let count = |is: fn(&What) -> bool| acts.iter().filter(|act| is(&act.what)).count();
        let begun = count(|what| matches!(what, What::Begin { .. }));
        assert!((150..400).contains(&begun), "{begun}");
        assert!(count(|what| matches!(what, What::Refresh { .. })) > begun);
        assert!(count(|what| matches!(what, What::Fail { .. })) > 10);
        assert!(count(|what| matches!(what, What::Replay { .. })) > 0);
        assert_eq!(plan().len(), acts.len());
    }
}
