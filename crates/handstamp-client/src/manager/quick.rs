//! The token as it is handed out nearly always: without a lock, and with one look at the clock.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use handstamp_protocol::Time;

use super::{Held, Inner};
use crate::session::Session;
use crate::token::Token;

/// An access token that needs no renewal yet, if there is one.
#[derive(Default)]
pub(super) struct Quick(ArcSwapOption<Good>);

struct Good {
    token: Token,
    /// By our clock.
    until: Time,
}

impl Quick {
    pub(super) fn token(&self, now: Time) -> Option<Token> {
        let good = self.0.load();
        let good = good.as_ref().filter(|good| now < good.until)?;
        Some(good.token.clone())
    }
}

impl Inner {
    /// Has what is in memory handed out from now on. For whoever holds the lock of that, so that
    /// the last change is the last one here too.
    pub(super) fn show_quickly(&self, held: &Held) {
        let session = held.session.as_deref().filter(|_| !held.is_doubted);
        let good = session.map(|session| Arc::new(self.good(session)));
        self.quick.0.store(good);
    }

    fn good(&self, session: &Session) -> Good {
        let over = session.tokens.over_at(&self.config.margins);
        let ends = over.into_iter().chain(self.due_at(session)).min();
        let until = ends.map_or(Time::MAX, |ends| session.local_time(ends));
        Good { token: session.token().clone(), until }
    }
}
