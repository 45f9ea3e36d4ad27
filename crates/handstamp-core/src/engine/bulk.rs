//! The same done to many sessions: submitted together, so that they share batches.

use super::Engine;
use super::acts::told;
use crate::commit::{Job, Mutation, answered};
use crate::error::SessionError;
use crate::id::SessionId;

use std::sync::atomic::Ordering;

/// How many are submitted at once, so that others get their turn in between.
const STEP: usize = 128;

/// What came of doing something to many sessions.
#[derive(Debug, Default)]
pub struct Bulk {
    /// To which it was done by this very call. One that is over already, is not there or cannot be
    /// read is passed over.
    pub done: Vec<SessionId>,
    /// What went wrong with the store, if something did. What was done stands, and whatever came
    /// after is as it was; doing it again is harmless.
    pub fault: Option<SessionError>,
}

impl Engine {
    /// Commits a change of each of these sessions, one of `make`.
    pub(crate) async fn change_these(
        &self,
        ids: &[SessionId],
        make: impl Fn() -> Mutation,
    ) -> Bulk {
        let mut bulk = Bulk::default();
        for step in ids.chunks(STEP) {
            self.step_of(step, &make, &mut bulk).await;
            if bulk.fault.is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
        bulk
    }

    async fn step_of(&self, ids: &[SessionId], make: impl Fn() -> Mutation, bulk: &mut Bulk) {
        let answers: Vec<_> = ids
            .iter()
            .map(|id| {
                let (mutation, has_changed) = told(make());
                let job = |reply| Job::Change { id: *id, mutation, reply };
                (id, has_changed, self.committer.submit(job))
            })
            .collect();
        for (id, has_changed, answer) in answers {
            match answered(answer.await) {
                Ok(_) if has_changed.load(Ordering::SeqCst) => bulk.done.push(*id),
                Err(SessionError::Corrupt(why)) => {
                    tracing::error!(session = %id, %why, "a stored record cannot be read");
                }
                Err(error) if error.is_fault() => bulk.fault = Some(error),
                Ok(_) | Err(_) => {}
            }
        }
    }
}
