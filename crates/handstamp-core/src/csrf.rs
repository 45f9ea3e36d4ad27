//! CSRF tokens: an HMAC bound to one session and masked per render, and the stateless pair for
//! visitors without a session.
//!
//! A token is `key id (1) ‖ r (16) ‖ HMAC-SHA-256(csrf key, domain ‖ bound to ‖ seed ‖ r) (32)`
//! with a fresh random `r` each time, so no two renders are alike (BREACH) and the session id is
//! never in it. All parts have fixed lengths, so no two inputs run together (OWASP CSRF
//! Prevention, "signed double-submit").

use subtle::ConstantTimeEq;

use crate::encoding;
use crate::id::SessionId;
use crate::key::KeyRing;
use crate::random::{RandomError, Rng, random};
use crate::token::mac;

const SESSION: &[u8] = b"session";
const VISITOR: &[u8] = b"visitor";
const COOKIE: &[u8] = b"precook";

/// What a CSRF token is bound to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound<'a> {
    /// A session and its seed.
    Session(&'a SessionId, &'a [u8; 16]),
    /// A visitor's pre-session cookie.
    Visitor(&'a PreSession),
}

/// Makes a token; a new one at each call.
pub(crate) fn issue(
    keys: &KeyRing,
    bound: Bound<'_>,
    rng: &dyn Rng,
) -> Result<String, RandomError> {
    let key = keys.active();
    let mut token = [0; 49];
    token[0] = key.id();
    rng.fill(&mut token[1..17])?;
    let mac = bound.mac(key.csrf_key(), &token[1..17]);
    token[17..].copy_from_slice(&mac);
    Ok(encoding::encode(&token))
}

/// Whether `text` is a token for `bound`, compared in constant time.
pub(crate) fn verify(keys: &KeyRing, bound: Bound<'_>, text: &str) -> bool {
    let Some(token) = encoding::decode::<49>(text.as_bytes()) else { return false };
    let Some(key) = keys.find(token[0]) else { return false };
    bool::from(bound.mac(key.csrf_key(), &token[1..17]).ct_eq(&token[17..]))
}

impl Bound<'_> {
    fn mac(self, key: &[u8; 32], r: &[u8]) -> [u8; 32] {
        match self {
            Self::Session(id, seed) => mac(key, &[SESSION, id.as_bytes(), seed, r]),
            Self::Visitor(visitor) => mac(key, &[VISITOR, &visitor.0, r]),
        }
    }
}

/// The nonce in a visitor's cookie, to which the tokens of sign-in forms are bound. The cookie
/// carries a MAC, so a sibling host cannot plant a nonce of its own choosing.
#[derive(Clone, Copy)]
pub(crate) struct PreSession([u8; 16]);

impl std::fmt::Debug for PreSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PreSession(..)")
    }
}

impl PreSession {
    pub(crate) fn draw(rng: &dyn Rng) -> Result<Self, RandomError> {
        Ok(Self(random(rng)?))
    }

    /// The value of the cookie: `key id (1) ‖ nonce (16) ‖ MAC (16)`.
    pub(crate) fn to_cookie(self, keys: &KeyRing) -> String {
        let key = keys.active();
        let mut value = [0; 33];
        value[0] = key.id();
        value[1..17].copy_from_slice(&self.0);
        value[17..].copy_from_slice(&mac(key.csrf_key(), &[COOKIE, &self.0])[..16]);
        encoding::encode(&value)
    }
}

/// A visitor's cookie as it was presented, not looked into, so that a request that asks for no CSRF
/// token costs no HMAC.
#[derive(Clone, Copy)]
pub(crate) struct Unproven([u8; 44]);

impl Unproven {
    /// Takes a cookie; `None` when its length shows that it was not made here.
    pub(crate) fn read(text: &str) -> Option<Self> {
        text.as_bytes().try_into().ok().map(Self)
    }

    /// The nonce; `None` when the cookie was not made here.
    pub(crate) fn prove(&self, keys: &KeyRing) -> Option<PreSession> {
        let cookie: [u8; 33] = encoding::decode(&self.0)?;
        let key = keys.find(cookie[0])?;
        let mut nonce = [0; 16];
        nonce.copy_from_slice(&cookie[1..17]);
        let expected = mac(key.csrf_key(), &[COOKIE, &nonce]);
        bool::from(expected[..16].ct_eq(&cookie[17..])).then_some(PreSession(nonce))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRng;

    #[test]
    fn s47_a_token_is_good_for_its_own_session_and_seed_only() {
        let keys = KeyRing::generate().unwrap();
        let (mine, other) = (SessionId::from_bytes([1; 18]), SessionId::from_bytes([2; 18]));
        let token = issue(&keys, Bound::Session(&mine, &[7; 16]), &SystemRng).unwrap();
        assert!(verify(&keys, Bound::Session(&mine, &[7; 16]), &token));
        assert!(!verify(&keys, Bound::Session(&other, &[7; 16]), &token));
        assert!(!verify(&keys, Bound::Session(&mine, &[8; 16]), &token));
        let visitor = PreSession::draw(&SystemRng).unwrap();
        assert!(!verify(&keys, Bound::Visitor(&visitor), &token));
    }

    #[test]
    fn every_render_differs_and_hides_the_session() {
        let keys = KeyRing::generate().unwrap();
        let id = SessionId::from_bytes([1; 18]);
        let bound = Bound::Session(&id, &[7; 16]);
        let (one, two) = (issue(&keys, bound, &SystemRng), issue(&keys, bound, &SystemRng));
        assert_ne!(one.unwrap(), two.unwrap());
    }

    #[test]
    fn one_changed_character_is_refused() {
        let keys = KeyRing::generate().unwrap();
        let id = SessionId::from_bytes([1; 18]);
        let bound = Bound::Session(&id, &[7; 16]);
        let token = issue(&keys, bound, &SystemRng).unwrap();
        for place in 0..token.len() {
            let mut bent = token.clone().into_bytes();
            bent[place] = if bent[place] == b'A' { b'B' } else { b'A' };
            assert!(!verify(&keys, bound, std::str::from_utf8(&bent).unwrap()), "{place}");
        }
    }

    #[test]
    fn s48_a_visitor_cookie_that_was_not_made_here_is_refused() {
        let keys = KeyRing::generate().unwrap();
        let visitor = PreSession::draw(&SystemRng).unwrap();
        let cookie = visitor.to_cookie(&keys);
        assert!(Unproven::read(&cookie).unwrap().prove(&keys).is_some());
        let others = KeyRing::generate().unwrap();
        assert!(Unproven::read(&cookie).unwrap().prove(&others).is_none());
        let invented = encoding::encode(&[1; 33]);
        assert!(Unproven::read(&invented).unwrap().prove(&keys).is_none());
        assert!(Unproven::read(&cookie[1..]).is_none());
    }
}
