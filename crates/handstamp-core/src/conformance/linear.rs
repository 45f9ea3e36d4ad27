//! Whether what clients of one session saw can be put into one order (Wing and Gong 1993, with
//! what was tried remembered): each operation at one moment between its call and its answer.

use std::collections::HashSet;

/// What a client asks of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ask {
    /// Reads the number.
    Get,
    /// Writes it.
    Set(u64),
    /// Adds to it; what is not there is nought.
    Add(u64),
    /// Signs out, or signs in anew: the session ends.
    End,
}

/// What a client is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The number, if there is one.
    Value(Option<u64>),
    /// It was done.
    Done,
    /// The session is over.
    Over,
    /// It may have been done, or be done later, or never.
    Unknown,
}

/// One operation of a history, with the moments of its call and its answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// When the client asked.
    pub called: u64,
    /// When it was answered.
    pub answered: u64,
    /// What it asked.
    pub ask: Ask,
    /// What it was answered.
    pub answer: Answer,
}

impl std::fmt::Debug for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { called, answered, ask, answer } = self;
        write!(f, "{called}..{answered} {ask:?}: {answer:?}")
    }
}

/// A session, as far as its clients can tell.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Session {
    value: Option<u64>,
    is_over: bool,
}

impl Session {
    /// What becomes of the session, if `operation` may be answered so now.
    fn after(self, operation: &Operation) -> Option<Self> {
        let next = match operation.ask {
            Ask::End => Self { value: None, is_over: true },
            _ if self.is_over => self,
            Ask::Get => self,
            Ask::Set(value) => Self { value: Some(value), ..self },
            Ask::Add(value) => Self { value: Some(self.value.unwrap_or(0) + value), ..self },
        };
        let is_right = match (operation.ask, operation.answer) {
            (_, Answer::Unknown) => true,
            (Ask::Get, Answer::Value(value)) => !self.is_over && value == self.value,
            (Ask::Set(_) | Ask::Add(_), Answer::Done) => !self.is_over,
            (Ask::End, Answer::Done) => true,
            (_, Answer::Over) => self.is_over,
            _ => false,
        };
        is_right.then_some(next)
    }
}

/// Whether the operations on a session that begins without a number, at most 128, can be put into
/// one order.
///
/// # Panics
/// Where there are more.
pub fn is_linearizable(history: &[Operation]) -> bool {
    assert!(history.len() <= 128, "a history of {} operations", history.len());
    place(history, 0, Session::default(), &mut HashSet::new())
}

/// Goes on where the operations in `placed` are in order and have left `session` behind.
fn place(
    history: &[Operation],
    placed: u128,
    session: Session,
    tried: &mut HashSet<(u128, Session)>,
) -> bool {
    let open = || history.iter().enumerate().filter(|(n, _)| placed & (1 << n) == 0);
    if open().all(|(_, operation)| operation.answer == Answer::Unknown) {
        return true;
    }
    if !tried.insert((placed, session)) {
        return false;
    }
    let ends = open().filter(|(_, operation)| operation.answer != Answer::Unknown);
    let first_answer = ends.map(|(_, operation)| operation.answered).min().unwrap_or(u64::MAX);
    open().filter(|(_, operation)| operation.called < first_answer).any(|(n, operation)| {
        let next = session.after(operation);
        next.is_some_and(|next| place(history, placed | (1 << n), next, tried))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(called: u64, answered: u64, ask: Ask, answer: Answer) -> Operation {
        Operation { called, answered, ask, answer }
    }

    #[test]
    fn operations_that_overlap_may_be_in_either_order() {
        let set = op(1, 4, Ask::Set(1), Answer::Done);
        for value in [None, Some(1)] {
            let get = op(2, 3, Ask::Get, Answer::Value(value));
            assert!(is_linearizable(&[set, get]));
        }
    }

    #[test]
    fn a_read_that_misses_what_was_acknowledged_before_it_is_seen() {
        let set = op(1, 2, Ask::Set(1), Answer::Done);
        assert!(!is_linearizable(&[set, op(3, 4, Ask::Get, Answer::Value(None))]));
        assert!(is_linearizable(&[set, op(3, 4, Ask::Get, Answer::Value(Some(1)))]));
    }

    #[test]
    fn a_lost_increment_is_seen() {
        let one = op(1, 4, Ask::Add(1), Answer::Done);
        let other = op(2, 3, Ask::Add(1), Answer::Done);
        let read = |value| op(5, 6, Ask::Get, Answer::Value(Some(value)));
        assert!(!is_linearizable(&[one, other, read(1)]));
        assert!(is_linearizable(&[one, other, read(2)]));
    }

    #[test]
    fn two_reads_that_disagree_about_the_order_are_seen() {
        let writes = [op(1, 9, Ask::Set(1), Answer::Done), op(1, 9, Ask::Set(2), Answer::Done)];
        let read = |at, value| op(at, at + 1, Ask::Get, Answer::Value(Some(value)));
        let back = [read(2, 1), read(4, 2), read(6, 1)];
        assert!(!is_linearizable(&[&writes[..], &back].concat()));
        assert!(is_linearizable(&[&writes[..], &back[..2]].concat()));
    }

    #[test]
    fn a_session_that_lives_after_its_end_is_seen() {
        let end = op(1, 2, Ask::End, Answer::Done);
        assert!(!is_linearizable(&[end, op(3, 4, Ask::Set(1), Answer::Done)]));
        assert!(!is_linearizable(&[end, op(3, 4, Ask::Get, Answer::Value(None))]));
        assert!(is_linearizable(&[end, op(3, 4, Ask::Set(1), Answer::Over)]));
        assert!(!is_linearizable(&[op(3, 4, Ask::Get, Answer::Over)]), "over without an end");
    }

    #[test]
    fn what_nobody_knows_the_outcome_of_may_come_about_late_or_never() {
        let lost = op(1, 2, Ask::Set(1), Answer::Unknown);
        let read = |at, value| op(at, at + 1, Ask::Get, Answer::Value(value));
        assert!(is_linearizable(&[lost, read(3, None)]));
        assert!(is_linearizable(&[lost, read(3, None), read(5, Some(1))]));
        assert!(!is_linearizable(&[lost, read(3, Some(1)), read(5, None)]));
    }
}
