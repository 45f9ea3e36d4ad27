//! Who may see a screen: let in, wait, or lead to sign-in and back.

use std::sync::Arc;
use std::time::Duration;

use crate::clock;
use crate::manager::SessionManager;
use crate::session::Session;
use crate::state::AuthState;

/// What a screen demands.
///
/// A guard is for what is shown. What may be done the server decides.
#[derive(Clone, Debug)]
pub struct Guard {
    sign_in: String,
    roles: Vec<String>,
    max_age: Option<Duration>,
    takes_guests: bool,
}

/// Whether a screen is shown.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Not known yet: what is kept is still being read, or its keyring is locked. Show that
    /// something is going on, and ask again when the state changes.
    Wait,
    /// Show it.
    Allow(Arc<Session>),
    /// Lead to sign-in, and afterwards back.
    Redirect {
        /// The screen of the sign-in.
        to: String,
        /// Where the user wanted to go, if that is a place of this program.
        return_to: Option<String>,
    },
    /// Somebody is signed in who may not see it. Signing in again would not help.
    Deny,
}

impl Guard {
    /// For users who are signed in. Everybody else is led to this screen.
    pub fn new(sign_in: impl Into<String>) -> Self {
        Self { sign_in: sign_in.into(), roles: Vec::new(), max_age: None, takes_guests: false }
    }

    /// For whoever has this role; said twice, for whoever has both.
    #[must_use]
    pub fn with_role(mut self, role: impl Into<String>) -> Self {
        self.roles.push(role.into());
        self
    }

    /// For whoever signed in no longer ago than this.
    #[must_use]
    pub const fn fresh_within(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// For guests too.
    #[must_use]
    pub const fn with_guests(mut self) -> Self {
        self.takes_guests = true;
        self
    }

    /// Whether the screen `path` is shown now. Asks nobody: without a network whoever is signed in
    /// stays so.
    pub fn check(&self, manager: &SessionManager, path: &str) -> Verdict {
        let session = match manager.state() {
            AuthState::Restoring | AuthState::Locked => return Verdict::Wait,
            state => state.session().cloned(),
        };
        let Some(session) = session.filter(|session| self.is_signed_in(manager, session)) else {
            return self.redirect(path);
        };
        match self.roles.iter().all(|role| session.has_role(role)) {
            true => Verdict::Allow(session),
            false => Verdict::Deny,
        }
    }

    fn is_signed_in(&self, manager: &SessionManager, session: &Session) -> bool {
        let now = manager.inner.now(session);
        let age = clock::between(session.authenticated_at, now);
        let is_fresh = self.max_age.is_none_or(|most| age <= most);
        let is_one = self.takes_guests || !session.is_guest;
        is_one && is_fresh && session.is_valid(now, &manager.inner.config.margins)
    }

    fn redirect(&self, path: &str) -> Verdict {
        let is_elsewhere = path != self.sign_in && is_local(path);
        let return_to = is_elsewhere.then(|| path.to_owned());
        Verdict::Redirect { to: self.sign_in.clone(), return_to }
    }
}

/// Whether a path leads to this program and to nobody else's host, however it is read.
fn is_local(path: &str) -> bool {
    let mut letters = path.chars();
    let is_rooted = letters.next() == Some('/') && !matches!(letters.next(), Some('/' | '\\'));
    is_rooted && !path.contains('\\') && !path.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::AuthTokens;
    use crate::testing::{ManualClock, full_session};

    async fn manager(clock: &ManualClock, is_guest: bool) -> SessionManager {
        let manager = SessionManager::builder().clock(clock.clone()).build();
        let mut session = full_session();
        session.tokens = AuthTokens::new("a").with_refresh_token("r");
        manager.authenticate_as_user(session).await.unwrap();
        manager.update(|session| session.is_guest = is_guest).await.unwrap();
        manager
    }

    fn is_allowed(guard: &Guard, manager: &SessionManager) -> bool {
        matches!(guard.check(manager, "/orders?page=2"), Verdict::Allow(_))
    }

    fn return_to(guard: &Guard, manager: &SessionManager, path: &str) -> Option<String> {
        match guard.check(manager, path) {
            Verdict::Redirect { to, return_to } if to == "/login" => return_to,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn j04_users_are_let_in_and_others_led_to_sign_in_and_back() {
        let (guard, clock) = (Guard::new("/login"), ManualClock::new());
        let nobody = SessionManager::builder().clock(clock.clone()).build();
        assert!(matches!(guard.check(&nobody, "/orders"), Verdict::Wait));
        nobody.restore().await.unwrap();
        assert_eq!(return_to(&guard, &nobody, "/orders?page=2").unwrap(), "/orders?page=2");
        assert_eq!(return_to(&guard, &nobody, "/login"), None);
        assert!(is_allowed(&guard, &manager(&clock, false).await));
    }

    #[tokio::test]
    async fn j04_guests_do_not_pass_unless_they_may() {
        let clock = ManualClock::new();
        let guest = manager(&clock, true).await;
        assert!(!is_allowed(&Guard::new("/login"), &guest));
        assert!(is_allowed(&Guard::new("/login").with_guests(), &guest));
    }

    #[tokio::test]
    async fn j04_a_role_that_is_missing_is_no_reason_to_sign_in_again() {
        let clock = ManualClock::new();
        let user = manager(&clock, false).await;
        let guard = Guard::new("/login").with_role("editor");
        assert!(is_allowed(&guard, &user));
        let verdict = guard.with_role("owner").check(&user, "/");
        assert!(matches!(verdict, Verdict::Deny));
    }

    #[tokio::test]
    async fn j04_a_sign_in_that_is_too_old_is_asked_for_anew() {
        let clock = ManualClock::new();
        let user = manager(&clock, false).await;
        let guard = Guard::new("/login").fresh_within(Duration::from_secs(300));
        clock.advance(Duration::from_secs(300));
        assert!(is_allowed(&guard, &user));
        clock.advance(Duration::from_secs(1));
        assert!(!is_allowed(&guard, &user));
    }

    #[tokio::test]
    async fn j04_the_way_back_leads_to_no_other_host() {
        let manager = SessionManager::builder().clock(ManualClock::new()).build();
        manager.restore().await.unwrap();
        for bad in ["https://evil.test", "//evil.test", "/\\evil.test", "x", "", "/a\n/b", "/a\\b"]
        {
            assert_eq!(return_to(&Guard::new("/login"), &manager, bad), None, "{bad}");
        }
    }
}
