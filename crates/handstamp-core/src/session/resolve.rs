//! From what a request presents to a session.

use std::fmt;

use super::Session;
use super::finish::CookieAction;
use super::state::Base;
use crate::engine::Judged;
use crate::error::{Refused, SessionError};
use crate::record::Client;

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
pub struct Presented<'a, C = Client> {
    /// The session cookie.
    pub cookie: CookieValue<'a>,
    /// The value of the visitor's cookie, if there is exactly one.
    pub pre_session: Option<&'a str>,
    /// Where the request comes from, or what tells.
    pub client: C,
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

impl<C: fmt::Debug> fmt::Debug for Presented<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented")
            .field("cookie", &self.cookie)
            .field("has_pre_session", &self.pre_session.is_some())
            .field("client", &self.client)
            .finish()
    }
}

impl Session {
    /// Judges what was presented, if the near cache alone can: no waiting. Answers whether it is
    /// judged now.
    pub fn try_resolve_cached(&self) -> bool {
        self.0.try_resolve_cached()
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
        let text = match &self.lock().base {
            Base::Presented(text) => *text,
            Base::Nobody | Base::Live(_) => return Ok(()),
        };
        let judged = match text.to_cookie() {
            Some(token) => self.engine().judge(&token).await?,
            None => Judged::Refused { why: Refused::Invalid, proven: None },
        };
        let mut state = self.lock();
        if !matches!(state.base, Base::Presented(_)) {
            return Ok(());
        }
        match judged {
            Judged::Good { session, must_send } => {
                if must_send {
                    state.cookie = CookieAction::set(&session);
                }
                state.is_stale = !must_send && !session.is_current(&text);
                state.base = Base::Live(session);
            }
            Judged::Refused { why, proven } => {
                (state.base, state.refusal, state.proven) = (Base::Nobody, Some(why), proven);
            }
        }
        Ok(())
    }
}
