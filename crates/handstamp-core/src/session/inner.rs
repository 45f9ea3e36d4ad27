//! What the handles of one session share. A request that only reads takes no lock in here, and
//! what it does not need is not made.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::opened::RequestInfo;
use super::resolve::{CookieValue, Presented};
use super::state::{Base, State};
use crate::cache::Cached;
use crate::csrf::Unproven;
use crate::engine::Engine;
use crate::time::Timestamp;
use crate::token::TokenText;

/// What the handles of one session share.
pub(super) struct Inner<R: RequestInfo + ?Sized = dyn RequestInfo> {
    pub(super) raw: Raw,
    /// The session as the near cache knew it when it was first asked for.
    known: OnceLock<Known>,
    /// Made by the first who does more than read; from then on it is the truth.
    kept: OnceLock<Box<Kept>>,
    was_read: AtomicBool,
    /// Whether the request counts as activity.
    is_activity: AtomicBool,
    pub(super) request: R,
}

/// What a request presented, as it came.
pub(super) struct Raw {
    /// What may be a session's token.
    pub(super) token: Option<TokenText>,
    /// What may be a visitor's cookie.
    pub(super) visitor: Option<Unproven>,
    /// Something was presented that is no token.
    pub(super) is_nothing: bool,
    /// Two session cookies were presented.
    pub(super) is_ambiguous: bool,
    /// The session was found by an access token: its holder takes no other.
    pub(super) is_by_access: bool,
}

/// A session that was judged good.
pub(super) struct Known {
    pub(super) cached: Arc<Cached>,
    /// When, if a clock was read for it.
    pub(super) at: Option<Timestamp>,
}

/// What is made for a request that does more than read.
struct Kept {
    state: Mutex<State>,
    /// Held by whatever makes a session of this request begin or end, so that no two do at once.
    turn: tokio::sync::Mutex<()>,
}

/// A session of which nobody has done more than read.
pub(super) enum Plain<'a> {
    /// A live one.
    Live(&'a Known),
    /// None: nothing was presented.
    Nobody,
    /// Somebody has done more, or it is not judged yet: look at the state.
    Not,
}

impl<R: RequestInfo> Inner<R> {
    /// The session of a request that presents this. Nothing is judged yet: no store is asked and
    /// no key used.
    #[inline]
    pub(super) fn open(presented: Presented<'_, R>) -> Arc<Self> {
        let Presented { cookie, pre_session, client: request } = presented;
        let token = match cookie {
            CookieValue::One(value) => TokenText::read(value),
            CookieValue::None | CookieValue::Several => None,
        };
        Arc::new(Self {
            raw: Raw {
                is_nothing: token.is_none() && cookie != CookieValue::None,
                token,
                visitor: pre_session.and_then(Unproven::read),
                is_ambiguous: cookie == CookieValue::Several,
                is_by_access: false,
            },
            known: OnceLock::new(),
            kept: OnceLock::new(),
            was_read: AtomicBool::new(false),
            is_activity: AtomicBool::new(true),
            request,
        })
    }

    /// A live session that was found otherwise than by a cookie: whoever asks takes no token.
    pub(super) fn of_access(cached: Arc<Cached>, request: R) -> Arc<Self> {
        let (token, visitor, is_by_access) = (None, None, true);
        Arc::new(Self {
            raw: Raw { token, visitor, is_nothing: false, is_ambiguous: false, is_by_access },
            known: Known { cached, at: None }.into(),
            kept: OnceLock::new(),
            was_read: AtomicBool::new(false),
            is_activity: AtomicBool::new(true),
            request,
        })
    }
}

impl Raw {
    /// The session cookie, as far as it may be one.
    pub(super) fn cookie(&self) -> CookieValue<'_> {
        match &self.token {
            _ if self.is_ambiguous => CookieValue::Several,
            Some(text) => CookieValue::One(text.as_bytes()),
            None if self.is_nothing => CookieValue::One(&[]),
            None => CookieValue::None,
        }
    }
}

impl<R: RequestInfo + ?Sized> Inner<R> {
    pub(super) fn engine(&self) -> &Arc<Engine> {
        self.request.engine()
    }

    /// Judges what was presented, if the near cache alone can. Answers whether it is judged now.
    pub(super) fn try_resolve_cached(&self) -> bool {
        if let Some(kept) = self.kept.get() {
            return self.try_resolve_kept(kept);
        }
        let Some(text) = &self.raw.token else { return true };
        if self.known.get().is_some() {
            return true;
        }
        let Some((cached, at)) = self.engine().known_good(text) else { return false };
        // If another was faster, theirs stands.
        let _ = self.known.set(Known { cached, at: Some(at) });
        true
    }

    fn try_resolve_kept(&self, kept: &Kept) -> bool {
        let mut state = self.lock_kept(kept);
        let Base::Presented(text) = &state.base else { return true };
        let Some((cached, at)) = self.engine().known_good(text) else { return false };
        (state.base, state.judged_at) = (Base::Live(cached), Some(at));
        true
    }

    /// The session as it was judged, for as long as nobody has done more than read.
    pub(super) fn plain(&self) -> Plain<'_> {
        if self.kept.get().is_some() {
            return Plain::Not;
        }
        match self.known.get() {
            Some(known) => Plain::Live(known),
            None if self.raw.token.is_none() => Plain::Nobody,
            None => Plain::Not,
        }
    }

    /// The same, to read something that the response may show.
    pub(super) fn read(&self) -> Plain<'_> {
        self.was_read.store(true, Ordering::Relaxed);
        self.plain()
    }

    pub(super) fn was_read(&self) -> bool {
        self.was_read.load(Ordering::Relaxed)
    }

    pub(super) fn is_activity(&self) -> bool {
        self.is_activity.load(Ordering::Relaxed)
    }

    /// Says whether the request counts as activity. Makes no state: a poll only reads, and there
    /// are many of them.
    pub(super) fn count_as_activity(&self, is_activity: bool) {
        self.is_activity.store(is_activity, Ordering::Relaxed);
    }

    /// The state, for whoever does more than read.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.lock_kept(self.kept())
    }

    /// The state, if anybody has done more than read.
    pub(super) fn lock_if_kept(&self) -> Option<MutexGuard<'_, State>> {
        self.kept.get().map(|kept| self.lock_kept(kept))
    }

    /// Held by whatever makes a session of this request begin or end.
    pub(super) fn turn(&self) -> &tokio::sync::Mutex<()> {
        &self.kept().turn
    }

    fn kept(&self) -> &Kept {
        self.kept.get_or_init(|| {
            let state = State::of(&self.raw, self.known.get());
            Box::new(Kept { state: Mutex::new(state), turn: tokio::sync::Mutex::default() })
        })
    }

    /// What the cache knew counts until somebody has judged otherwise.
    fn lock_kept<'a>(&self, kept: &'a Kept) -> MutexGuard<'a, State> {
        let mut state = kept.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Base::Presented(_), Some(known)) = (&state.base, self.known.get()) {
            state.start_from(known);
        }
        state
    }
}

impl<R: RequestInfo + ?Sized> Drop for Inner<R> {
    fn drop(&mut self) {
        let Some(kept) = self.kept.get_mut() else { return };
        let state = kept.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if !state.delta.is_empty() {
            let session = state.live().map(|cached| cached.record.id.to_string());
            self.engine().dropped_dirty.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(session, "a session was changed and dropped without commit()");
        }
    }
}
