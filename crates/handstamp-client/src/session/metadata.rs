//! What is noted beside a session.

use std::net::IpAddr;

use handstamp_protocol::Time;
use serde::{Deserialize, Serialize};

use crate::clock;

/// When a session came about and was used, and by what.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SessionMetadata {
    /// When it was signed in here.
    pub created_at: Time,
    /// When its tokens were last renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_refreshed_at: Option<Time>,
    /// When it was last used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_api_call_at: Option<Time>,
    /// Which server it was last used with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_api_server: Option<String>,
    /// The `User-Agent` of its requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Where it was signed in from, as far as that was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<IpAddr>,
    /// What the application knows this machine again by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_fingerprint: Option<String>,
}

impl SessionMetadata {
    /// Of a session that was signed in at this time.
    pub const fn at(created_at: Time) -> Self {
        Self {
            created_at,
            last_refreshed_at: None,
            last_api_call_at: None,
            current_api_server: None,
            user_agent: None,
            ip_address: None,
            client_fingerprint: None,
        }
    }

    /// Whole minutes since the sign-in; 0 if that lies in the future.
    pub fn session_age_minutes(&self, now: Time) -> u64 {
        minutes(self.created_at, now)
    }

    /// Whole minutes since the last use, if there was one.
    pub fn minutes_since_last_api_call(&self, now: Time) -> Option<u64> {
        self.last_api_call_at.map(|at| minutes(at, now))
    }
}

fn minutes(from: Time, to: Time) -> u64 {
    clock::between(from, to).as_secs() / 60
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a07_ages_are_whole_minutes_and_never_negative() {
        let mut metadata = SessionMetadata::at(Time::from_millis(60_000));
        let at = |seconds: i64| Time::from_millis(seconds * 1000);
        assert_eq!(metadata.session_age_minutes(at(60 + 119)), 1);
        assert_eq!(metadata.session_age_minutes(at(0)), 0);
        assert_eq!(metadata.minutes_since_last_api_call(at(500)), None);
        metadata.last_api_call_at = Some(at(300));
        assert_eq!(metadata.minutes_since_last_api_call(at(420)), Some(2));
    }
}
