//! Activity, noted in memory and flushed in batches: a read request writes nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::cache::Cached;
use crate::id::{IdBuildHasher, SessionId};
use crate::policy::touch_interval;
use crate::store::{SessionStore, StoreError};
use crate::time::Timestamp;

/// How many sessions one call to the store touches.
const BATCH: usize = 500;

/// Sessions whose activity the store has not heard of yet.
#[derive(Default)]
pub(crate) struct Touches(Mutex<HashMap<SessionId, Timestamp, IdBuildHasher>>);

impl Touches {
    /// Notes that the session was used at `now`.
    pub(crate) fn note(&self, cached: &Cached, now: Timestamp) {
        let idle = cached.record.idle_lifetime;
        let interval = touch_interval(idle.unwrap_or(std::time::Duration::MAX));
        if cached.activity.note(now, interval) {
            self.lock().insert(cached.record.id, now);
        }
    }

    /// Writes what was noted. What could not be written waits for the next flush.
    pub(crate) async fn flush(&self, store: &Arc<dyn SessionStore>) -> Result<(), StoreError> {
        let noted: Vec<_> = std::mem::take(&mut *self.lock()).into_iter().collect();
        for (done, batch) in noted.chunks(BATCH).enumerate() {
            if let Err(error) = store.touch(batch).await {
                self.put_back(&noted[done * BATCH..]);
                return Err(error);
            }
        }
        Ok(())
    }

    fn put_back(&self, noted: &[(SessionId, Timestamp)]) {
        let mut held = self.lock();
        for (id, at) in noted {
            let latest = held.entry(*id).or_insert(*at);
            *latest = (*latest).max(*at);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SessionId, Timestamp, IdBuildHasher>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
