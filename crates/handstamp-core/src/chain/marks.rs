//! Which personal parts may be gone: what erasures that stand in the log say.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use super::ChainEnd;
use crate::event::{Action, Event};
use crate::id::Subject;

/// How far something reaches in each chain: up to which event, by writer.
type Reach = BTreeMap<u32, u64>;

/// What the events [`Action::SubjectErased`] and [`Action::PersonalExpired`] say of which personal
/// parts are gone. Such an event stands in a chain like any other, so nobody can add one without
/// the key ring; it says up to which event of which chain it reaches.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Marks {
    of_all: Reach,
    of_subjects: HashMap<Subject, Reach>,
}

impl Marks {
    /// The actions that are marks.
    pub const ACTIONS: [Action; 2] = [Action::SubjectErased, Action::PersonalExpired];

    /// The name, among the details of a mark, of how far it reaches.
    const THROUGH: &'static str = "through";

    /// Nothing was erased.
    pub fn none() -> Self {
        Self::default()
    }

    /// Writes into the details of a mark that it reaches to `ends`.
    pub fn write(ends: &[ChainEnd], details: &mut Map<String, Value>) {
        let reach = |end: &ChainEnd| (end.writer.to_string(), Value::from(end.event));
        let reach: Map<String, Value> = ends.iter().map(reach).collect();
        details.insert(Self::THROUGH.into(), reach.into());
    }

    /// Adds what `event` says, if it is a mark.
    pub fn add(&mut self, event: &Event) {
        let reach = match (&event.action, &event.subject) {
            (Action::PersonalExpired, _) => &mut self.of_all,
            (Action::SubjectErased, Some(subject)) => {
                self.of_subjects.entry(subject.clone()).or_default()
            }
            _ => return,
        };
        let Some(Value::Object(told)) = event.details.get(Self::THROUGH) else { return };
        for (writer, through) in told {
            let (Ok(writer), Some(through)) = (writer.parse(), through.as_u64()) else { continue };
            let furthest = reach.entry(writer).or_default();
            *furthest = through.max(*furthest);
        }
    }

    /// Adds all of `other`.
    pub fn add_all(&mut self, other: &Self) {
        add(&mut self.of_all, &other.of_all);
        for (subject, reach) in &other.of_subjects {
            add(self.of_subjects.entry(subject.clone()).or_default(), reach);
        }
    }

    /// Whether the personal part of `event` may be gone.
    pub fn covers(&self, event: &Event) -> bool {
        let reaches = |reach: &Reach| reach.get(&event.writer) >= Some(&event.number);
        let subject = event.subject.as_ref();
        let of_subject = subject.and_then(|subject| self.of_subjects.get(subject));
        reaches(&self.of_all) || of_subject.is_some_and(reaches)
    }

    /// Whether a mark for everybody reaches to all of `ends`.
    pub fn reach(&self, ends: &[ChainEnd]) -> bool {
        ends.iter().all(|end| end.event == 0 || self.of_all.get(&end.writer) >= Some(&end.event))
    }
}

fn add(to: &mut Reach, from: &Reach) {
    for (writer, through) in from {
        let furthest = to.entry(*writer).or_default();
        *furthest = (*furthest).max(*through);
    }
}
