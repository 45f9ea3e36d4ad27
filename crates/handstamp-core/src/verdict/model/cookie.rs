//! Cookies: a browser with two tabs and one jar, cookies that rotate by age and by privilege
//! change, answers that are lost, a thief with a cookie of the past.
//!
//! What is asked of the browser: a request is under way for no longer than the grace, and answers
//! come in the order in which they were given. An answer to a privilege change comes; where it is
//! lost, the old cookie is dead by design.

use super::{AGES, Lineage, Model, NOW, STEPS, advance, age, assert_explored, long_ago, older};
use crate::verdict::{CookieVerdict, GRACE, Rotation, judge_cookie};

/// The generation after which nothing rotates: the bound of the exploration.
const LAST: u32 = 5;

struct Cookies;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    lineage: Lineage,
    /// The generation that the jar holds; `None` once it was told to delete.
    jar: Option<u32>,
    /// What each tab's request carries, and for how long it has been under way.
    tabs: [Option<(u32, u64)>; 2],
    stolen: Option<u32>,
    fault: Option<&'static str>,
}

/// What a response does to the jar.
enum Answer {
    Set(u32),
    Nothing,
    Refused,
}

/// What the engine does about a cookie: the verdict and what follows.
fn answer(lineage: &mut Lineage, generation: u32) -> Answer {
    match judge_cookie(lineage, generation, 1, NOW) {
        CookieVerdict::Good { is_first_sight } => {
            // Rotated by age: an hour and a second.
            let is_due = age(lineage.rotated_at) == AGES[3] && lineage.is_settled(NOW);
            if is_first_sight {
                (lineage.is_seen, lineage.seen_at) = (true, NOW);
            }
            if !is_due || lineage.generation >= LAST {
                return Answer::Nothing;
            }
            lineage.rotate(Rotation::Routine, 1, None, NOW);
            Answer::Set(lineage.generation)
        }
        CookieVerdict::GoodResend => Answer::Set(lineage.generation),
        CookieVerdict::GoodStale => Answer::Nothing,
        CookieVerdict::Superseded { .. }
        | CookieVerdict::Older
        | CookieVerdict::Ahead
        | CookieVerdict::Foreign => Answer::Refused,
    }
}

fn arrive(state: &State, tab: usize) -> Vec<(&'static str, State)> {
    let mut next = state.clone();
    let Some((generation, _)) = next.tabs[tab].take() else { return Vec::new() };
    match answer(&mut next.lineage, generation) {
        Answer::Nothing => vec![("good", next)],
        Answer::Set(token) => {
            let received = State { jar: Some(token), ..next.clone() };
            vec![("good, cookie sent", received), ("good, answer lost", next)]
        }
        Answer::Refused => {
            if state.jar == Some(generation) {
                next.fault = Some("an honest browser was signed out");
            }
            if generation >= state.lineage.privilege_generation {
                next.fault = Some("an honest request under way was refused");
            }
            // A loser is told nothing that would undo what the winner was told.
            vec![("refused", next)]
        }
    }
}

fn thieve(state: &State) -> Option<State> {
    let mut next = state.clone();
    let generation = state.stolen?;
    let is_old = generation + 1 < state.lineage.generation;
    let is_privileged = generation < state.lineage.privilege_generation;
    let is_late = |at| age(at) > GRACE.as_secs();
    let is_late = is_late(state.lineage.rotated_at) && is_late(state.lineage.seen_at);
    let must_refuse = is_privileged
        || is_old
        || (generation < state.lineage.generation && state.lineage.is_seen && is_late);
    match answer(&mut next.lineage, generation) {
        Answer::Refused => {}
        _ if must_refuse => next.fault = Some("a thief was served for a superseded cookie"),
        Answer::Set(token) => next.stolen = Some(token),
        Answer::Nothing => {}
    }
    Some(next)
}

fn wait(state: &State, step: u64) -> Option<State> {
    let mut next = state.clone();
    advance(&mut next.lineage, step);
    for (_, age) in next.tabs.iter_mut().flatten() {
        *age = older(*age, step);
    }
    let is_prompt = next.tabs.iter().flatten().all(|(_, age)| *age <= GRACE.as_secs());
    is_prompt.then_some(next)
}

/// A request that presents a good cookie asks for a new one: by signing in again, or stepping up.
fn regenerate(state: &State) -> Option<State> {
    let mut next = state.clone();
    let is_refused = matches!(answer(&mut next.lineage, state.jar?), Answer::Refused);
    if is_refused || next.lineage.generation >= LAST {
        return None;
    }
    next.lineage.rotate(Rotation::Privilege, 1, None, NOW);
    next.jar = Some(next.lineage.generation);
    Some(next)
}

impl Model for Cookies {
    type State = State;

    fn start(&self) -> State {
        State { lineage: long_ago(), jar: Some(1), tabs: [None; 2], stolen: None, fault: None }
    }

    fn next(&self, state: &State) -> Vec<(&'static str, State)> {
        let mut next = Vec::new();
        for tab in 0..2 {
            next.extend(arrive(state, tab));
            if let (None, Some(jar)) = (state.tabs[tab], state.jar) {
                let mut sent = state.clone();
                sent.tabs[tab] = Some((jar, 0));
                next.push(("request", sent));
            }
        }
        next.extend(STEPS.iter().filter_map(|step| Some(("wait", wait(state, *step)?))));
        next.extend(thieve(state).map(|next| ("thief", next)));
        next.extend(regenerate(state).map(|next| ("regenerate", next)));
        if state.stolen.is_none() {
            next.push(("steal", State { stolen: state.jar, ..state.clone() }));
        }
        next
    }

    fn fault(&self, state: &State) -> Option<&'static str> {
        let is_leaf = |generation: &u32| {
            let verdict = judge_cookie(&state.lineage, *generation, 1, NOW);
            matches!(verdict, CookieVerdict::Good { .. })
        };
        let leaves = (0..=LAST + 1).filter(is_leaf).count();
        let is_deleted = state.jar.is_none();
        // A thief who is faster than the browser is served; then the browser may be refused.
        let fault = state.fault.filter(|it| !(state.stolen.is_some() && it.contains("honest")));
        fault
            .or((leaves != 1).then_some("not one live leaf"))
            .or(is_deleted.then_some("a loser deleted the cookie"))
    }
}

#[test]
fn a_browser_stays_in_one_cookie_is_the_leaf_and_an_old_one_is_worth_nothing() {
    assert_explored("browser and thief", &Cookies);
}
