//! A session as its holder keeps it.

mod cookies;
mod granted;
mod import;
mod linked;
mod metadata;
mod set_cookie;
mod summary;
mod tokens;

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use handstamp_protocol::Time;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use cookies::{AuthCookies, CookieChanges};
pub use import::{ImportError, import_json};
pub use linked::{LinkedHealth, LinkedSession};
pub use metadata::SessionMetadata;
pub use tokens::{AuthTokens, Margins};

use crate::random::{self, NoRandom};
use crate::token::Token;

/// Whose session it is, as far as the server told.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct UserInfo {
    /// The application's id of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// E-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Telephone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// What the session may do, as of the last answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
}

/// One sign-in on this machine, with everything that must outlive the program.
///
/// Serialised for the storage only, which seals it.
///
/// # Security
/// `Debug` shows no token, no cookie's value and no secret of a linked session.
#[derive(Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Session {
    /// Its public id, where the server named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Whose it is.
    #[serde(default)]
    pub user: UserInfo,
    /// Whether it is a stand-in that the user asked for.
    #[serde(default)]
    pub is_guest: bool,
    /// When the user signed in, by the server's clock; when that was done here if the server did
    /// not say.
    pub authenticated_at: Time,
    /// Its tokens.
    pub tokens: AuthTokens,
    /// Its cookies.
    #[serde(default)]
    pub cookies: AuthCookies,
    /// Sessions of other providers that belong to it, by the provider's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub linked: BTreeMap<String, LinkedSession>,
    /// What is noted beside it.
    pub metadata: SessionMetadata,
    /// How often its tokens were replaced. What is newer is found by this.
    #[serde(default)]
    pub(crate) generation: u64,
    /// Names this sign-in, so that another one is not taken for a later generation of it. 192
    /// random bits that are sent to nobody.
    pub(crate) lineage: String,
    /// The refresh that was last asked for and not yet answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) attempt: Option<Attempt>,
    /// How far the server's clock is ahead of ours, in milliseconds.
    #[serde(default)]
    pub(crate) skew_ms: i64,
}

/// A refresh that was asked for: written down before it is sent, so that whoever comes after can
/// ask for the same again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Attempt {
    /// 192 bits that only holders of the session can know.
    pub(crate) id: Token,
    /// Of which generation.
    pub(crate) generation: u64,
}

impl Session {
    /// A session of these tokens. [`SessionManager`](crate::SessionManager) fills in when it was
    /// signed in.
    pub fn new(tokens: AuthTokens, user: UserInfo) -> Self {
        Self {
            id: None,
            user,
            is_guest: false,
            authenticated_at: Time::default(),
            tokens,
            cookies: AuthCookies::default(),
            linked: BTreeMap::new(),
            metadata: SessionMetadata::at(Time::default()),
            generation: 0,
            lineage: String::new(),
            attempt: None,
            skew_ms: 0,
        }
    }

    /// Signs it in now, where that is not told already.
    pub(crate) fn begin(&mut self, now: Time) -> Result<(), NoRandom> {
        self.lineage = random::text()?;
        self.generation = 0;
        self.attempt = None;
        self.tokens.obtained_at.get_or_insert(now);
        for at in [&mut self.authenticated_at, &mut self.metadata.created_at] {
            if *at == Time::default() {
                *at = now;
            }
        }
        Ok(())
    }

    /// Its access token.
    pub const fn token(&self) -> &Token {
        &self.tokens.access_token
    }

    /// Display name.
    pub fn name(&self) -> Option<&str> {
        self.user.name.as_deref()
    }

    /// E-mail address.
    pub fn email(&self) -> Option<&str> {
        self.user.email.as_deref()
    }

    /// Telephone number.
    pub fn phone(&self) -> Option<&str> {
        self.user.phone.as_deref()
    }

    /// How often its tokens were replaced since the sign-in.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether it may act in `role`, as of the last answer.
    pub fn has_role(&self, role: &str) -> bool {
        self.user.roles.iter().any(|own| own == role)
    }

    /// Whether a request could be made with it: its access token is good, or can be renewed.
    pub fn is_valid(&self, now: Time, margins: &Margins) -> bool {
        !self.tokens.is_expired(now, margins) || self.tokens.is_refreshable(now)
    }

    /// Whether `other` is a later generation of the same sign-in.
    pub(crate) fn is_older_than(&self, other: &Self) -> bool {
        self.lineage == other.lineage && self.generation < other.generation
    }

    /// The attempt of the present generation, if one was written down.
    pub(crate) fn open_attempt(&self) -> Option<&Attempt> {
        self.attempt.as_ref().filter(|attempt| attempt.generation == self.generation)
    }

    /// The attempt with which the present generation is renewed. Its id is the same in each process
    /// that holds the session: where there are no locks, two that ask at once ask for the same. Out
    /// of the refresh token alone nobody can tell it.
    pub(crate) fn next_attempt(&self) -> Option<Attempt> {
        let token = self.tokens.refresh_token.as_ref()?;
        let hash = Sha256::new()
            .chain_update(b"handstamp client attempt\0")
            .chain_update(&self.lineage)
            .chain_update([0])
            .chain_update(token.expose());
        let id = BASE64_URL_SAFE_NO_PAD.encode(&hash.finalize()[..24]);
        Some(Attempt { id: id.into(), generation: self.generation })
    }

    /// Takes the tokens of the next generation.
    pub(crate) fn rotate(&mut self, tokens: AuthTokens, now: Time) {
        let refresh_token = tokens.refresh_token.clone().or(self.tokens.refresh_token.take());
        let refresh_expires_at = tokens.refresh_expires_at.or(self.tokens.refresh_expires_at);
        let obtained_at = tokens.obtained_at.or(Some(now));
        self.tokens = AuthTokens { refresh_token, refresh_expires_at, obtained_at, ..tokens };
        self.generation += 1;
        self.attempt = None;
        self.metadata.last_refreshed_at = Some(now);
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id)
            .field("subject", &self.user.subject)
            .field("is_guest", &self.is_guest)
            .field("generation", &self.generation)
            .field("tokens", &self.tokens)
            .field("cookies", &self.cookies)
            .field("linked", &self.linked)
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn s80_debug_of_a_session_shows_no_secret() {
        let session = testing::full_session();
        let shown = format!("{session:?} {:?}", session.attempt);
        for secret in testing::SECRETS {
            assert!(!shown.contains(secret), "{secret}: {shown}");
        }
        let written = serde_json::to_string(&session).unwrap();
        assert!(testing::SECRETS.iter().all(|secret| written.contains(secret)), "{written}");
    }

    #[test]
    fn whoever_holds_the_session_finds_the_same_attempt_and_nobody_else_does() {
        let attempt = |session: &Session| session.next_attempt().unwrap().id.expose().to_owned();
        let mut session = testing::full_session();
        let first = attempt(&session);
        assert_eq!((first.len(), attempt(&session.clone())), (32, first.clone()));
        // Another sign-in with the same token, and the same sign-in with another token.
        session.begin(Time::default()).unwrap();
        let second = attempt(&session);
        session.tokens.refresh_token = Some("next".into());
        assert!(first != second && attempt(&session) != second);
    }

    #[test]
    fn j05_a_session_has_token_name_email_phone_and_whether_it_is_a_guest() {
        let session = testing::full_session();
        assert_eq!(session.name(), Some("Ada"));
        assert_eq!(session.email(), Some("ada@example.com"));
        assert_eq!(session.phone(), Some("+44 1"));
        assert!(!session.is_guest && session.token().is(&Token::new("access-s3cret")));
    }

    #[test]
    fn another_sign_in_is_no_later_generation() {
        let (one, mut other) = (testing::full_session(), testing::full_session());
        other.generation += 1;
        assert!(!one.is_older_than(&other));
        other.lineage.clone_from(&one.lineage);
        assert!(one.is_older_than(&other) && !other.is_older_than(&one));
    }

    #[test]
    fn an_answer_without_a_refresh_token_keeps_the_one_there_is() {
        let mut session = testing::full_session();
        session.rotate(AuthTokens::new("next"), Time::from_millis(9));
        assert!(session.tokens.refresh_token.unwrap().is(&Token::new("refresh-s3cret")));
        assert_eq!(session.generation, 1);
    }
}
