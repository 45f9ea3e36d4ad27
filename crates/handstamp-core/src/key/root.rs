//! A root key, and the keys derived from it.

use std::fmt;

use hkdf::Hkdf;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::time::Timestamp;

/// What a root key may still do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Makes new tokens. Exactly one key of a ring is active.
    Active,
    /// Makes none; what it made stays good.
    Older,
    /// Refused at once, whatever it made. Kept so that the audit log can still be verified.
    Retired,
}

/// What may be told of a root key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyInfo {
    /// The id that tokens carry.
    pub id: u8,
    /// What the key may still do.
    pub state: KeyState,
    /// When it was made; `None` for a key of a ring that does not say.
    pub made_at: Option<Timestamp>,
}

/// A root key and what is derived from it, a label per purpose (HKDF, RFC 5869).
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct RootKey {
    #[zeroize(skip)]
    info: KeyInfo,
    secret: [u8; 32],
    check: [u8; 32],
    proof: [u8; 32],
    csrf: [u8; 32],
    audit: [u8; 32],
    identifier: [u8; 32],
}

impl RootKey {
    pub(super) fn new(info: KeyInfo, secret: [u8; 32]) -> Self {
        Self {
            info,
            secret,
            check: derive(&secret, b"handstamp check 1"),
            proof: derive(&secret, b"handstamp proof 1"),
            csrf: derive(&secret, b"handstamp csrf 1"),
            audit: derive(&secret, b"handstamp audit 1"),
            identifier: derive(&secret, b"handstamp identifier 1"),
        }
    }

    /// The same key in another state.
    pub(super) fn turned(&self, state: KeyState) -> Self {
        Self::new(KeyInfo { state, ..self.info }, self.secret)
    }

    /// What may be told of it.
    pub const fn info(&self) -> KeyInfo {
        self.info
    }

    /// The id that tokens carry.
    pub const fn id(&self) -> u8 {
        self.info.id
    }

    /// What the key may still do.
    pub const fn state(&self) -> KeyState {
        self.info.state
    }

    pub(super) const fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    /// A key of 256 bits for a purpose of the application's own, under its `label`: for sealing
    /// what lies in a store, so that it again takes both. The same ring and label give the same
    /// key; no label gives one that Handstamp uses itself.
    pub fn derive(&self, label: &str) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(derive(&self.secret, format!("handstamp for {label}").as_bytes()))
    }

    /// A key for something that is signed seldom, under its `label`.
    pub(crate) fn signing_key(&self, label: &str) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(derive(&self.secret, format!("handstamp {label}").as_bytes()))
    }

    pub(crate) const fn check_key(&self) -> &[u8; 32] {
        &self.check
    }

    pub(crate) const fn proof_key(&self) -> &[u8; 32] {
        &self.proof
    }

    pub(crate) const fn csrf_key(&self) -> &[u8; 32] {
        &self.csrf
    }

    pub(crate) const fn audit_key(&self) -> &[u8; 32] {
        &self.audit
    }

    pub(crate) const fn identifier_key(&self) -> &[u8; 32] {
        &self.identifier
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootKey").field("info", &self.info).finish_non_exhaustive()
    }
}

fn derive(secret: &[u8; 32], label: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    // 32 bytes is far below HKDF's limit, so expanding cannot fail.
    let _ = Hkdf::<Sha256>::new(None, secret).expand(label, &mut out);
    out
}
