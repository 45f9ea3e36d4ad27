//! How long a session has to live, and how its holder keeps it alive.

use super::Session;
use super::finish::CookieAction;
use crate::policy;
use crate::record::EndReason;
use crate::time::Timestamp;

impl Session {
    /// The last activity as far as this process knows, which may be later than what
    /// [`record`](Self::record) says; `None` for a visitor without a session.
    pub fn last_seen(&self) -> Option<Timestamp> {
        self.live().map(|cached| cached.activity.last_seen().at)
    }

    /// When the session runs out if it is not used again, and by which limit; `None` for a visitor
    /// without one.
    pub fn first_to_expire(&self) -> Option<(Timestamp, EndReason)> {
        let cached = self.live()?;
        Some(policy::first_to_expire(&cached.record, cached.activity.last_seen().at))
    }

    /// Notes activity now. Requests that pass a layer need not: it does so when they are answered.
    pub fn touch(&self) {
        if let Some(cached) = self.live() {
            self.engine().touches.note(&cached, self.engine().now());
        }
    }

    /// Extends the session of a cookie: activity now, and a remembered cookie is sent again, so that
    /// the browser keeps it for what is left of the absolute lifetime, which nothing but a sign-in
    /// or a step-up lengthens. A cookie that is due for rotation was rotated when it was judged.
    /// Nothing happens for a visitor without a session.
    pub fn extend(&self) {
        self.touch();
        self.0.count_as_activity(true);
        let mut state = self.lock();
        let again = state.live().filter(|cached| cached.record.is_remembered).cloned();
        let may_set = !state.is_by_access && !state.is_stale && state.cookie == CookieAction::None;
        if let Some(cached) = again.filter(|_| may_set) {
            state.cookie = CookieAction::set(&cached);
        }
    }
}
