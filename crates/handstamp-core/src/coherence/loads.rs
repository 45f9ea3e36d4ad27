//! Loads of sessions, shared by all who ask at once and never more than a few at a time: when a store
//! comes back, or a lease has lapsed under load, it is not run over.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::cache::{Cache, Cached, Fill};
use crate::error::SessionError;
use crate::id::{IdBuildHasher, SessionId};
use crate::store::{Found, Loaded, SessionStore};

/// How many calls to the store are under way at most.
pub(super) const CALLS: usize = 4;

/// How many sessions one call loads at most.
const BATCH: usize = 64;

/// How often a load that was overtaken begins again, before what it brought is answered without
/// being held: it began after it was asked for.
const TRIES: u32 = 3;

/// Loads what is asked for.
#[derive(Clone)]
pub(super) struct Loads(Arc<Inner>);

struct Inner {
    store: Arc<dyn SessionStore>,
    cache: Arc<Cache>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    order: VecDeque<SessionId>,
    waiting: HashMap<SessionId, Wanted, IdBuildHasher>,
    /// What is being loaded. Whoever wants it now waits for the next call, one for all of them.
    under_way: HashSet<SessionId, IdBuildHasher>,
    calls: usize,
}

/// Those who wait for one session.
#[derive(Default)]
struct Wanted {
    replies: Vec<oneshot::Sender<Answer>>,
    tries: u32,
}

type Answer = Result<Option<Arc<Cached>>, Failed>;

/// Why a session could not be loaded, for each of several who wait.
#[derive(Clone)]
enum Failed {
    Store(Arc<str>),
    Corrupt(Arc<str>),
}

impl From<Failed> for SessionError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Store(why) => Self::Unavailable(why.to_string().into()),
            Failed::Corrupt(why) => Self::Corrupt(why.to_string()),
        }
    }
}

impl Loads {
    pub(super) fn new(store: Arc<dyn SessionStore>, cache: Arc<Cache>) -> Self {
        Self(Arc::new(Inner { store, cache, queue: Mutex::default() }))
    }

    /// Loads a session by a call that begins after this was called: whoever comes while one is under
    /// way waits for the next.
    pub(super) async fn load(&self, id: SessionId) -> Result<Option<Arc<Cached>>, SessionError> {
        let (reply, answer) = oneshot::channel();
        self.0.ask(id, Wanted { replies: vec![reply], tries: 0 });
        match answer.await {
            Ok(answer) => answer.map_err(SessionError::from),
            Err(lost) => Err(SessionError::Unavailable(lost.into())),
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(self: &Arc<Self>, id: SessionId, wanted: Wanted) {
        let mut queue = self.lock();
        queue.add(id, wanted);
        if queue.calls < CALLS {
            queue.calls += 1;
            let calling = Calling { inner: Arc::clone(self), ids: Vec::new(), is_done: false };
            tokio::spawn(calling.run());
        }
    }

    async fn call(self: &Arc<Self>, wanted: Vec<(SessionId, Wanted)>) {
        let ids: Vec<SessionId> = wanted.iter().map(|(id, _)| *id).collect();
        let fills: Vec<Fill<'_>> = ids.iter().map(|id| self.cache.begin_fill(*id)).collect();
        let answer = match self.store.load(&ids).await {
            Ok(answer) => answer,
            Err(error) => {
                let failed = Failed::Store(error.to_string().into());
                return wanted.into_iter().for_each(|(_, it)| it.answer(&Err(failed.clone())));
            }
        };
        for (((id, wanted), fill), found) in wanted.into_iter().zip(fills).zip(answer.found) {
            match found {
                Found::Record(loaded) => self.take(id, wanted, &fill, *loaded, answer.deployment),
                Found::Missing => wanted.answer(&Ok(None)),
                Found::Corrupt(why) => {
                    tracing::error!(session = %id, %why, "a stored record cannot be read");
                    wanted.answer(&Err(Failed::Corrupt(why.into())));
                }
            }
        }
    }

    fn take(
        self: &Arc<Self>,
        id: SessionId,
        wanted: Wanted,
        fill: &Fill<'_>,
        loaded: Loaded,
        deployment: crate::head::Deployment,
    ) {
        let Loaded { record, head } = loaded;
        let is_last = wanted.tries >= TRIES;
        match self.cache.end_fill(fill, record.clone(), head.as_ref(), deployment) {
            Some(cached) => wanted.answer(&Ok(Some(cached))),
            None if is_last => {
                self.cache.put_deployment(deployment);
                wanted.answer(&Ok(Some(self.cache.unheld(record, head.as_ref()))));
            }
            None => {
                let tries = wanted.tries + 1;
                self.lock().add(id, Wanted { tries, ..wanted });
            }
        }
    }
}

impl Queue {
    fn add(&mut self, id: SessionId, wanted: Wanted) {
        let Self { order, waiting, .. } = self;
        let held = waiting.entry(id).or_insert_with(|| {
            order.push_back(id);
            Wanted::default()
        });
        held.tries = held.tries.max(wanted.tries);
        held.replies.extend(wanted.replies);
    }

    /// The next to be loaded together, oldest first.
    fn next(&mut self) -> Vec<(SessionId, Wanted)> {
        let (mut next, mut left) = (Vec::new(), VecDeque::new());
        while let Some(id) = self.order.pop_front() {
            if next.len() == BATCH {
                self.order.push_front(id);
                break;
            }
            if self.under_way.contains(&id) {
                left.push_back(id);
            } else if let Some(wanted) = self.waiting.remove(&id) {
                self.under_way.insert(id);
                next.push((id, wanted));
            }
        }
        left.into_iter().rev().for_each(|id| self.order.push_front(id));
        next
    }
}

impl Wanted {
    fn answer(self, answer: &Answer) {
        for reply in self.replies {
            // Whoever asked may have gone.
            let _ = reply.send(answer.clone());
        }
    }
}

/// One of the calls that may be under way.
struct Calling {
    inner: Arc<Inner>,
    ids: Vec<SessionId>,
    is_done: bool,
}

impl Calling {
    async fn run(mut self) {
        while let Some(wanted) = self.next() {
            self.inner.call(wanted).await;
        }
    }

    /// The next to be loaded; `None` when there are none, and then the place of this one is free.
    fn next(&mut self) -> Option<Vec<(SessionId, Wanted)>> {
        let mut queue = self.inner.lock();
        for id in self.ids.drain(..) {
            queue.under_way.remove(&id);
        }
        let wanted = queue.next();
        self.ids.extend(wanted.iter().map(|(id, _)| *id));
        self.is_done = wanted.is_empty();
        queue.calls -= usize::from(self.is_done);
        (!self.is_done).then_some(wanted)
    }
}

/// A panic or the end of a runtime may cut a call off. If it was the only one, nobody loads what is
/// left, and whoever waits hears so by a dropped sender.
impl Drop for Calling {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let mut queue = self.inner.lock();
        for id in &self.ids {
            queue.under_way.remove(id);
        }
        queue.calls -= 1;
        if queue.calls == 0 {
            let left = std::mem::take(&mut *queue);
            drop(queue);
            drop(left);
        }
    }
}
