//! Models of rotation, explored exhaustively: every state that the actors can reach in any order
//! of their steps, breadth first, with the real verdicts and the real [`Lineage`].
//!
//! The explorer is our own because it is all that is needed of one; stateright, which is made for
//! this, brings 40 packages, a web server among them.
//!
//! Time is a bound too: every age is taken as one of [`AGES`], which are the sides of the two
//! limits that verdicts know, and [`advance`] moves all ages of a state by the same step.

mod cookie;
mod refresh;

use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;
use std::time::Duration;

use super::Lineage;
use crate::time::Timestamp;

/// The present of every state: ages are what differs.
const NOW: Timestamp = Timestamp::from_millis(10_000_000);

/// Now, at the end of the grace, beyond it, and beyond the retry window; in seconds.
const AGES: [u64; 4] = [0, 30, 60, 3601];

/// Steps of time, in seconds: to the end of the grace, and past the retry window.
const STEPS: [u64; 2] = [30, 3571];

/// What is explored.
trait Model {
    /// Where everybody is.
    type State: Clone + Eq + Hash + Debug;

    fn start(&self) -> Self::State;

    /// Everything that can happen next, each with its name.
    fn next(&self, state: &Self::State) -> Vec<(&'static str, Self::State)>;

    /// What must never be, if it is so in `state`.
    fn fault(&self, state: &Self::State) -> Option<&'static str>;
}

/// What an exploration came to.
#[derive(Debug)]
struct Explored {
    states: usize,
    /// The steps of the longest of all shortest ways: the model is explored to its end.
    depth: usize,
    /// The shortest way to a fault, step by step, if there is one.
    fault: Option<(&'static str, Vec<&'static str>)>,
}

/// Explores all of `model`, to its end or to the first fault.
fn explore<M: Model>(model: &M) -> Explored {
    let start = model.start();
    // Where each state was first come from, by place, and by which step.
    let mut places = HashMap::from([(start.clone(), 0)]);
    let mut ways: Vec<(usize, &'static str, usize)> = vec![(0, "start", 0)];
    let mut queue = VecDeque::from([(start, 0)]);
    while let Some((state, place)) = queue.pop_front() {
        if let Some(fault) = model.fault(&state) {
            let (states, depth) = (ways.len(), ways[place].2);
            return Explored { states, depth, fault: Some((fault, way_to(&ways, place))) };
        }
        for (step, next) in model.next(&state) {
            if !places.contains_key(&next) {
                places.insert(next.clone(), ways.len());
                queue.push_back((next, ways.len()));
                ways.push((place, step, ways[place].2 + 1));
            }
        }
    }
    let depth = ways.iter().map(|way| way.2).max().unwrap_or(0);
    Explored { states: ways.len(), depth, fault: None }
}

fn way_to(ways: &[(usize, &'static str, usize)], mut place: usize) -> Vec<&'static str> {
    let mut steps = Vec::new();
    while place != 0 {
        steps.push(ways[place].1);
        place = ways[place].0;
    }
    steps.reverse();
    steps
}

/// Asserts that nothing in `model` goes wrong, and says how much was looked at.
fn assert_explored<M: Model>(name: &str, model: &M) {
    let explored = explore(model);
    assert_eq!(explored.fault, None, "{name}");
    println!("{name}: all {} states, {} steps deep", explored.states, explored.depth);
}

/// Asserts that `model` goes wrong in this way, and says how.
fn assert_fault<M: Model>(model: &M, expected: &str) {
    let (fault, way) = explore(model).fault.unwrap();
    assert_eq!(fault, expected, "by {way:?}");
    println!("{fault}, by {way:?}");
}

/// The age that stands for all on its side of every limit.
fn side(age: Duration) -> u64 {
    match age.as_secs() {
        0 => AGES[0],
        1..=30 => AGES[1],
        31..=3600 => AGES[2],
        _ => AGES[3],
    }
}

fn age(since: Timestamp) -> u64 {
    side(NOW.since(since))
}

fn older(age: u64, step: u64) -> u64 {
    side(Duration::from_secs(age + step))
}

/// The lineage `step` seconds later.
fn advance(lineage: &mut Lineage, step: u64) {
    for at in [&mut lineage.rotated_at, &mut lineage.seen_at, &mut lineage.privilege_at] {
        *at = NOW.minus(Duration::from_secs(older(age(*at), step)));
    }
}

/// A lineage that began long ago.
fn long_ago() -> Lineage {
    Lineage::begin([0; 16], 1, NOW.minus(Duration::from_secs(AGES[3])))
}

mod tests {
    use super::*;

    /// Counts up by one or two; seven is a fault.
    struct Counter(u8);

    impl Model for Counter {
        type State = u8;

        fn start(&self) -> u8 {
            0
        }

        fn next(&self, state: &u8) -> Vec<(&'static str, u8)> {
            let next = [("one", state + 1), ("two", state + 2)];
            next.into_iter().filter(|(_, state)| *state <= self.0).collect()
        }

        fn fault(&self, state: &u8) -> Option<&'static str> {
            (*state == 7).then_some("seven")
        }
    }

    #[test]
    fn the_explorer_sees_every_state_and_tells_the_shortest_way_to_a_fault() {
        let all = explore(&Counter(6));
        assert_eq!((all.states, all.depth, all.fault), (7, 3, None));
        let (fault, way) = explore(&Counter(9)).fault.unwrap();
        assert_eq!((fault, way.len()), ("seven", 4));
    }
}
