//! How many streams one session may hold open: each takes a connection and a place among those who
//! are told of everything.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use handstamp_axum::problem::Problem;
use handstamp_core::SessionId;
use http::StatusCode;

/// More than a browser has tabs that listen.
const MOST: usize = 32;

/// When whoever was refused may come again, in seconds.
const LATER: u64 = 15;

/// Who holds how many streams.
#[derive(Clone, Default)]
pub(crate) struct Places(Arc<Mutex<HashMap<SessionId, usize>>>);

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places").finish_non_exhaustive()
    }
}

/// A place that a stream has, until it is dropped.
pub(super) struct Place {
    places: Places,
    id: SessionId,
}

impl Places {
    /// Takes one for a stream of this session.
    ///
    /// # Errors
    /// 429 `RATE_LIMITED` when it has [`MOST`].
    pub(super) fn take(&self, id: SessionId) -> Result<Place, Problem> {
        let mut held = self.held();
        let count = held.entry(id).or_default();
        if *count >= MOST {
            let why = "the session has 32 event streams open";
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", why);
            return Err(problem.retry_after(LATER));
        }
        *count += 1;
        Ok(Place { places: self.clone(), id })
    }

    fn held(&self) -> MutexGuard<'_, HashMap<SessionId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Entry::Occupied(mut held) = self.places.held().entry(self.id) {
            *held.get_mut() -= 1;
            if *held.get() == 0 {
                held.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_so_many_places_and_gives_them_back() {
        let places = Places::default();
        let [one, other] = [1, 2].map(|byte| SessionId::from_bytes([byte; 18]));
        let mut held: Vec<_> = (0..MOST).map(|_| places.take(one).ok().unwrap()).collect();
        assert!(places.take(one).is_err());
        assert!(places.take(other).is_ok());
        held.pop();
        held.push(places.take(one).ok().unwrap());
        assert!(places.take(one).is_err());
        drop(held);
        assert!(places.held().is_empty());
    }
}
