//! What tokens are signed with. The session service uses it; a verifier never holds one, except
//! the shared secret of HS256.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::{self, SystemRandom};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use handstamp_protocol::tokens::Jwk;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::key::{Algorithm, KeyError, VerifyingKey};
use crate::{base64url, jwk};

/// A key that signs tokens with exactly one algorithm.
///
/// # Security
/// `Debug` shows its name only. [`export`](Self::export) is the one way out.
pub struct SigningKey {
    kid: Box<str>,
    pair: Pair,
}

enum Pair {
    Es256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Hs256 { key: Box<hmac::Key>, secret: Zeroizing<Vec<u8>> },
}

/// The claims could not be written as JSON, or the library of the cryptography failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token could not be signed")]
pub struct SignError;

impl SigningKey {
    /// A fresh random key.
    ///
    /// # Errors
    /// [`KeyError::Failed`] if the system gives no random numbers.
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        let pair = match algorithm {
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
                Pair::Es256(pair.map_err(|_| KeyError::Failed)?)
            }
            Algorithm::Ed25519 => {
                Pair::Ed25519(Ed25519KeyPair::generate().map_err(|_| KeyError::Failed)?)
            }
            Algorithm::Hs256 => {
                let mut secret = Zeroizing::new([0; 32]);
                rand::fill(&mut *secret).map_err(|_| KeyError::Failed)?;
                return Self::hs256(&*secret);
            }
        };
        Self::named(pair)
    }

    /// A shared secret for HS256.
    ///
    /// # Errors
    /// [`KeyError::ShortSecret`] below 32 bytes.
    pub fn hs256(secret: &[u8]) -> Result<Self, KeyError> {
        let kid = VerifyingKey::hs256(secret)?.kid().into();
        let key = Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret));
        Ok(Self { kid, pair: Pair::Hs256 { key, secret: Zeroizing::new(secret.to_vec()) } })
    }

    /// The key that [`export`](Self::export) wrote: PKCS#8, or the secret of HS256.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] if it is no key of that algorithm, [`KeyError::ShortSecret`].
    pub fn import(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, KeyError> {
        match algorithm {
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, bytes);
                Self::named(Pair::Es256(pair.map_err(|_| KeyError::Unusable)?))
            }
            Algorithm::Ed25519 => {
                let pair = Ed25519KeyPair::from_pkcs8(bytes);
                Self::named(Pair::Ed25519(pair.map_err(|_| KeyError::Unusable)?))
            }
            Algorithm::Hs256 => Self::hs256(bytes),
        }
    }

    fn named(pair: Pair) -> Result<Self, KeyError> {
        let kid = public(&pair).ok_or(KeyError::Failed)?.kid.into();
        Ok(Self { kid, pair })
    }

    /// The private key, to be sealed: PKCS#8, or the secret of HS256. Wiped when dropped.
    ///
    /// # Errors
    /// [`KeyError::Failed`] if the library of the cryptography fails.
    pub fn export(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let document = match &self.pair {
            Pair::Es256(pair) => pair.to_pkcs8v1(),
            Pair::Ed25519(pair) => pair.to_pkcs8(),
            Pair::Hs256 { secret, .. } => return Ok(secret.clone()),
        };
        Ok(Zeroizing::new(document.map_err(|_| KeyError::Failed)?.as_ref().to_vec()))
    }

    /// Its name: the thumbprint of its public key (RFC 7638), or what follows from the secret.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Its one algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        match self.pair {
            Pair::Es256(_) => Algorithm::Es256,
            Pair::Ed25519(_) => Algorithm::Ed25519,
            Pair::Hs256 { .. } => Algorithm::Hs256,
        }
    }

    /// The public key, for the set of keys; HS256 has none.
    pub fn jwk(&self) -> Option<Jwk> {
        public(&self.pair)
    }

    /// What checks its signatures.
    ///
    /// # Errors
    /// [`KeyError::Failed`] if the library of the cryptography fails.
    pub fn verifying_key(&self) -> Result<VerifyingKey, KeyError> {
        match &self.pair {
            Pair::Hs256 { secret, .. } => VerifyingKey::hs256(secret),
            pair => VerifyingKey::from_jwk(&public(pair).ok_or(KeyError::Failed)?),
        }
    }

    /// The compact JWS of `claims`, its header `alg`, `kid` and `typ`.
    ///
    /// # Errors
    /// [`SignError`] if the claims cannot be written as JSON.
    pub fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, SignError> {
        let header = Header { alg: self.algorithm().as_str(), kid: &self.kid, typ };
        let part = |json: Result<Vec<u8>, _>| json.map(base64url::encode).map_err(|_| SignError);
        let mut token = part(serde_json::to_vec(&header))?;
        token.push('.');
        token.push_str(&part(serde_json::to_vec(claims))?);
        let signature = self.signature(token.as_bytes())?;
        token.push('.');
        token.push_str(&base64url::encode(signature));
        Ok(token)
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(match &self.pair {
            Pair::Es256(pair) => {
                // The library takes its own random numbers and mixes the private key and the
                // message in, so that weak ones alone give nothing away.
                let signature = pair.sign(&SystemRandom::new(), message);
                signature.map_err(|_| SignError)?.as_ref().to_vec()
            }
            Pair::Ed25519(pair) => pair.try_sign(message).map_err(|_| SignError)?.as_ref().to_vec(),
            Pair::Hs256 { key, .. } => hmac::sign(key, message).as_ref().to_vec(),
        })
    }
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    kid: &'a str,
    typ: &'a str,
}

fn public(pair: &Pair) -> Option<Jwk> {
    match pair {
        Pair::Es256(pair) => jwk::es256(pair.public_key().as_ref()),
        Pair::Ed25519(pair) => Some(jwk::ed25519(pair.public_key().as_ref())),
        Pair::Hs256 { .. } => None,
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SigningKey");
        shown.field("kid", &self.kid).field("algorithm", &self.algorithm()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ALL: [Algorithm; 3] = [Algorithm::Es256, Algorithm::Ed25519, Algorithm::Hs256];

    fn key(algorithm: Algorithm) -> SigningKey {
        SigningKey::generate(algorithm).unwrap()
    }

    #[test]
    fn an_exported_key_is_the_same_when_imported() {
        for algorithm in ALL {
            let key = key(algorithm);
            let again = SigningKey::import(algorithm, &key.export().unwrap()).unwrap();
            assert_eq!(again.kid(), key.kid());
            assert_eq!(again.algorithm(), algorithm);
            assert_eq!(again.jwk(), key.jwk());
            let signature = again.signature(b"message").unwrap();
            assert!(key.verifying_key().unwrap().is_signature(b"message", &signature));
        }
    }

    #[test]
    fn what_is_no_key_of_the_algorithm_is_not_imported() {
        let ed25519 = key(Algorithm::Ed25519).export().unwrap();
        let unusable = |algorithm| SigningKey::import(algorithm, &ed25519[1..]).unwrap_err();
        assert_eq!(unusable(Algorithm::Ed25519), KeyError::Unusable);
        let wrong = SigningKey::import(Algorithm::Es256, &ed25519);
        assert_eq!(wrong.unwrap_err(), KeyError::Unusable);
        let short = SigningKey::import(Algorithm::Hs256, &[1; 31]);
        assert_eq!(short.unwrap_err(), KeyError::ShortSecret);
    }

    #[test]
    fn a_public_key_is_named_by_its_thumbprint_and_a_secret_has_none() {
        for algorithm in [Algorithm::Es256, Algorithm::Ed25519] {
            let jwk = key(algorithm).jwk().unwrap();
            assert_eq!((&*jwk.alg, &*jwk.usage, jwk.kid.len()), (algorithm.as_str(), "sig", 43));
        }
        assert_eq!(key(Algorithm::Hs256).jwk(), None);
    }

    #[test]
    fn s68_one_message_signed_twice_by_ecdsa_never_shows_a_nonce_twice() {
        let key = key(Algorithm::Es256);
        let (one, other) = (key.signature(b"m").unwrap(), key.signature(b"m").unwrap());
        assert_ne!(one[..32], other[..32], "the first half of a signature is made of the nonce");
    }

    #[test]
    fn s68_ed25519_is_issued_under_its_own_name() {
        let token = key(Algorithm::Ed25519).sign("at+jwt", &json!({})).unwrap();
        let header = base64url::decode(token.split('.').next().unwrap()).unwrap();
        let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
        assert_eq!(header["alg"], "Ed25519");
    }

    #[test]
    fn s80_debug_shows_the_name_only() {
        let key = SigningKey::hs256(b"a secret that is 32 bytes long..").unwrap();
        assert!(!format!("{key:?}").contains("secret that"));
    }
}
