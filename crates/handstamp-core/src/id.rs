//! Public names of things: sessions, subjects, changes, events.

use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::encoding;
use crate::random::{RandomError, Rng, random};

/// The text is not the canonical form of an id, or a name is empty, too long or holds control
/// characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {what}")]
pub struct ParseIdError {
    what: &'static str,
}

/// Where a session lives: one of 256 parts of a deployment.
///
/// All sessions of one subject share a partition, so whatever concerns one subject can be one
/// atomic step in one place (a Redis Cluster slot, a distribution column).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Partition(pub u8);

impl Partition {
    /// The partition of `subject`: the first byte of `HMAC-SHA-256(key, subject)`.
    pub fn of_subject(key: &PartitionKey, subject: &Subject) -> Self {
        let Ok(mac) = Hmac::<Sha256>::new_from_slice(&key.0) else { return Self(0) };
        Self(mac.chain_update(subject.as_str().as_bytes()).finalize().into_bytes()[0])
    }

    /// A partition drawn at random, for sessions without a subject.
    ///
    /// # Errors
    /// [`RandomError`] when no random bytes can be had.
    pub fn draw(rng: &dyn Rng) -> Result<Self, RandomError> {
        Ok(Self(random::<1>(rng)?[0]))
    }
}

/// The random key that spreads subjects over partitions: made once per store, never rotated.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartitionKey(#[serde(with = "encoding::serde_bytes")] [u8; 32]);

impl PartitionKey {
    /// Draws a new key.
    ///
    /// # Errors
    /// [`RandomError`] when no random bytes can be had.
    pub fn generate(rng: &dyn Rng) -> Result<Self, RandomError> {
        Ok(Self(random(rng)?))
    }

    /// The key that a store kept.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for a store to keep.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for PartitionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PartitionKey(..)")
    }
}

/// The public name of a session: 18 bytes, 24 characters of base64url. Not a secret; safe to log,
/// list and put into a URL.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionId([u8; 18]);

impl SessionId {
    /// How many bytes an id has: one of partition, seventeen from a CSPRNG (136 bits; OWASP ASVS
    /// 7.2.3 asks for 128).
    pub const LEN: usize = 18;

    /// Draws a new id in `partition`.
    ///
    /// # Errors
    /// [`RandomError`] when no random bytes can be had.
    pub fn generate(partition: Partition, rng: &dyn Rng) -> Result<Self, RandomError> {
        let mut bytes: [u8; 18] = random(rng)?;
        bytes[0] = partition.0;
        Ok(Self(bytes))
    }

    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 18]) -> Self {
        Self(bytes)
    }

    /// The bytes of this id.
    pub const fn as_bytes(&self) -> &[u8; 18] {
        &self.0
    }

    /// Its text, as `to_string` gives it and without going through a formatter.
    pub fn to_text(&self) -> String {
        encoding::encode(&self.0)
    }

    /// The partition this session lives in.
    pub const fn partition(&self) -> Partition {
        Partition(self.0[0])
    }
}

/// Eight of the seventeen random bytes are hash enough.
impl Hash for SessionId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [_, a, b, c, d, e, f, g, h, ..] = self.0;
        state.write_u64(u64::from_le_bytes([a, b, c, d, e, f, g, h]));
    }
}

/// A hasher for keys that are random already: takes the last eight bytes written as the hash.
///
/// Only ids that this deployment drew itself are ever inserted into a map that uses it, so
/// nobody outside can choose colliding keys.
#[derive(Default, Clone, Copy, Debug)]
pub struct IdHasher(u64);

/// Builds [`IdHasher`]s.
pub type IdBuildHasher = BuildHasherDefault<IdHasher>;

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// Names one attempt to change something, so that the engine can find out after a lost reply
/// whether it was applied.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeId([u8; 16]);

impl ChangeId {
    /// Draws a new id.
    ///
    /// # Errors
    /// [`RandomError`] when no random bytes can be had.
    pub fn generate(rng: &dyn Rng) -> Result<Self, RandomError> {
        Ok(Self(random(rng)?))
    }

    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes of this id.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// Names one event of the audit log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId([u8; 16]);

impl EventId {
    /// Draws a new id.
    ///
    /// # Errors
    /// [`RandomError`] when no random bytes can be had.
    pub fn generate(rng: &dyn Rng) -> Result<Self, RandomError> {
        Ok(Self(random(rng)?))
    }

    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes of this id.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

macro_rules! text_form {
    ($name:ident, $what:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                encoding::with_text(&self.0, |text| f.write_str(text))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                encoding::decode(text.as_bytes()).map(Self).ok_or(ParseIdError { what: $what })
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                encoding::serde_bytes::serialize(&self.0, to)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                encoding::serde_bytes::deserialize(from).map(Self)
            }
        }
    };
}

text_form!(SessionId, "session id");
text_form!(ChangeId, "change id");
text_form!(EventId, "event id");

/// The owner of sessions: the application's user id, an opaque text of 1 to 255 bytes without
/// control characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject(Arc<str>);

impl Subject {
    /// The longest subject, in bytes.
    pub const MAX_LEN: usize = 255;

    /// Takes `text` as a subject.
    ///
    /// # Errors
    /// [`ParseIdError`] when it is empty, longer than [`Subject::MAX_LEN`] bytes or holds a
    /// control character; retrying with the same text never helps.
    pub fn new(text: impl Into<Arc<str>>) -> Result<Self, ParseIdError> {
        let text = text.into();
        let fits = !text.is_empty() && text.len() <= Self::MAX_LEN;
        if fits && !text.chars().any(char::is_control) {
            Ok(Self(text))
        } else {
            Err(ParseIdError { what: "subject" })
        }
    }

    /// The text of the subject.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subject({:?})", &*self.0)
    }
}

impl FromStr for Subject {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl Serialize for Subject {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Subject {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::new(text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRng;

    #[test]
    fn an_id_reads_back_from_its_text_and_keeps_its_partition() {
        let id = SessionId::generate(Partition(7), &SystemRng).unwrap();
        let text = id.to_string();
        assert_eq!(text.len(), 24);
        assert_eq!(text.parse::<SessionId>().unwrap(), id);
        assert_eq!(id.partition(), Partition(7));
    }

    /// ASVS 7.2.3: 136 random bits, none repeated, no byte with a bias that a chi-square test sees.
    #[test]
    fn s03_a_million_ids_are_different_and_their_bytes_are_even() {
        let mut seen = std::collections::HashSet::with_capacity(1_000_000);
        let mut counts = [[0_u32; 256]; SessionId::LEN];
        for _ in 0..1_000_000 {
            let id = SessionId::generate(Partition(0), &SystemRng).unwrap();
            assert!(seen.insert(id.0), "{id} twice");
            id.0.iter().zip(&mut counts).for_each(|(byte, counts)| counts[usize::from(*byte)] += 1);
        }
        for (place, counts) in counts.iter().enumerate().skip(1) {
            let expected = 1_000_000.0 / 256.0;
            let chi: f64 =
                counts.iter().map(|n| (f64::from(*n) - expected).powi(2) / expected).sum();
            // 255 degrees of freedom: beyond 400 once in some ten million runs.
            assert!(chi < 400.0, "byte {place}: {chi}");
        }
    }

    #[test]
    fn one_subject_has_one_partition_and_many_subjects_have_many() {
        let key = PartitionKey::generate(&SystemRng).unwrap();
        let part = |name: String| Partition::of_subject(&key, &Subject::new(name).unwrap());
        assert_eq!(part("alice".into()), part("alice".into()));
        let seen: std::collections::HashSet<_> = (0..2000).map(|n| part(format!("u{n}"))).collect();
        assert!(seen.len() > 200, "{} partitions of 256", seen.len());
    }

    #[test]
    fn a_subject_is_short_and_printable() {
        assert!(Subject::new("alice@example.org").is_ok());
        for bad in ["", "a\0b", "a\nb", &"x".repeat(256)] {
            assert!(Subject::new(bad).is_err(), "{bad:?}");
        }
    }
}
