//! The tokens of a session, and when they are over.

use std::time::Duration;

use handstamp_protocol::Time;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::token::Token;

/// No margin is larger than one part in so many of what a token lives. Without this, a token that
/// lives no longer than its margin would need a refresh the moment it comes.
const SHARE: u32 = 5;

/// How long before its end something counts as over. Each is at most 20 % of the life of what it
/// is applied to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Margins {
    /// An access token is no longer sent: 5 s by default, for the way to the server.
    pub expiry: Duration,
    /// An access token is renewed: 5 min by default. Up to a tenth earlier, differently in each
    /// process, so that not all ask at once.
    pub refresh: Duration,
    /// A linked session of another provider is renewed: 1 h by default.
    pub linked: Duration,
}

impl Default for Margins {
    fn default() -> Self {
        Self {
            expiry: Duration::from_secs(5),
            refresh: Duration::from_secs(300),
            linked: Duration::from_secs(3600),
        }
    }
}

/// When a thing is over, less the margin; never earlier than after 80 % of its life.
pub(crate) fn due(from: Option<Time>, end: Time, margin: Duration) -> Time {
    let share = from.map(|from| clock::between(from, end) / SHARE);
    clock::earlier(end, share.map_or(margin, |share| share.min(margin)))
}

/// What a session is presented with. Serialised for the storage only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuthTokens {
    /// Sent with each request.
    pub access_token: Token,
    /// Exchanged for the next tokens; without one the session ends with its access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Token>,
    /// When the access token is over, by the server's clock. Without it, it is good until a server
    /// says no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// When the refresh token is over, by the server's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_expires_at: Option<Time>,
    /// When these came; [`SessionManager`](crate::SessionManager) fills it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obtained_at: Option<Time>,
}

impl AuthTokens {
    /// An access token that is good until a server says no.
    pub fn new(access_token: impl Into<Token>) -> Self {
        Self {
            access_token: access_token.into(),
            refresh_token: None,
            expires_at: None,
            refresh_expires_at: None,
            obtained_at: None,
        }
    }

    /// With a refresh token.
    #[must_use]
    pub fn with_refresh_token(mut self, token: impl Into<Token>) -> Self {
        self.refresh_token = Some(token.into());
        self
    }

    /// With an end of the access token.
    #[must_use]
    pub const fn expiring_at(mut self, at: Time) -> Self {
        self.expires_at = Some(at);
        self
    }

    /// With an end of the refresh token.
    #[must_use]
    pub const fn refreshable_until(mut self, at: Time) -> Self {
        self.refresh_expires_at = Some(at);
        self
    }

    /// Whether the access token should not be sent any more.
    pub fn is_expired(&self, now: Time, margins: &Margins) -> bool {
        self.over_at(margins).is_some_and(|over| now >= over)
    }

    /// When the access token should not be sent any more.
    pub(crate) fn over_at(&self, margins: &Margins) -> Option<Time> {
        Some(due(self.obtained_at, self.expires_at?, margins.expiry))
    }

    /// Whether it is time for the next access token.
    pub fn needs_refresh(&self, now: Time, margins: &Margins) -> bool {
        self.refresh_due(margins).is_some_and(|due| now >= due)
    }

    /// When it is time for the next access token.
    pub(crate) fn refresh_due(&self, margins: &Margins) -> Option<Time> {
        Some(due(self.obtained_at, self.expires_at?, margins.refresh))
    }

    /// Whether there is a refresh token that is not past its time.
    pub fn is_refreshable(&self, now: Time) -> bool {
        self.refresh_token.is_some() && self.refresh_expires_at.is_none_or(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_millis(seconds * 1000)
    }

    fn living(seconds: i64) -> AuthTokens {
        AuthTokens { obtained_at: Some(at(0)), ..AuthTokens::new("a").expiring_at(at(seconds)) }
    }

    #[test]
    fn a04_f05_a_token_of_thirty_minutes_is_renewed_five_minutes_before() {
        let (tokens, margins) = (living(1800), Margins::default());
        assert!(
            !tokens.needs_refresh(at(1499), &margins) && tokens.needs_refresh(at(1500), &margins)
        );
        assert!(!tokens.is_expired(at(1794), &margins) && tokens.is_expired(at(1795), &margins));
    }

    #[test]
    fn a04_a_fresh_token_never_needs_a_refresh_however_short_its_life() {
        for life in [1, 10, 60, 299, 900, 3600] {
            let (tokens, margins) = (living(life), Margins::default());
            assert!(!tokens.needs_refresh(at(0), &margins), "{life}");
            assert!(!tokens.is_expired(at(0), &margins), "{life}");
            assert!(tokens.needs_refresh(at(life), &margins), "{life}");
        }
    }

    #[test]
    fn a04_margins_are_configurable() {
        let margins = Margins {
            expiry: Duration::from_secs(300),
            refresh: Duration::from_secs(900),
            ..Margins::default()
        };
        let tokens = living(7200);
        assert!(
            tokens.needs_refresh(at(6300), &margins) && !tokens.needs_refresh(at(6299), &margins)
        );
        assert!(tokens.is_expired(at(6900), &margins) && !tokens.is_expired(at(6899), &margins));
    }

    #[test]
    fn a_token_without_an_end_is_good_until_a_server_says_no() {
        let (tokens, margins) = (AuthTokens::new("a"), Margins::default());
        assert!(!tokens.needs_refresh(Time::MAX, &margins));
        assert!(!tokens.is_expired(Time::MAX, &margins));
        assert!(!tokens.is_refreshable(at(0)));
    }

    #[test]
    fn a_refresh_token_past_its_time_is_none() {
        let tokens = living(10).with_refresh_token("r").refreshable_until(at(100));
        assert!(tokens.is_refreshable(at(99)) && !tokens.is_refreshable(at(100)));
    }
}
