//! Sessions of other providers that belong to ours: a wallet, a broker, a mail server.

use std::collections::BTreeMap;
use std::fmt;

use handstamp_protocol::Time;
use serde::{Deserialize, Serialize};

use super::tokens::{Margins, due};
use crate::token::Token;

/// A session at another provider. It is kept and ends with ours; renewing it is the application's
/// affair.
///
/// # Security
/// `Debug` shows the names of its secrets and nothing of what they are.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct LinkedSession {
    /// The provider's id of the organisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<String>,
    /// The provider's id of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Keys and secrets, by name.
    #[serde(default)]
    pub secrets: BTreeMap<String, Token>,
    /// When it came about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,
    /// When it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
}

/// How a linked session is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkedHealth {
    /// Good.
    Active,
    /// Good, and soon over.
    NeedsRefresh,
    /// Over.
    Expired,
}

impl LinkedSession {
    /// How it is. One without an end is good.
    pub fn health(&self, now: Time, margins: &Margins) -> LinkedHealth {
        match self.expires_at {
            Some(end) if now >= end => LinkedHealth::Expired,
            Some(end) if now >= due(self.created_at, end, margins.linked) => {
                LinkedHealth::NeedsRefresh
            }
            _ => LinkedHealth::Active,
        }
    }
}

impl fmt::Debug for LinkedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkedSession")
            .field("organization_id", &self.organization_id)
            .field("user_id", &self.user_id)
            .field("secrets", &self.secrets.keys())
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a06_a_linked_session_has_its_own_end_and_margin() {
        let at = |seconds: i64| Time::from_millis(seconds * 1000);
        let linked = LinkedSession {
            created_at: Some(at(0)),
            expires_at: Some(at(36_000)),
            ..LinkedSession::default()
        };
        let health = |now| linked.health(at(now), &Margins::default());
        assert_eq!(health(32_399), LinkedHealth::Active);
        assert_eq!(health(32_400), LinkedHealth::NeedsRefresh);
        assert_eq!(health(36_000), LinkedHealth::Expired);
        assert_eq!(
            LinkedSession::default().health(Time::MAX, &Margins::default()),
            LinkedHealth::Active
        );
    }

    #[test]
    fn a06_ids_of_any_length_are_shown_and_secrets_are_not() {
        let linked = LinkedSession {
            user_id: Some("ü".into()),
            secrets: [("client_secret".to_owned(), Token::new("s3cret"))].into(),
            ..LinkedSession::default()
        };
        let shown = format!("{linked:?}");
        assert!(shown.contains("client_secret") && !shown.contains("s3cret"), "{shown}");
    }
}
