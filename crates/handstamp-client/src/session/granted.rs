//! What a server's answer does to a session.

use std::time::Duration;

use handstamp_protocol::Time;

use super::{AuthTokens, Session};
use crate::backend::Granted;
use crate::clock;

/// Clocks that differ by less are taken for one: `Date` has whole seconds, and is on its way for a
/// while.
const SAME: i64 = 3000;

impl Granted {
    /// Its tokens, received at this time by the server's clock.
    pub(crate) fn tokens(&self, now: Time) -> AuthTokens {
        let end = |span: Option<Duration>| span.map(|span| clock::later(now, span));
        AuthTokens {
            access_token: self.access_token.clone(),
            refresh_token: self.refresh_token.clone(),
            expires_at: end(self.expires_in),
            refresh_expires_at: end(self.refresh_expires_in),
            obtained_at: Some(now),
        }
    }
}

impl From<(&Granted, Time)> for Session {
    /// A session of what a server handed out when it was asked at this time.
    fn from((granted, asked_at): (&Granted, Time)) -> Self {
        let mut session = Self::new(granted.tokens(asked_at), super::UserInfo::default());
        session.learn_skew(granted.date, asked_at);
        session.tokens = granted.tokens(session.server_time(asked_at));
        session.learn(granted);
        session
    }
}

impl Session {
    /// What the server's clock shows when ours shows `time`.
    pub(crate) const fn server_time(&self, time: Time) -> Time {
        Time::from_millis(time.as_millis().saturating_add(self.skew_ms))
    }

    /// The time of our clock when the server's shows `time`.
    pub(crate) const fn local_time(&self, time: Time) -> Time {
        Time::from_millis(time.as_millis().saturating_sub(self.skew_ms))
    }

    /// Learns how far the server's clock is ahead: it showed `date` when ours showed `now`.
    pub(crate) fn learn_skew(&mut self, date: Option<Time>, now: Time) {
        if let Some(date) = date {
            let skew = date.as_millis().saturating_sub(now.as_millis());
            self.skew_ms = if skew.abs() < SAME { 0 } else { skew };
        }
    }

    /// Whether its tokens came later than it is now by our clock, and can be renewed to make sure.
    pub(crate) fn is_from_later_than(&self, now: Time) -> bool {
        let tokens = &self.tokens;
        let came = tokens.obtained_at.map_or(i64::MIN, Time::as_millis);
        let is_later = came.saturating_sub(self.server_time(now).as_millis()) >= SAME;
        is_later && tokens.expires_at.is_some() && tokens.refresh_token.is_some()
    }

    /// Takes over what an answer says of whom the session belongs to.
    pub(crate) fn learn(&mut self, granted: &Granted) {
        if let Some(user) = &granted.user {
            self.user.clone_from(user);
        }
        if granted.id.is_some() {
            self.id.clone_from(&granted.id);
        }
        self.is_guest = granted.is_guest.unwrap_or(self.is_guest);
        self.authenticated_at = granted.authenticated_at.unwrap_or(self.authenticated_at);
    }

    /// When it was last used, by the server's clock.
    pub(crate) fn last_active_at(&self) -> Option<Time> {
        self.metadata.last_api_call_at.map(|at| self.server_time(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, START};

    #[test]
    fn the_end_of_a_token_is_told_by_the_servers_clock_and_compared_with_it() {
        let granted = Granted {
            expires_in: Some(Duration::from_secs(60)),
            date: Some(clock::later(START, Duration::from_secs(3600))),
            ..Granted::new("a")
        };
        let session = Session::from((&granted, START));
        let margins = crate::Margins::default();
        assert!(!session.tokens.is_expired(session.server_time(START), &margins));
        let later = clock::later(START, Duration::from_secs(59));
        assert!(session.tokens.is_expired(session.server_time(later), &margins));
    }

    #[test]
    fn a_clock_that_is_nearly_ours_is_ours() {
        let mut session = testing::session("a", "r", 60);
        session.learn_skew(Some(clock::earlier(START, Duration::from_millis(2999))), START);
        assert_eq!(session.skew_ms, 0);
        session.learn_skew(Some(Time::MAX), Time::MIN);
        assert_eq!(session.server_time(Time::MAX), Time::MAX);
    }
}
