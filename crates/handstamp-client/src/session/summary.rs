//! One line about a session, for people.

use handstamp_protocol::Time;

use super::{LinkedHealth, Margins, Session};

impl Session {
    /// One line: `Session: VALID | Tokens: VALID | Cookies: PRESENT | Turnkey: ACTIVE | Age: 45m |
    /// Last API: 2m ago`. Each linked session has a part of its own, under its provider's name
    /// with a capital. `now` is by the clock of this machine; that of the server, which tokens go
    /// by, is known.
    pub fn summary(&self, now: Time, margins: &Margins) -> String {
        let there = self.server_time(now);
        let mut parts = vec![
            format!("Session: {}", if self.is_valid(there, margins) { "VALID" } else { "EXPIRED" }),
            format!("Tokens: {}", self.tokens_in_words(there, margins)),
            format!("Cookies: {}", if self.cookies.is_empty() { "MISSING" } else { "PRESENT" }),
        ];
        parts.extend(self.linked.iter().map(|(provider, linked)| {
            let health = match linked.health(now, margins) {
                LinkedHealth::Active => "ACTIVE",
                LinkedHealth::NeedsRefresh => "NEEDS_REFRESH",
                LinkedHealth::Expired => "EXPIRED",
            };
            format!("{}: {health}", capitalised(provider))
        }));
        parts.push(format!("Age: {}m", self.metadata.session_age_minutes(now)));
        parts.push(match self.metadata.minutes_since_last_api_call(now) {
            Some(minutes) => format!("Last API: {minutes}m ago"),
            None => "Last API: never".to_owned(),
        });
        parts.join(" | ")
    }

    fn tokens_in_words(&self, now: Time, margins: &Margins) -> &'static str {
        match (self.tokens.is_expired(now, margins), self.tokens.needs_refresh(now, margins)) {
            (true, _) => "EXPIRED",
            (_, true) => "NEEDS_REFRESH",
            _ => "VALID",
        }
    }
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a08_the_summary_has_the_form_of_the_guide() {
        let mut session = testing::full_session();
        let minute = |minutes: i64| Time::from_millis(minutes * 60_000);
        session.metadata.created_at = minute(0);
        session.metadata.last_api_call_at = Some(minute(43));
        session.tokens.obtained_at = Some(minute(40));
        session.tokens.expires_at = Some(minute(70));
        let summary = |now| session.summary(minute(now), &Margins::default());
        assert_eq!(
            summary(45),
            "Session: VALID | Tokens: VALID | Cookies: PRESENT | Turnkey: ACTIVE | Age: 45m | Last API: 2m ago"
        );
        assert!(summary(66).contains("Tokens: NEEDS_REFRESH"), "{}", summary(66));
        assert!(summary(71).starts_with("Session: VALID | Tokens: EXPIRED"), "{}", summary(71));
    }

    #[test]
    fn a08_the_tokens_in_the_summary_go_by_the_servers_clock() {
        let mut session = testing::session("a", "r", 1800);
        // An hour behind ours.
        session.skew_ms = -3_600_000;
        let now = crate::clock::later(testing::START, std::time::Duration::from_secs(3660));
        let summary = session.summary(now, &Margins::default());
        assert!(summary.starts_with("Session: VALID | Tokens: VALID"), "{summary}");
        assert!(summary.contains("Age: 61m"), "{summary}");
    }

    #[test]
    fn a08_what_is_missing_is_said() {
        let mut session = testing::session("a", "r", 100);
        session.tokens.refresh_token = None;
        let now = crate::clock::later(testing::START, std::time::Duration::from_secs(100));
        assert_eq!(
            session.summary(now, &Margins::default()),
            "Session: EXPIRED | Tokens: EXPIRED | Cookies: MISSING | Age: 1m | Last API: never"
        );
    }
}
