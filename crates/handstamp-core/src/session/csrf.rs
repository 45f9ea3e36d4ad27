//! The CSRF tokens of this session, or of a visitor without one.

use super::Session;
use super::state::State;
use crate::csrf::{self, Bound, PreSession};
use crate::delta::Op;
use crate::random::random;

impl Session {
    /// A token for a form or script; a different text at each call, good for as long as the
    /// session and its seed. Empty, and so good for nothing, if no random bytes can be had.
    ///
    /// A visitor without a session gets one bound to a cookie of its own: no row is stored.
    ///
    /// # Security
    /// OWASP CSRF Prevention, signed double-submit; ASVS 3.5.1.
    pub fn csrf_token(&self) -> String {
        let mut state = self.lock();
        state.was_used = true;
        let (keys, rng) = (&self.engine().keys, &*self.engine().rng);
        let issued = match bound_session(&mut state) {
            Some((id, seed)) => csrf::issue(keys, Bound::Session(&id, &seed), rng),
            None => self
                .visitor(&mut state)
                .and_then(|visitor| csrf::issue(keys, Bound::Visitor(&visitor), rng)),
        };
        issued.unwrap_or_default()
    }

    /// Whether `token` is one of this session's, compared in constant time. A visitor's token
    /// stays good until somebody signs in.
    pub fn verify_csrf(&self, token: &str) -> bool {
        let mut state = self.lock();
        state.was_used = true;
        let keys = &self.engine().keys;
        let is_signed_in = state.live().is_some_and(|cached| cached.record.subject.is_some());
        let of_session = bound_session(&mut state);
        let visitor = state.visitor(keys);
        let presented = visitor.filter(|_| !state.is_visitor_new && !is_signed_in);
        of_session.is_some_and(|(id, seed)| csrf::verify(keys, Bound::Session(&id, &seed), token))
            || presented.is_some_and(|it| csrf::verify(keys, Bound::Visitor(&it), token))
    }

    /// Makes every token issued so far worthless. A visitor without a session gets a new cookie.
    pub fn regenerate_csrf(&self) {
        let Ok(seed) = random(&*self.engine().rng) else { return };
        let mut state = self.lock();
        if state.live().is_some() {
            drop(state);
            // A seed weighs nothing, so the change cannot fail.
            let _ = self.change(Op::CsrfSeed(seed));
        } else {
            (state.presented_visitor, state.visitor, state.was_used) = (None, None, true);
            let _ = self.visitor(&mut state);
        }
    }

    /// The visitor's nonce that was presented, or a new one that will be set.
    fn visitor(&self, state: &mut State) -> Result<PreSession, crate::random::RandomError> {
        if let Some(visitor) = state.visitor(&self.engine().keys) {
            return Ok(visitor);
        }
        let visitor = PreSession::draw(&*self.engine().rng)?;
        (state.visitor, state.is_visitor_new) = (Some(visitor), true);
        Ok(visitor)
    }
}

fn bound_session(state: &mut State) -> Option<(crate::id::SessionId, [u8; 16])> {
    let id = state.live()?.record.id;
    Some((id, state.look(|content| content.csrf_seed)))
}
