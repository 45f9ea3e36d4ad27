//! Refresh tokens: an honest client in two tabs that share their storage, answers that are lost,
//! a thief with a token of the past, privilege changes, and a store that compares versions.
//!
//! An exchange is three steps, and anything may happen between them: it is sent, it reads the
//! record, it commits what the verdict makes of it **if the record is still the one it read**.
//!
//! What is asked of an honest client, and without which it may be signed out (shown below):
//! it writes an attempt id down before it asks, and both tabs use that one; a request is under way
//! for no longer than the grace; a lost answer is asked for again within the retry window and
//! [`RETRY_LIMIT`] times; and it does not refresh again within the grace of an answer.

use super::{AGES, Lineage, Model, NOW, STEPS, advance, age, assert_explored, assert_fault};
use super::{long_ago, older};
use crate::verdict::{GRACE, RETRY_LIMIT, RefreshVerdict, Rotation, judge_refresh};

/// Who and what takes part.
#[derive(Clone, Copy)]
struct Refresh {
    /// The generation after which no other is asked for: the bound of the exploration.
    last: u32,
    has_thief: bool,
    /// The rules of an honest client, and of the store, each of which can be broken.
    has_attempts: bool,
    is_prompt: bool,
    waits_between: bool,
    compares_versions: bool,
}

const HONEST: Refresh = Refresh {
    last: 5,
    has_thief: false,
    has_attempts: true,
    is_prompt: true,
    waits_between: true,
    compares_versions: true,
};

const WITH_THIEF: Refresh = Refresh { has_thief: true, last: 3, ..HONEST };

/// One exchange on its way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Stage {
    Idle,
    Sent {
        generation: u32,
        attempt: Option<u8>,
        age: u64,
    },
    /// With what was read, where the record has changed since.
    Read {
        generation: u32,
        attempt: Option<u8>,
        age: u64,
        outdated: Option<Box<Lineage>>,
    },
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    lineage: Lineage,
    is_over: bool,
    /// What the tabs share: the token, how long ago it came, the attempt to replace it.
    held: u32,
    held_age: u64,
    attempt: Option<u8>,
    tabs: [Stage; 2],
    /// What the thief has, once it has stolen anything.
    stolen: Option<u32>,
    thief: Stage,
    fault: Option<&'static str>,
}

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Tab(usize),
    Thief,
}

impl State {
    fn stage(&mut self, who: Who) -> &mut Stage {
        match who {
            Who::Tab(tab) => &mut self.tabs[tab],
            Who::Thief => &mut self.thief,
        }
    }

    /// Everything that was read is behind now: `before` was there.
    fn outdate(&mut self, before: &Lineage) {
        for stage in self.tabs.iter_mut().chain([&mut self.thief]) {
            if let Stage::Read { outdated, .. } = stage {
                outdated.get_or_insert_with(|| Box::new(before.clone()));
            }
        }
    }

    fn receive(&mut self, who: Who, generation: u32) {
        match who {
            Who::Thief => self.stolen = Some(generation),
            Who::Tab(_) if generation > self.held => {
                (self.held, self.held_age, self.attempt) = (generation, 0, None);
            }
            Who::Tab(_) => {}
        }
    }
}

impl Refresh {
    fn send(&self, state: &State, who: Who) -> Option<State> {
        let mut next = state.clone();
        let (generation, attempt) = match who {
            Who::Thief if state.stolen? < self.last => (state.stolen?, None),
            Who::Thief => return None,
            Who::Tab(_) => {
                let is_new = state.attempt.is_none();
                let must_wait = self.waits_between && is_new && age_within_grace(state.held_age);
                let is_last = is_new && state.lineage.generation >= self.last;
                if must_wait || is_last || has_asked_enough(state) {
                    return None;
                }
                // One attempt for each token, named by it: written down before anybody asks.
                next.attempt = Some(u8::try_from(state.held).unwrap());
                (state.held, next.attempt.filter(|_| self.has_attempts))
            }
        };
        *next.stage(who) = Stage::Sent { generation, attempt, age: 0 };
        Some(next)
    }

    /// What the verdict makes of the record that was read.
    fn commit(&self, state: &State, who: Who) -> Option<Vec<(&'static str, State)>> {
        let mut next = state.clone();
        let stage = std::mem::replace(next.stage(who), Stage::Idle);
        let Stage::Read { generation, attempt, age, outdated } = stage else { return None };
        if outdated.is_some() && self.compares_versions {
            *next.stage(who) = Stage::Sent { generation, attempt, age };
            return Some(vec![("conflict", next)]);
        }
        if state.is_over {
            return Some(vec![("refused, over", next)]);
        }
        let read = outdated.map_or_else(|| state.lineage.clone(), |read| *read);
        let answer = judge(&mut next, read, generation, attempt);
        if (&next.lineage, next.is_over) != (&state.lineage, state.is_over) {
            next.outdate(&state.lineage);
        }
        let Some(token) = answer else { return Some(self.refused(next, who, generation)) };
        next.fault = next.fault.or(served_fault(state, who, generation, attempt));
        let mut received = next.clone();
        received.receive(who, token);
        let may_lose = matches!(who, Who::Tab(_)) && next.lineage.retries < RETRY_LIMIT;
        let lost = may_lose.then_some(("answer lost", next));
        Some([("answered", received)].into_iter().chain(lost).collect())
    }

    /// A refusal makes a tab look at the storage again: only where nothing newer is there is it
    /// signed out.
    fn refused(&self, mut next: State, who: Who, generation: u32) -> Vec<(&'static str, State)> {
        if matches!(who, Who::Tab(_)) && generation == next.held && !self.has_thief {
            next.fault = next.fault.or(Some("an honest client was signed out"));
        }
        vec![("refused", next)]
    }

    /// Time passes, unless that would keep an honest request under way beyond the grace.
    fn wait(&self, state: &State, step: u64) -> Option<State> {
        let mut next = state.clone();
        advance(&mut next.lineage, step);
        next.held_age = older(state.held_age, step);
        for stage in next.tabs.iter_mut().chain([&mut next.thief]) {
            if let Stage::Read { outdated: Some(read), .. } = stage {
                advance(read, step);
            }
        }
        for stage in &mut next.tabs {
            if let Stage::Sent { age, .. } | Stage::Read { age, .. } = stage {
                *age = older(*age, step);
                if self.is_prompt && !age_within_grace(*age) {
                    return None;
                }
            }
        }
        let is_awaited = state.attempt.is_some() && state.held < state.lineage.generation;
        let is_too_late = age(next.lineage.rotated_at) == AGES[3];
        (!(is_awaited && is_too_late) || self.has_thief).then_some(next)
    }

    /// A step-up: the answer comes, for it is dead by design where it does not.
    fn change_privilege(&self, state: &State) -> Option<State> {
        if state.is_over || state.lineage.generation >= self.last || state.held_age == 0 {
            return None;
        }
        let mut next = state.clone();
        next.lineage.rotate(Rotation::Privilege, 1, None, NOW);
        next.outdate(&state.lineage);
        next.receive(Who::Tab(0), next.lineage.generation);
        Some(next)
    }

    /// An access token that was minted with the current token is presented.
    fn see(&self, state: &State) -> Option<State> {
        let is_there = state.held == state.lineage.generation
            || state.stolen == Some(state.lineage.generation);
        if !is_there || state.lineage.is_seen || state.is_over {
            return None;
        }
        let mut next = state.clone();
        next.lineage.is_seen = true;
        next.outdate(&state.lineage);
        Some(next)
    }

    fn steal(&self, state: &State) -> Option<State> {
        let may = self.has_thief && state.stolen.is_none();
        may.then(|| State { stolen: Some(state.held), ..state.clone() })
    }

    fn logout(&self, state: &State) -> Option<State> {
        if state.is_over || !self.has_thief {
            return None;
        }
        let mut next = State { is_over: true, ..state.clone() };
        next.outdate(&state.lineage);
        Some(next)
    }
}

fn read(state: &State, who: Who) -> Option<State> {
    let mut next = state.clone();
    let Stage::Sent { generation, attempt, age } = *next.stage(who) else { return None };
    *next.stage(who) = Stage::Read { generation, attempt, age, outdated: None };
    Some(next)
}

/// Does to the record what the engine does; answers the generation whose token is served.
fn judge(
    next: &mut State,
    mut lineage: Lineage,
    generation: u32,
    attempt: Option<u8>,
) -> Option<u32> {
    let hash = attempt.map(|attempt| [attempt; 32]);
    match judge_refresh(&lineage, generation, 1, hash.as_ref(), GRACE, NOW) {
        RefreshVerdict::Rotate => {
            if next.lineage.generation != lineage.generation {
                next.fault = Some("two successors of one token");
            }
            lineage.rotate(Rotation::Routine, 1, hash, NOW);
        }
        RefreshVerdict::Concurrent | RefreshVerdict::Retried { is_counted: false } => {}
        // Between the first retry that counts and the last but one, nothing differs.
        RefreshVerdict::Retried { is_counted: true } => {
            lineage.retries = (lineage.retries + 1).max(RETRY_LIMIT - 1);
        }
        RefreshVerdict::Reuse => {
            next.is_over = true;
            return None;
        }
        RefreshVerdict::Stale | RefreshVerdict::Ahead | RefreshVerdict::Foreign => return None,
    }
    if next.is_over {
        next.fault = Some("an end was undone");
    }
    next.lineage = lineage;
    Some(next.lineage.generation)
}

/// Whether what is under way uses up the retries that are left.
fn has_asked_enough(state: &State) -> bool {
    let under_way = state.tabs.iter().filter(|stage| **stage != Stage::Idle).count();
    usize::from(state.lineage.retries) + under_way >= usize::from(RETRY_LIMIT)
}

fn age_within_grace(age: u64) -> bool {
    age <= GRACE.as_secs()
}

/// Whether somebody was served who must not be: by the table, only who presents the current token,
/// or the one before it, unseen, within the grace or with the attempt that made its successor.
fn served_fault(
    before: &State,
    who: Who,
    generation: u32,
    attempt: Option<u8>,
) -> Option<&'static str> {
    let lineage = &before.lineage;
    let is_current = generation == lineage.generation;
    let is_previous = generation + 1 == lineage.generation && !lineage.is_seen;
    let is_recent = age_within_grace(age(lineage.rotated_at));
    let is_retry = attempt.is_some() && attempt.map(|it| [it; 32]) == lineage.attempt;
    let is_late = age(lineage.rotated_at) == AGES[3];
    if is_current || (is_previous && (is_recent || (is_retry && !is_late))) {
        return None;
    }
    Some(match who {
        Who::Thief => "a thief was served for a superseded token",
        Who::Tab(_) => "a superseded token was served",
    })
}

impl Model for Refresh {
    type State = State;

    fn start(&self) -> State {
        State {
            lineage: long_ago(),
            is_over: false,
            held: 1,
            held_age: AGES[3],
            attempt: None,
            tabs: [Stage::Idle, Stage::Idle],
            stolen: None,
            thief: Stage::Idle,
            fault: None,
        }
    }

    fn next(&self, state: &State) -> Vec<(&'static str, State)> {
        let mut next = Vec::new();
        for (who, name) in [(Who::Tab(0), "tab 1"), (Who::Tab(1), "tab 2"), (Who::Thief, "thief")] {
            if *state.clone().stage(who) == Stage::Idle {
                next.extend(self.send(state, who).map(|next| (name, next)));
            }
            next.extend(read(state, who).map(|next| ("read", next)));
            next.extend(self.commit(state, who).into_iter().flatten());
        }
        next.extend(STEPS.iter().filter_map(|step| Some(("wait", self.wait(state, *step)?))));
        next.extend(self.change_privilege(state).map(|next| ("privilege", next)));
        next.extend(self.see(state).map(|next| ("seen", next)));
        next.extend(self.steal(state).map(|next| ("steal", next)));
        next.extend(self.logout(state).map(|next| ("logout", next)));
        next
    }

    fn fault(&self, state: &State) -> Option<&'static str> {
        let rotates = |generation: &u32| {
            let verdict = judge_refresh(&state.lineage, *generation, 1, None, GRACE, NOW);
            verdict == RefreshVerdict::Rotate
        };
        let leaves = (0..=self.last + 2).filter(rotates).count();
        let is_honest_out = state.is_over && !self.has_thief;
        state
            .fault
            .or((leaves > 1).then_some("two live leaves"))
            .or(is_honest_out.then_some("an honest client was signed out"))
    }
}

#[test]
fn an_honest_client_with_lost_answers_and_two_tabs_stays_in() {
    assert_explored("honest client", &HONEST);
}

#[test]
fn a_thief_gets_nothing_for_a_superseded_token_an_end_is_final_and_one_leaf_lives() {
    assert_explored("client and thief", &WITH_THIEF);
}

#[test]
fn without_attempt_ids_a_lost_answer_signs_an_honest_client_out() {
    let model = Refresh { has_attempts: false, ..HONEST };
    assert_fault(&model, "an honest client was signed out");
}

#[test]
fn without_comparing_versions_one_token_has_two_successors() {
    let model = Refresh { compares_versions: false, ..HONEST };
    assert_fault(&model, "two successors of one token");
}

#[test]
fn a_request_that_dawdles_beyond_the_grace_signs_its_client_out() {
    let model = Refresh { is_prompt: false, ..HONEST };
    assert_fault(&model, "an honest client was signed out");
}

#[test]
fn two_refreshes_within_the_grace_of_a_slow_request_sign_its_client_out() {
    let model = Refresh { waits_between: false, ..HONEST };
    assert_fault(&model, "an honest client was signed out");
}
