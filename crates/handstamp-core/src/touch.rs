//! Activity, noted in memory and flushed in batches: a read request writes nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::cache::Cached;
use crate::id::{IdBuildHasher, SessionId};
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
        if cached.activity.note(now, cached.touch_interval) {
            self.lock().insert(cached.record.id, now);
        }
    }

    /// Writes what was noted. What could not be written, by a fault or because the caller went
    /// away, waits for the next flush. Answers the sessions of which the store moved fewer than it
    /// was told: ended, or due by what it knew.
    pub(crate) async fn flush(
        &self,
        store: &Arc<dyn SessionStore>,
    ) -> Result<Vec<(SessionId, Timestamp)>, StoreError> {
        let noted = std::mem::take(&mut *self.lock()).into_iter().collect();
        let mut left = Left { touches: self, noted };
        let mut doubtful = Vec::new();
        while !left.noted.is_empty() {
            let from = left.noted.len().saturating_sub(BATCH);
            let batch = &left.noted[from..];
            if store.touch(batch).await? < batch.len() {
                doubtful.extend_from_slice(batch);
            }
            left.noted.truncate(from);
        }
        Ok(doubtful)
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

/// What is still to be written; put back when it is dropped.
struct Left<'a> {
    touches: &'a Touches,
    noted: Vec<(SessionId, Timestamp)>,
}

impl Drop for Left<'_> {
    fn drop(&mut self) {
        self.touches.put_back(&self.noted);
    }
}
