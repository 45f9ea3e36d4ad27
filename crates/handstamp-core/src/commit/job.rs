//! What waits to be committed, and how it is answered.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::draft::{Draft, Mutation};
use crate::cache::Cached;
use crate::error::SessionError;
use crate::event::Event;
use crate::head::Head;
use crate::id::SessionId;
use crate::record::Record;
use crate::store::HeadChange;

/// What a commit left behind.
#[derive(Clone, Debug)]
pub(crate) struct Committed {
    /// The session as it is now; none for a change of heads alone.
    pub(crate) session: Option<Arc<Cached>>,
    /// The head as it is now, where one was changed.
    pub(crate) head: Option<Arc<Head>>,
}

/// Carries the answer to whoever waits.
pub(crate) type Reply = oneshot::Sender<Result<Committed, SessionError>>;

/// Waits for the answer.
pub(crate) type Answer = oneshot::Receiver<Result<Committed, SessionError>>;

/// A session that begins.
pub(crate) struct NewSession {
    pub(crate) record: Box<Record>,
    pub(crate) limit: Option<u32>,
    pub(crate) events: Vec<Event>,
}

/// Makes the record of a session that begins from the latest of the one it takes over from.
pub(crate) type Build =
    Box<dyn FnMut(Option<&Draft<'_>>) -> Result<NewSession, SessionError> + Send>;

/// The one session that goes on in the new epoch of its subject.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Spared {
    /// None does.
    Nobody,
    /// This one, if it is live.
    IfLive(SessionId),
    /// This one, whose act it is: when it has ended meanwhile, the act is refused.
    Asking(SessionId),
}

impl Spared {
    pub(crate) const fn id(self) -> Option<SessionId> {
        match self {
            Self::Nobody => None,
            Self::IfLive(id) | Self::Asking(id) => Some(id),
        }
    }
}

/// What waits to be committed.
pub(crate) enum Job {
    /// A change of one session.
    Change { id: SessionId, mutation: Mutation, reply: Reply },
    /// The session that another took over from ends, which a writer elsewhere kept it from when that
    /// one began; then whoever signed in is answered.
    EndOld { id: SessionId, mutation: Mutation, begun: Committed, reply: Reply },
    /// A session begins: first `victims` make room, then it is inserted, then `old` ends.
    Begin {
        victims: Vec<(SessionId, Mutation)>,
        build: Build,
        old: Option<(SessionId, Mutation)>,
        reply: Reply,
    },
    /// A head changes.
    Head { change: HeadChange, spared: Spared, events: Vec<Event>, reply: Reply },
    /// Events that change nothing.
    Tell { events: Vec<Event>, reply: Reply },
}

impl Job {
    /// Answers that nothing came of it.
    pub(crate) fn fail(self, error: SessionError) {
        if let Self::EndOld { begun, reply, .. } = self {
            // It is over already, or gone: that is all that was wanted. Where it may live on, the new
            // one has begun all the same: nobody may say that nothing was changed.
            let answer =
                if error.is_fault() { Err(SessionError::Unknown(error.into())) } else { Ok(begun) };
            let _ = reply.send(answer);
            return;
        }
        let (Self::Change { reply, .. }
        | Self::EndOld { reply, .. }
        | Self::Begin { reply, .. }
        | Self::Head { reply, .. }
        | Self::Tell { reply, .. }) = self;
        // Whoever waited may have gone; then nobody needs the answer.
        let _ = reply.send(Err(error));
    }

    /// The sessions whose latest records this job needs.
    pub(crate) fn needs(&self) -> Vec<SessionId> {
        match self {
            Self::Change { id, .. } | Self::EndOld { id, .. } => vec![*id],
            Self::Begin { victims, old, .. } => {
                victims.iter().chain(old).map(|(id, _)| *id).collect()
            }
            Self::Head { spared, .. } => spared.id().into_iter().collect(),
            Self::Tell { .. } => Vec::new(),
        }
    }
}
