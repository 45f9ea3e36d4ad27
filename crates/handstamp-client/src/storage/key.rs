//! What a file is sealed with.

use std::fmt;

use argon2::{Algorithm, Argon2, Params};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::StorageError;
use crate::random::{self, NoRandom};

/// A key of 256 bits.
///
/// # Security
/// `Debug` shows nothing of it; its memory is overwritten in the end.
#[derive(Clone)]
pub struct SealingKey(Zeroizing<[u8; 32]>);

impl SealingKey {
    /// A new random one.
    ///
    /// # Errors
    /// [`NoRandom`].
    pub fn generate() -> Result<Self, NoRandom> {
        Ok(Self(Zeroizing::new(random::bytes()?)))
    }

    /// These bytes. They should be random: for a text that a person chose take [`Passphrase`].
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads 43 characters of base64url, as [`to_text`](Self::to_text) writes them; from an
    /// environment variable or a file that a secret manager mounts.
    pub fn from_text(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(text.trim()).ok()?);
        Some(Self::from_bytes(bytes.as_slice().try_into().ok()?))
    }

    /// 43 characters of base64url.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(*self.0))
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(..)")
    }
}

/// What a guess at a passphrase costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost {
    /// Memory, in KiB: 65,536 by default.
    pub memory_kib: u32,
    /// Passes over it: 3 by default.
    pub passes: u32,
}

/// The largest cost that is taken from a file, so that a forged one does not wear the machine out.
const MOST: Cost = Cost { memory_kib: 1024 * 1024, passes: 64 };

impl Default for Cost {
    fn default() -> Self {
        Self { memory_kib: 64 * 1024, passes: 3 }
    }
}

/// A text that a person knows; the key is made from it by Argon2id (RFC 9106), with a salt of its
/// own for each file.
#[derive(Clone)]
pub struct Passphrase {
    text: Zeroizing<String>,
    pub(super) cost: Cost,
}

impl Passphrase {
    /// This text, at the default cost: 64 MiB, three passes.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: Zeroizing::new(text.into()), cost: Cost::default() }
    }

    /// At another cost, for files that are written from now on; a file that is there is read at
    /// its own.
    #[must_use]
    pub const fn with_cost(mut self, cost: Cost) -> Self {
        self.cost = cost;
        self
    }

    /// The key of a file with this salt and cost. None if the cost is out of bounds.
    pub(super) fn key(&self, salt: &[u8; 16], cost: Cost) -> Option<SealingKey> {
        if cost.memory_kib > MOST.memory_kib || cost.passes > MOST.passes {
            return None;
        }
        let params = Params::new(cost.memory_kib, cost.passes, 1, Some(32)).ok()?;
        let argon2 = Argon2::new(Algorithm::Argon2id, argon2::Version::V0x13, params);
        let mut key = Zeroizing::new([0; 32]);
        argon2.hash_password_into(self.text.as_bytes(), salt, key.as_mut_slice()).ok()?;
        Some(SealingKey(key))
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passphrase").field("cost", &self.cost).finish_non_exhaustive()
    }
}

/// What to do where the operating system has no keyring. A keyring that is there and locked, or
/// that says no, is an error under each of them: it never leads to a file that is not sealed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Policy {
    /// Fail: [`StorageError::NoKey`].
    RequireSecure,
    /// Keep the file unsealed, readable for its owner only.
    /// [`SealedFile::probe`](super::SealedFile::probe) says whether that is so, and so does the log.
    #[default]
    PreferSecure,
    /// Do not even ask the keyring.
    AllowPlaintext,
}

/// What a file is sealed with, or that it is not.
#[derive(Clone, Debug)]
pub enum Protection {
    /// A key that the application has.
    Key(SealingKey),
    /// A passphrase that somebody types.
    Passphrase(Passphrase),
    /// A key in the keyring of the operating system.
    #[cfg(feature = "keyring")]
    Keyring(super::Keyring, Policy),
    /// Nothing but the file's mode, 0600. Whoever reads the file has the session: a backup, a
    /// stolen disk, another program of the same user.
    Plain,
}

/// The means to write a file, as found.
pub(super) enum Means {
    /// This key.
    Key(SealingKey),
    /// The key that comes from the passphrase.
    Passphrase,
    /// Not sealed.
    Plain,
}

impl Protection {
    /// What to write with. Asks the keyring, which may make a key.
    pub(super) fn means(&self) -> Result<Means, StorageError> {
        match self {
            Self::Key(key) => Ok(Means::Key(key.clone())),
            Self::Passphrase(_) => Ok(Means::Passphrase),
            #[cfg(feature = "keyring")]
            Self::Keyring(_, Policy::AllowPlaintext) => Ok(Means::Plain),
            #[cfg(feature = "keyring")]
            Self::Keyring(keyring, policy) => match keyring.key_or_new() {
                Ok(key) => Ok(Means::Key(key)),
                Err(StorageError::NoKey) if *policy == Policy::PreferSecure => {
                    tracing::warn!("there is no keyring: the session's file is not sealed");
                    Ok(Means::Plain)
                }
                Err(error) => Err(error),
            },
            Self::Plain => Ok(Means::Plain),
        }
    }

    /// The key of a file that was sealed with one.
    pub(super) fn key(&self) -> Result<SealingKey, StorageError> {
        match self {
            Self::Key(key) => Ok(key.clone()),
            #[cfg(feature = "keyring")]
            Self::Keyring(keyring, _) => keyring.key(),
            Self::Passphrase(_) | Self::Plain => Err(StorageError::WrongKey),
        }
    }

    /// The passphrase of a file that was sealed with one.
    pub(super) const fn passphrase(&self) -> Option<&Passphrase> {
        match self {
            Self::Passphrase(passphrase) => Some(passphrase),
            _ => None,
        }
    }

    /// Whether a file that is not sealed may be read.
    pub(super) const fn takes_plain(&self) -> bool {
        match self {
            Self::Plain => true,
            #[cfg(feature = "keyring")]
            Self::Keyring(_, policy) => !matches!(policy, Policy::RequireSecure),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_from_its_text_and_nothing_else_does() {
        let key = SealingKey::generate().unwrap();
        let text = key.to_text();
        assert_eq!(text.len(), 43);
        assert_eq!(SealingKey::from_text(&format!("{}\n", *text)).unwrap().bytes(), key.bytes());
        for bad in ["", "short", &format!("{}A", *text), &"!".repeat(43)] {
            assert!(SealingKey::from_text(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn debug_shows_no_key_and_no_passphrase() {
        let shown = format!(
            "{:?} {:?}",
            SealingKey::from_bytes([b'k'; 32]),
            Protection::Passphrase(Passphrase::new("open sesame"))
        );
        assert!(!shown.contains("sesame") && !shown.contains("kkk") && !shown.contains("107"));
    }

    #[test]
    fn a_cost_that_would_wear_the_machine_out_is_refused() {
        let passphrase = Passphrase::new("x");
        let cost = Cost { memory_kib: u32::MAX, passes: 1 };
        assert!(passphrase.key(&[0; 16], cost).is_none());
        assert!(passphrase.key(&[0; 16], Cost { memory_kib: 64, passes: u32::MAX }).is_none());
    }
}
