//! What signatures are checked with: a key, its one algorithm, and sets of keys.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey};
use handstamp_protocol::tokens::Jwk;

use crate::{base64url, jwk};

/// The shortest secret for HS256, in bytes: as long as its hash (RFC 7518 §3.2).
pub const MIN_SECRET: usize = 32;

/// How a token is signed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256. The default.
    Es256,
    /// Ed25519, under the name that RFC 9864 gives it.
    Ed25519,
    /// HMAC with SHA-256: whoever can check can also sign.
    Hs256,
}

impl Algorithm {
    /// The name in headers and key sets.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Ed25519 => "Ed25519",
            Self::Hs256 => "HS256",
        }
    }
}

/// A key is not one that tokens are signed or checked with. Retrying never helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not JSON, or not a set of keys.
    #[error("not a set of keys")]
    Form,
    /// The set holds what nobody but the signer may have.
    #[error("the set of keys holds a private or secret one")]
    Private,
    /// Two keys have one name.
    #[error("two keys have one name")]
    Twice,
    /// Another sort of key, or no point of its curve.
    #[error("not a key of ES256 or Ed25519")]
    Unusable,
    /// A secret for HS256 has at least 256 bits.
    #[error("a secret for HS256 has at least 32 bytes")]
    ShortSecret,
    /// The library of the cryptography failed.
    #[error("the key could not be made or exported")]
    Failed,
}

/// A key that checks signatures of exactly one algorithm.
///
/// # Security
/// The algorithm belongs to the key and not to the token: a token that names another is refused
/// (RFC 8725 §3.1).
pub struct VerifyingKey {
    kid: Box<str>,
    algorithm: Algorithm,
    check: Check,
}

enum Check {
    Public(ParsedPublicKey),
    Secret(Box<hmac::Key>),
}

impl VerifyingKey {
    /// A public key for ES256: the point, uncompressed.
    pub(crate) fn es256(kid: &str, point: &[u8]) -> Result<Self, KeyError> {
        let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        Self::public(kid, Algorithm::Es256, key.map_err(|_| KeyError::Unusable)?)
    }

    /// A public key for Ed25519.
    pub(crate) fn ed25519(kid: &str, point: &[u8]) -> Result<Self, KeyError> {
        let key = ParsedPublicKey::new(&ED25519, point).map_err(|_| KeyError::Unusable)?;
        Self::public(kid, Algorithm::Ed25519, key)
    }

    fn public(kid: &str, algorithm: Algorithm, key: ParsedPublicKey) -> Result<Self, KeyError> {
        Ok(Self { kid: kid.into(), algorithm, check: Check::Public(key) })
    }

    /// A shared secret for HS256. Its name follows from it, so both sides know it.
    ///
    /// # Errors
    /// [`KeyError::ShortSecret`] below [`MIN_SECRET`] bytes.
    ///
    /// # Security
    /// Whoever holds the secret can sign. Use it only where one program does both.
    pub fn hs256(secret: &[u8]) -> Result<Self, KeyError> {
        if secret.len() < MIN_SECRET {
            return Err(KeyError::ShortSecret);
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let name = hmac::sign(&key, b"handstamp key name");
        let kid = base64url::encode(name.as_ref().get(..12).unwrap_or_default());
        Ok(Self {
            kid: kid.into(),
            algorithm: Algorithm::Hs256,
            check: Check::Secret(Box::new(key)),
        })
    }

    /// A public key as a set of keys tells it.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] unless type, curve and algorithm belong together and the point lies
    /// on the curve.
    pub fn from_jwk(key: &Jwk) -> Result<Self, KeyError> {
        jwk::read(key)
    }

    /// Its name.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Its one algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether `signature` is this key's for `message`, in constant time for a secret.
    pub(crate) fn is_signature(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.check {
            Check::Public(key) => key.verify_sig(message, signature).is_ok(),
            Check::Secret(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("VerifyingKey");
        shown.field("kid", &self.kid).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// The keys that tokens of one issuer are checked with.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<Arc<VerifyingKey>>,
    accepts_eddsa: bool,
}

impl KeySet {
    /// How many keys a set may have.
    pub const MAX_KEYS: usize = 32;
    /// How long the text of a set may be, in bytes.
    pub const MAX_LEN: usize = 64 * 1024;

    /// A set of these keys.
    ///
    /// # Errors
    /// [`KeyError::Twice`] if two have one name.
    pub fn new(keys: impl IntoIterator<Item = VerifyingKey>) -> Result<Self, KeyError> {
        let mut set = Self::default();
        for key in keys {
            if set.find(key.kid()).is_some() {
                return Err(KeyError::Twice);
            }
            set.keys.push(Arc::new(key));
        }
        Ok(set)
    }

    /// The set that `text` is (RFC 7517). Keys of other sorts are left out: an issuer may know
    /// more algorithms than we do.
    ///
    /// # Errors
    /// [`KeyError::Form`] if it is no strict JSON of a set, [`KeyError::Private`] if a key in it
    /// has a private member, [`KeyError::Twice`] if two usable ones have one name.
    pub fn from_jwks(text: &[u8]) -> Result<Self, KeyError> {
        Self::new(jwk::read_set(text)?)
    }

    /// Takes the older name `EdDSA` for Ed25519 as well (RFC 9864 deprecates it).
    #[must_use]
    pub fn accepting_eddsa(mut self) -> Self {
        self.accepts_eddsa = true;
        self
    }

    /// The key of that name.
    pub fn find(&self, kid: &str) -> Option<&Arc<VerifyingKey>> {
        self.keys.iter().find(|key| key.kid() == kid)
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether `name` in a header is the algorithm of `key`.
    pub(crate) fn is_algorithm(&self, key: &VerifyingKey, name: &str) -> bool {
        name == key.algorithm.as_str()
            || (self.accepts_eddsa && key.algorithm == Algorithm::Ed25519 && name == "EdDSA")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Signatures that others made: RFC 7515 A.1 and A.3, RFC 8037 A.4.
    fn is_good(key: &VerifyingKey, jws: &str) -> bool {
        let (signed, signature) = jws.rsplit_once('.').unwrap();
        key.is_signature(signed.as_bytes(), &base64url::decode(signature).unwrap())
    }

    fn bytes(text: &str) -> Vec<u8> {
        base64url::decode(text).unwrap()
    }

    const CLAIMS: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNv\
                          bS9pc19yb290Ijp0cnVlfQ";

    #[test]
    fn the_signature_of_rfc_7515_a_1_is_good() {
        let secret = bytes(
            "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
        );
        let key = VerifyingKey::hs256(&secret).unwrap();
        let header = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9";
        let signature = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert!(is_good(&key, &format!("{header}.{CLAIMS}.{signature}")));
    }

    #[test]
    fn the_signature_of_rfc_7515_a_3_is_good() {
        let (x, y) = (
            bytes("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
            bytes("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"),
        );
        let key = VerifyingKey::es256("k", &[&[4][..], &x, &y].concat()).unwrap();
        let signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKT\
                         UJqPP3-Kg6NU1Q";
        assert!(is_good(&key, &format!("eyJhbGciOiJFUzI1NiJ9.{CLAIMS}.{signature}")));
    }

    #[test]
    fn the_signature_of_rfc_8037_a_4_is_good() {
        let point = bytes("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        let key = VerifyingKey::ed25519("k", &point).unwrap();
        let jws = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1\
                   PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        assert!(is_good(&key, jws));
    }

    #[test]
    fn a_point_off_the_curve_is_no_key() {
        let mut point = [7; 65];
        point[0] = 4;
        assert_eq!(VerifyingKey::es256("k", &point).unwrap_err(), KeyError::Unusable);
        assert_eq!(VerifyingKey::ed25519("k", &[7; 31]).unwrap_err(), KeyError::Unusable);
    }

    #[test]
    fn s69_a_short_secret_is_refused() {
        assert_eq!(VerifyingKey::hs256(&[1; 31]).unwrap_err(), KeyError::ShortSecret);
        assert!(VerifyingKey::hs256(&[1; 32]).is_ok());
    }

    #[test]
    fn the_name_of_a_secret_follows_from_it() {
        let name = |byte| VerifyingKey::hs256(&[byte; 32]).unwrap().kid().to_owned();
        assert_eq!(name(1), name(1));
        assert_ne!(name(1), name(2));
        assert_eq!(name(1).len(), 16);
    }

    #[test]
    fn s80_debug_shows_names_only() {
        let key = VerifyingKey::hs256(b"a secret that is 32 bytes long..").unwrap();
        let shown = format!("{key:?}");
        assert!(shown.contains(key.kid()) && !shown.contains("secret that"), "{shown}");
    }
}
