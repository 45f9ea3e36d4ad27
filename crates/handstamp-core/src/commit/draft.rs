//! A record on its way to its next version.

use std::sync::Arc;

use crate::error::SessionError;
use crate::event::{Action, Event, Personal};
use crate::head::{Deployment, Head};
use crate::id::EventId;
use crate::policy::{self, LastSeen, Standing};
use crate::random::{Rng, random};
use crate::record::{Client, Ended, Record};
use crate::time::Timestamp;

/// What a mutation did to its draft.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// The draft must be stored.
    Changed,
    /// The draft is as it was; the answer still waits for what was folded before it.
    Unchanged,
    /// The draft came from a cache that may be behind: load it from the store and ask again.
    NeedsFresh,
}

/// A change of one session, applied to the latest record and again whenever another was faster.
/// One that answers an error leaves the draft as it found it.
pub(crate) type Mutation = Box<dyn FnMut(&mut Draft<'_>) -> Result<Step, SessionError> + Send>;

/// A record on its way to its next version, with what a mutation needs to know.
pub(crate) struct Draft<'a> {
    pub(crate) record: Record,
    pub(crate) head: Option<Arc<Head>>,
    pub(crate) deployment: Deployment,
    pub(crate) seen: LastSeen,
    pub(crate) now: Timestamp,
    /// Whether the record is what the store holds, and not what a cache held.
    pub(crate) is_fresh: bool,
    pub(crate) events: Vec<Event>,
    pub(crate) rng: &'a dyn Rng,
}

impl Draft<'_> {
    pub(crate) fn standing(&self) -> Standing {
        policy::standing(&self.record, self.head.as_deref(), self.deployment, self.seen, self.now)
    }

    /// Refuses unless the session is live.
    pub(crate) fn require_live(&self) -> Result<(), SessionError> {
        match self.standing() {
            Standing::Live => Ok(()),
            Standing::Suspended => Err(SessionError::Suspended),
            Standing::Over { ended, .. } => Err(SessionError::ended(&ended)),
        }
    }

    /// Adds an event that tells of this session.
    pub(crate) fn tell(&mut self, action: Action) -> Result<&mut Event, SessionError> {
        let event = event_of(&self.record, action, self.now, self.rng)?;
        self.events.push(event);
        let last = self.events.len() - 1;
        Ok(&mut self.events[last])
    }

    /// Turns the draft into a tombstone and tells of it.
    pub(crate) fn end(&mut self, ended: Ended) -> Result<(), SessionError> {
        let lasted = ended.at.since(self.record.created_at).as_millis();
        let event = self.tell(Action::SessionEnded)?;
        event.details.insert("lasted_ms".into(), u64::try_from(lasted).unwrap_or(u64::MAX).into());
        event.actor = ended.by.clone();
        event.details.insert("reason".into(), ended.reason.as_str().into());
        self.record.end(ended);
        Ok(())
    }
}

/// An event of `action` that tells of `record`.
pub(crate) fn event_of(
    record: &Record,
    action: Action,
    now: Timestamp,
    rng: &dyn Rng,
) -> Result<Event, SessionError> {
    let mut event = blank_event(action, &record.client, now, rng)?;
    event.subject = record.subject.clone();
    event.session = Some(record.id);
    Ok(event)
}

/// An event of `action` from `client`, about nobody yet.
pub(crate) fn blank_event(
    action: Action,
    client: &Client,
    now: Timestamp,
    rng: &dyn Rng,
) -> Result<Event, SessionError> {
    let mut event = Event::new(EventId::generate(rng)?, now, action, random(rng)?);
    event.set_personal(Personal { client: client.clone(), identifier: None });
    Ok(event)
}
