//! Who waits for a session to end, and how they are woken.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::id::{IdBuildHasher, SessionId, Subject};

/// Wakes those who wait on sessions. A wake-up says "look again", nothing more.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    /// Counts batches that were committed.
    commits: tokio::sync::watch::Sender<u64>,
    by_session: Mutex<HashMap<SessionId, Vec<Watch>, IdBuildHasher>>,
}

#[derive(Debug)]
struct Watch {
    subject: Option<Subject>,
    notify: Arc<Notify>,
}

/// One waiter; stops waiting when dropped.
#[derive(Debug)]
pub(crate) struct Watching {
    watchers: Arc<Watchers>,
    id: SessionId,
    notify: Arc<Notify>,
}

impl Watchers {
    /// Begins to watch the session `id` of `subject`.
    pub(crate) fn watch(self: &Arc<Self>, id: SessionId, subject: Option<Subject>) -> Watching {
        let notify = Arc::new(Notify::new());
        let watch = Watch { subject, notify: Arc::clone(&notify) };
        self.lock().entry(id).or_default().push(watch);
        Watching { watchers: Arc::clone(self), id, notify }
    }

    /// Tells that something was committed.
    pub(crate) fn committed(&self) {
        self.commits.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Wakes whenever something was committed.
    pub(crate) fn commits(&self) -> tokio::sync::watch::Receiver<u64> {
        self.commits.subscribe()
    }

    /// Wakes those who wait on this session.
    pub(crate) fn wake(&self, id: &SessionId) {
        for watch in self.lock().get(id).into_iter().flatten() {
            watch.notify.notify_one();
        }
    }

    /// Wakes those who wait on any session of `subject`; of anybody, if `None`.
    pub(crate) fn wake_subject(&self, subject: Option<&Subject>) {
        for watch in self.lock().values().flatten() {
            if subject.is_none() || watch.subject.as_ref() == subject {
                watch.notify.notify_one();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Vec<Watch>, IdBuildHasher>> {
        self.by_session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watching {
    /// Waits for the next wake-up; one that came in between is not lost.
    pub(crate) async fn woken(&self) {
        self.notify.notified().await;
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let mut held = self.watchers.lock();
        let Some(watches) = held.get_mut(&self.id) else { return };
        watches.retain(|watch| !Arc::ptr_eq(&watch.notify, &self.notify));
        if watches.is_empty() {
            held.remove(&self.id);
        }
    }
}
