//! What follows from a look at a token and nobody waits for: a generation is seen, a session that
//! is over gets its tombstone, an alarm is told.

use std::sync::Arc;

use super::Engine;
use crate::cache::{Busy, Cached};
use crate::commit::{Job, Mutation, Step, event_of};
use crate::event::Action;
use crate::policy::Standing;

impl Engine {
    /// Notes that the current generation has been presented.
    pub(super) fn mark_seen(self: &Arc<Self>, session: &Cached) {
        let generation = session.record.lineage.generation;
        self.aside(
            session,
            Box::new(move |draft| {
                // One that has ended meanwhile cannot be changed, and need not be.
                let is_over = matches!(draft.standing(), Standing::Over { .. });
                let (now, lineage) = (draft.now, &mut draft.record.lineage);
                if is_over || lineage.generation != generation || lineage.is_seen {
                    return Ok(Step::Unchanged);
                }
                (lineage.is_seen, lineage.seen_at) = (true, now);
                Ok(Step::Changed)
            }),
        );
    }

    /// Writes the tombstone of a session that is over.
    pub(super) fn write_end(self: &Arc<Self>, session: &Cached) {
        self.aside(session, Self::end_if_over());
    }

    /// Submits a change that nobody waits for, one at a time for each session: whoever presents
    /// the same token again and again must not fill the queue.
    fn aside(self: &Arc<Self>, session: &Cached, mut mutation: Mutation) {
        let Some(busy) = Busy::begin(&session.activity) else { return };
        let id = session.record.id;
        let mutation: Mutation = Box::new(move |draft| {
            let _until_dropped = &busy;
            mutation(draft)
        });
        drop(self.committer.submit(|reply| Job::Change { id, mutation, reply }));
    }

    /// Tells of a token that should not have come, at most once a minute for each session.
    pub(super) fn tell_alarm(self: &Arc<Self>, session: &Cached, action: Action, generation: u32) {
        let now = self.now();
        if !session.activity.may_alarm(now) {
            return;
        }
        let Ok(mut event) = event_of(&session.record, action, now, &*self.rng) else { return };
        event.is_success = false;
        event.error = Some("token_superseded".into());
        event.details.insert("transport".into(), session.record.transport.as_str().into());
        event.details.insert("presented_generation".into(), generation.into());
        let current = session.record.lineage.generation;
        event.details.insert("current_generation".into(), current.into());
        drop(self.committer.submit(|reply| Job::Tell { events: vec![event], reply }));
    }
}
