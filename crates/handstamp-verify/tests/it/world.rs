//! What the tests share: claims that are good, keys, and tokens put together by hand.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use handstamp_protocol::Time;
use handstamp_protocol::sessions::Kind;
use handstamp_protocol::tokens::{ACCESS_TOKEN_TYPE, AccessClaims, Audience};
use handstamp_verify::{Algorithm, Clock, Expected, KeySet, SigningKey, VerifyError, claims};
use serde_json::{Value, json};

/// When tests play, in seconds since the epoch.
pub(crate) const NOW: u64 = 1_769_860_800;

pub(crate) const ISSUER: &str = "https://id.example.com";
pub(crate) const AUDIENCE: &str = "shop";

pub(crate) fn claims() -> AccessClaims {
    AccessClaims {
        iss: ISSUER.into(),
        aud: Audience::One(AUDIENCE.into()),
        client_id: "web".into(),
        sub: "ada".into(),
        sid: "AQIDBAUGBwgJCgsMDQ4PEBES".into(),
        generation: 3,
        epoch: 2,
        deployment: 1,
        iat: NOW,
        exp: NOW + 1800,
        nbf: None,
        jti: "j1".into(),
        auth_time: NOW,
        amr: vec!["pwd".into()],
        roles: vec!["clerk".into()],
        kind: Kind::User,
        act: None,
        cnf: None,
    }
}

pub(crate) fn at(second: u64) -> Time {
    Time::from_millis(i64::try_from(second).unwrap() * 1000)
}

pub(crate) fn expected() -> Expected {
    Expected::new(ISSUER, AUDIENCE).with_skew(Duration::from_secs(60))
}

pub(crate) fn key(algorithm: Algorithm) -> SigningKey {
    SigningKey::generate(algorithm).unwrap()
}

pub(crate) fn set(key: &SigningKey) -> KeySet {
    KeySet::new([key.verifying_key().unwrap()]).unwrap()
}

pub(crate) fn sign(key: &SigningKey) -> String {
    key.sign(ACCESS_TOKEN_TYPE, &claims()).unwrap()
}

/// The verdict on a token at [`NOW`].
pub(crate) fn verdict(token: &str, keys: &KeySet) -> Result<AccessClaims, VerifyError> {
    claims::access_token(token, keys, &expected(), at(NOW))
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// Makes tokens with any header and any payload, each with a right signature by HS256.
pub(crate) struct Forge {
    pub(crate) key: SigningKey,
    pub(crate) keys: KeySet,
}

impl Forge {
    pub(crate) const SECRET: &[u8; 32] = b"thirty-two bytes for this forge.";

    pub(crate) fn new() -> Self {
        let key = SigningKey::hs256(Self::SECRET).unwrap();
        Self { keys: set(&key), key }
    }

    /// A header that is good.
    pub(crate) fn header(&self) -> Value {
        json!({"alg": "HS256", "kid": self.key.kid(), "typ": "at+jwt"})
    }

    /// The token of these very bytes.
    pub(crate) fn raw(&self, header: &[u8], payload: &[u8]) -> String {
        self.signed(&format!("{}.{}", encode(header), encode(payload)))
    }

    /// This very text, and its signature behind a dot.
    pub(crate) fn signed(&self, text: &str) -> String {
        use aws_lc_rs::hmac;
        let key = hmac::Key::new(hmac::HMAC_SHA256, Self::SECRET);
        format!("{text}.{}", encode(hmac::sign(&key, text.as_bytes())))
    }

    pub(crate) fn token(&self, header: &Value, payload: &Value) -> String {
        self.raw(header.to_string().as_bytes(), payload.to_string().as_bytes())
    }

    /// A good header with a member put in or replaced.
    pub(crate) fn with_header(&self, name: &str, value: Value) -> String {
        let mut header = self.header();
        header[name] = value;
        self.token(&header, &payload())
    }

    /// Good claims with a member put in or replaced.
    pub(crate) fn with_claim(&self, name: &str, value: Value) -> String {
        let mut claims = payload();
        claims[name] = value;
        self.token(&self.header(), &claims)
    }

    pub(crate) fn verdict(&self, token: &str) -> Result<AccessClaims, VerifyError> {
        verdict(token, &self.keys)
    }
}

pub(crate) fn payload() -> Value {
    serde_json::to_value(claims()).unwrap()
}

/// A clock that a test sets. It begins at [`NOW`].
#[derive(Debug, Default)]
pub(crate) struct ManualClock {
    passed: AtomicU64,
}

impl ManualClock {
    pub(crate) fn advance(&self, span: Duration) {
        self.passed.fetch_add(u64::try_from(span.as_millis()).unwrap(), Ordering::SeqCst);
    }

    fn passed(&self) -> u64 {
        self.passed.load(Ordering::SeqCst)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Time {
        Time::from_millis(i64::try_from(NOW * 1000 + self.passed()).unwrap())
    }

    fn elapsed(&self) -> Duration {
        Duration::from_secs(1000) + Duration::from_millis(self.passed())
    }
}
