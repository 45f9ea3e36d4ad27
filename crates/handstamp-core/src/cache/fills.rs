//! What is on its way into the cache, and whether something overtook it.

use std::collections::HashMap;

use crate::id::{IdBuildHasher, SessionId};

/// Loads and commits that are under way.
#[derive(Debug, Default)]
pub(super) struct Fills {
    under_way: HashMap<SessionId, Vec<Flight>, IdBuildHasher>,
    /// How many have ever begun.
    begun: u64,
}

/// One load or commit that is under way.
#[derive(Debug)]
struct Flight {
    number: u64,
    is_stale: bool,
    /// The latest version that was heard of meanwhile.
    heard: u64,
}

impl Fills {
    /// Announces one; answers its number.
    pub(super) fn begin(&mut self, id: SessionId) -> u64 {
        self.begun += 1;
        let flight = Flight { number: self.begun, is_stale: false, heard: 0 };
        self.under_way.entry(id).or_default().push(flight);
        self.begun
    }

    /// One is over; answers whether `version`, which it brought, is still the latest that is known.
    pub(super) fn end(&mut self, id: &SessionId, number: u64, version: u64) -> bool {
        let ended = self.take(id, number);
        ended.is_some_and(|flight| !flight.is_stale && flight.heard <= version)
    }

    /// One is over and brought nothing.
    pub(super) fn forget(&mut self, id: &SessionId, number: u64) {
        self.take(id, number);
    }

    fn take(&mut self, id: &SessionId, number: u64) -> Option<Flight> {
        let flights = self.under_way.get_mut(id)?;
        let place = flights.iter().position(|flight| flight.number == number)?;
        let flight = flights.swap_remove(place);
        if flights.is_empty() {
            self.under_way.remove(id);
        }
        Some(flight)
    }

    /// What is under way for this session is stale, whatever it brings.
    pub(super) fn spoil(&mut self, id: &SessionId) {
        let flights = self.under_way.get_mut(id);
        flights.into_iter().flatten().for_each(|flight| flight.is_stale = true);
    }

    /// Everything under way is stale.
    pub(super) fn spoil_all(&mut self) {
        self.under_way.values_mut().flatten().for_each(|flight| flight.is_stale = true);
    }

    /// What is under way for this session is stale unless it brings this version or a later one.
    pub(super) fn heard(&mut self, id: &SessionId, version: u64) {
        let flights = self.under_way.get_mut(id);
        flights.into_iter().flatten().for_each(|flight| flight.heard = flight.heard.max(version));
    }
}
