//! Signing secrets, and what they sign: Standard Webhooks, symmetric (`v1`).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use handstamp_core::random::{RandomError, Rng};
use handstamp_protocol::Secret;
use handstamp_protocol::webhooks::SECRET_PREFIX;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The bytes of a new secret: 256 bits; the specification asks for 192 to 512.
const LEN: usize = 32;

/// What a webhook signs with.
pub(super) struct SigningSecret(Zeroizing<Vec<u8>>);

impl SigningSecret {
    /// A fresh one.
    pub(super) fn generate(rng: &dyn Rng) -> Result<Self, RandomError> {
        let mut bytes = Zeroizing::new(vec![0; LEN]);
        rng.fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The secret with these bytes.
    pub(super) const fn from_bytes(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// The bytes, to be sealed.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text that the receiver is configured with: `whsec_` and base64.
    pub(super) fn to_text(&self) -> Secret {
        Secret::new(format!("{SECRET_PREFIX}{}", STANDARD.encode(&*self.0)))
    }

    /// `v1,` and HMAC-SHA256 over `id.timestamp.body`, in base64.
    ///
    /// # Security
    /// Neither the id nor the time may hold a full stop, or two messages could be one text: ids
    /// are base64url, times are digits.
    fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(..)")
    }
}

/// The value of `webhook-signature`: one signature for each secret, newest first, separated by
/// spaces, so that a receiver may learn of a new secret at its leisure.
pub(super) fn signatures(
    secrets: &[SigningSecret],
    id: &str,
    timestamp: i64,
    body: &[u8],
) -> String {
    let each = secrets.iter().filter_map(|secret| secret.sign(id, timestamp, body));
    each.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_core::random::SystemRng;

    fn secret(text: &str) -> SigningSecret {
        let bytes = STANDARD.decode(text.strip_prefix(SECRET_PREFIX).unwrap()).unwrap();
        SigningSecret::from_bytes(Zeroizing::new(bytes))
    }

    #[test]
    fn b12_the_example_of_the_specifications_own_tests_is_signed_as_they_say() {
        let secret = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signature = signatures(
            &[secret],
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn two_secrets_give_two_signatures_in_their_order() {
        let secrets = [(); 2].map(|()| SigningSecret::generate(&SystemRng).unwrap());
        let both = signatures(&secrets, "msg_1", 1, b"{}");
        let [first, second] = secrets;
        let of = |secret| signatures(&[secret], "msg_1", 1, b"{}");
        assert_eq!(both, format!("{} {}", of(first), of(second)));
    }

    #[test]
    fn a_new_secret_has_256_bits_and_reads_back_and_debug_does_not_show_it() {
        let made = SigningSecret::generate(&SystemRng).unwrap();
        let text = made.to_text();
        assert_eq!(secret(text.expose()).as_bytes(), made.as_bytes());
        assert_eq!(made.as_bytes().len(), 32);
        assert_eq!(format!("{made:?} {text:?}"), "SigningSecret(..) Secret(..)");
    }
}
