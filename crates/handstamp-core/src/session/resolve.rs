//! From what a request presents to a session.

use super::Session;
use super::state::{Base, State};
use crate::csrf::Unproven;
use crate::engine::{Engine, Judged};
use crate::error::{Refused, SessionError};
use crate::record::Client;
use crate::session::CookieAction;
use crate::token::Token;
use std::fmt;
use std::sync::Arc;

/// What a request carries under the session cookie's name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum CookieValue<'a> {
    /// No such cookie.
    None,
    /// One, with this value.
    One(&'a [u8]),
    /// Two or more: nobody can tell which is meant, so the request is nobody's.
    Several,
}

/// What a request presents.
#[derive(Clone)]
pub struct Presented<'a> {
    /// The session cookie.
    pub cookie: CookieValue<'a>,
    /// The value of the visitor's cookie, if there is exactly one.
    pub pre_session: Option<&'a str>,
    /// Where the request comes from.
    pub client: Client,
}

impl fmt::Debug for CookieValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::One(_) => "One(..)",
            Self::Several => "Several",
        })
    }
}

impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented")
            .field("cookie", &self.cookie)
            .field("has_pre_session", &self.pre_session.is_some())
            .field("client", &self.client)
            .finish()
    }
}

impl Session {
    /// The session of a request that presents this. Nothing is judged yet: no store is asked and
    /// no key used.
    pub(crate) fn open(engine: Arc<Engine>, presented: Presented<'_>) -> Self {
        let (base, refusal) = match presented.cookie {
            CookieValue::None => (Base::Nobody, None),
            CookieValue::Several => (Base::Nobody, Some(Refused::Invalid)),
            CookieValue::One(value) => match Token::from_cookie(value) {
                Some(token) => (Base::Presented(token), None),
                None => (Base::Nobody, Some(Refused::Invalid)),
            },
        };
        let mut state = State::new(base, presented.client);
        state.refusal = refusal;
        state.is_ambiguous = presented.cookie == CookieValue::Several;
        state.presented_visitor = presented.pre_session.and_then(Unproven::read);
        Self::with_state(engine, state)
    }

    /// Judges what was presented, if the near cache alone can: no waiting. Answers whether it is
    /// judged now.
    pub fn try_resolve_cached(&self) -> bool {
        let mut state = self.lock();
        let Base::Presented(token) = &state.base else { return true };
        let Some(cached) = self.engine().known_good(token) else { return false };
        state.base = Base::Live(cached);
        true
    }

    /// Judges what was presented. A token that is refused leaves the session nobody's, with
    /// [`refusal`](Self::refusal) set.
    ///
    /// # Errors
    /// Only faults of the system: [`SessionError::Unavailable`], [`SessionError::Corrupt`]. The
    /// request is then neither signed in nor signed out, and must not be treated as either.
    pub async fn resolve(&self) -> Result<(), SessionError> {
        self.engine().ensure_maintenance();
        if self.try_resolve_cached() {
            return Ok(());
        }
        let token = match &self.lock().base {
            Base::Presented(token) => token.clone(),
            Base::Nobody | Base::Live(_) => return Ok(()),
        };
        let judged = self.engine().judge(&token).await?;
        let mut state = self.lock();
        if !matches!(state.base, Base::Presented(_)) {
            return Ok(());
        }
        match judged {
            Judged::Good { session, must_send } => {
                if must_send {
                    state.cookie = CookieAction::set(&session);
                }
                state.is_stale = !must_send && !session.is_current(&token);
                state.base = Base::Live(session);
            }
            Judged::Refused { why, proven } => {
                (state.base, state.refusal, state.proven) = (Base::Nobody, Some(why), proven);
            }
        }
        Ok(())
    }
}
