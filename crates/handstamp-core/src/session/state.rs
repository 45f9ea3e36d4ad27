//! What a session knows during one request.

use std::sync::Arc;

use super::finish::CookieAction;
use super::inner::{Known, Raw};
use crate::cache::Cached;
use crate::csrf::{PreSession, Unproven};
use crate::data::JsonText;
use crate::delta::{Content, Delta, Op, Sizes};
use crate::error::{Refused, SessionError};
use crate::id::SessionId;
use crate::key::KeyRing;
use crate::time::Timestamp;
use crate::token::TokenText;

/// Where the session of a request comes from.
pub(super) enum Base {
    /// What may be a token was presented and is not judged yet.
    Presented(TokenText),
    /// There is no session.
    Nobody,
    /// A live session.
    Live(Arc<Cached>),
}

/// What a session knows during one request.
pub(crate) struct State {
    pub(super) base: Base,
    /// The base's content with the delta applied; `None` while the delta is empty.
    view: Option<Content>,
    pub(super) delta: Delta,
    pub(super) refusal: Option<Refused>,
    /// The session whose token was refused although its proof was valid.
    pub(super) proven: Option<SessionId>,
    /// When the presented token was judged, if the cache could: then the request was activity.
    pub(super) judged_at: Option<Timestamp>,
    /// The visitor's cookie that was presented, until somebody asks whether it is good.
    pub(super) presented_visitor: Option<Unproven>,
    /// The visitor's cookie that was presented and is good, or was made in this request.
    pub(super) visitor: Option<PreSession>,
    pub(super) is_visitor_new: bool,
    /// Two session cookies were presented.
    pub(super) is_ambiguous: bool,
    /// The session was found otherwise than by a cookie: whoever asks could not keep one.
    pub(super) is_by_access: bool,
    /// The token before the current one was presented, and the current one has been seen.
    pub(super) is_stale: bool,
    pub(super) cookie: CookieAction,
    pub(super) was_used: bool,
    pub(super) has_signed_out: bool,
    pub(super) is_destroyed: bool,
}

impl State {
    /// The state of a request that presented this, of which the cache knew that, if it has been
    /// asked.
    pub(super) fn of(raw: &Raw, known: Option<&Known>) -> Self {
        let mut state = Self {
            base: raw.token.map_or(Base::Nobody, Base::Presented),
            view: None,
            delta: Delta::new(),
            refusal: raw.is_nothing.then_some(Refused::Invalid),
            proven: None,
            judged_at: None,
            presented_visitor: raw.visitor,
            visitor: None,
            is_visitor_new: false,
            is_ambiguous: raw.is_ambiguous,
            is_by_access: raw.is_by_access,
            is_stale: false,
            cookie: CookieAction::None,
            was_used: false,
            has_signed_out: false,
            is_destroyed: false,
        };
        known.into_iter().for_each(|known| state.start_from(known));
        state
    }

    /// Goes on from what the cache knew.
    pub(super) fn start_from(&mut self, known: &Known) {
        self.base = Base::Live(Arc::clone(&known.cached));
        self.judged_at = known.at;
    }

    pub(super) const fn live(&self) -> Option<&Arc<Cached>> {
        match &self.base {
            Base::Live(cached) => Some(cached),
            Base::Presented(_) | Base::Nobody => None,
        }
    }

    /// The visitor that a good cookie was presented of, or that was made in this request.
    pub(super) fn visitor(&mut self, keys: &KeyRing) -> Option<PreSession> {
        if let Some(presented) = self.presented_visitor.take() {
            self.visitor = presented.prove(keys);
        }
        self.visitor
    }

    fn base_content(&self) -> Content {
        self.live().map(|cached| Content::of(&cached.record)).unwrap_or_default()
    }

    /// Looks at the content as this request sees it.
    pub(super) fn look<T>(&mut self, look: impl FnOnce(&Content) -> T) -> T {
        self.was_used = true;
        match &self.view {
            Some(view) => look(view),
            None => look(&self.base_content()),
        }
    }

    /// Looks at one value without copying the rest.
    pub(super) fn value(&mut self, key: &str) -> Option<crate::data::JsonText> {
        self.was_used = true;
        let data = match (&self.view, &self.base) {
            (Some(view), _) => &view.data,
            (None, Base::Live(cached)) => &cached.record.data,
            (None, _) => return None,
        };
        data.get(key).cloned()
    }

    /// Makes a change: visible at once in this request, committed later.
    pub(super) fn change(&mut self, mut op: Op, sizes: Sizes) -> Result<(), SessionError> {
        self.was_used = true;
        if self.is_destroyed {
            return Err(SessionError::NotFound);
        }
        let mut view = self.view.take().unwrap_or_else(|| self.base_content());
        let applied = view.apply(&mut op, sizes);
        if applied.is_ok() || !self.delta.is_empty() {
            self.view = Some(view);
        }
        if applied.is_ok() {
            self.delta.push(op);
        }
        applied
    }

    /// Makes a change of one value that has been worked out already, to be worked out again at
    /// the commit.
    pub(super) fn change_to(
        &mut self,
        op: Op,
        value: Option<JsonText>,
        sizes: Sizes,
    ) -> Result<(), SessionError> {
        let Op::Update(key, _) = &op else { return self.change(op, sizes) };
        let first = match value {
            Some(value) => Op::Set(Arc::clone(key), value),
            None => Op::Remove(Arc::clone(key)),
        };
        self.change(first, sizes)?;
        self.delta.replace_last(op);
        Ok(())
    }

    /// Takes what was changed, to be committed.
    pub(super) fn take_delta(&mut self) -> Delta {
        self.view = None;
        std::mem::take(&mut self.delta)
    }

    /// Goes on from `cached`, which a commit left behind; what was changed meanwhile stays.
    pub(super) fn rebase(&mut self, cached: Arc<Cached>, sizes: Sizes) {
        self.base = Base::Live(cached);
        self.refusal = None;
        self.see_again(sizes);
    }

    /// Takes back changes that could not be committed with something else.
    pub(super) fn put_back(&mut self, mut delta: Delta, sizes: Sizes) {
        delta.append(&mut self.delta);
        self.delta = delta;
        self.see_again(sizes);
    }

    fn see_again(&mut self, sizes: Sizes) {
        let content = self.base_content();
        self.view = match self.delta.is_empty() {
            true => None,
            false => self.delta.applied_to(&content, sizes).ok(),
        };
    }

    /// Goes on without a session: nothing of the old one remains.
    pub(super) fn leave(&mut self) {
        self.base = Base::Nobody;
        self.take_delta();
    }
}
