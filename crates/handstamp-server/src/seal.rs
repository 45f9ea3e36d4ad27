//! Secrets that must be had again lie in the ledger sealed: under a key from the key ring, which
//! lies elsewhere, so that it takes both.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use handstamp_core::KeyRing;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A secret, sealed with AES-256-GCM under a key that a root key gives for one purpose.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Sealed {
    /// The root key.
    root: u8,
    /// Nonce and ciphertext, as base64url.
    text: String,
}

/// A secret cannot be sealed or opened: its root key is retired or gone, or it was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SealError {
    /// The root key is not in the ring, or is retired.
    #[error("the root key {0} that sealed it is not in the ring, or is retired")]
    NoKey(u8),
    /// It is not what was sealed for this purpose and name.
    #[error("it is not what was sealed here")]
    Changed,
}

/// Seals `secret` for a `purpose` under the active root key. What it is called is bound to it:
/// under another `name` it does not open.
///
/// # Errors
/// [`SealError::Changed`] when the cryptography fails, which no input brings about.
pub(crate) fn seal(
    keys: &KeyRing,
    purpose: &str,
    name: &str,
    secret: &[u8],
) -> Result<Sealed, SealError> {
    let root = keys.active();
    let key = key(&root.derive(purpose))?;
    let mut text = Zeroizing::new(secret.to_vec());
    let nonce = key
        .seal_in_place_append_tag(Aad::from(name.as_bytes()), &mut *text)
        .map_err(|_| SealError::Changed)?;
    let whole = [nonce.as_ref().as_slice(), text.as_slice()].concat();
    Ok(Sealed { root: root.id(), text: URL_SAFE_NO_PAD.encode(whole) })
}

impl Sealed {
    /// Opens what was sealed for this purpose under this name.
    ///
    /// # Errors
    /// [`SealError`].
    pub(crate) fn open(
        &self,
        keys: &KeyRing,
        purpose: &str,
        name: &str,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let root = keys.find(self.root).ok_or(SealError::NoKey(self.root))?;
        let key = key(&root.derive(purpose))?;
        let whole = URL_SAFE_NO_PAD.decode(&self.text).map_err(|_| SealError::Changed)?;
        let (nonce, text) = whole.split_at_checked(NONCE_LEN).ok_or(SealError::Changed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Changed)?;
        let mut text = Zeroizing::new(text.to_vec());
        let opened = key
            .open_in_place(nonce, Aad::from(name.as_bytes()), &mut text)
            .map_err(|_| SealError::Changed)?;
        Ok(Zeroizing::new(opened.to_vec()))
    }

    /// Whether an older root key sealed it, so that it should be sealed again.
    pub(crate) fn is_of_older_key(&self, keys: &KeyRing) -> bool {
        self.root != keys.active_id()
    }
}

fn key(bytes: &[u8; 32]) -> Result<RandomizedNonceKey, SealError> {
    RandomizedNonceKey::new(&AES_256_GCM, bytes).map_err(|_| SealError::Changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_for_its_purpose_and_name_only() {
        let keys = KeyRing::generate().unwrap();
        let sealed = seal(&keys, "signing", "k1", b"secret").unwrap();
        assert_eq!(&**sealed.open(&keys, "signing", "k1").unwrap(), b"secret");
        assert!(!serde_json::to_string(&sealed).unwrap().contains("secret"));
        assert_eq!(sealed.open(&keys, "webhooks", "k1"), Err(SealError::Changed));
        assert_eq!(sealed.open(&keys, "signing", "k2"), Err(SealError::Changed));
        let other = KeyRing::generate().unwrap();
        assert_eq!(sealed.open(&other, "signing", "k1"), Err(SealError::Changed));
    }

    #[test]
    fn a_ring_that_was_rotated_still_opens_and_a_retired_key_does_not() {
        let keys = KeyRing::generate().unwrap();
        let sealed = seal(&keys, "signing", "k1", b"secret").unwrap();
        assert!(!sealed.is_of_older_key(&keys));
        keys.rotate().unwrap();
        assert!(sealed.is_of_older_key(&keys));
        assert!(sealed.open(&keys, "signing", "k1").is_ok());
        keys.retire(1).unwrap();
        assert_eq!(sealed.open(&keys, "signing", "k1"), Err(SealError::NoKey(1)));
    }

    #[test]
    fn every_changed_byte_shows() {
        let keys = KeyRing::generate().unwrap();
        let sealed = seal(&keys, "signing", "k1", b"secret").unwrap();
        let whole = URL_SAFE_NO_PAD.decode(&sealed.text).unwrap();
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            let changed = Sealed { text: URL_SAFE_NO_PAD.encode(changed), ..sealed.clone() };
            assert_eq!(changed.open(&keys, "signing", "k1"), Err(SealError::Changed));
        }
    }
}
