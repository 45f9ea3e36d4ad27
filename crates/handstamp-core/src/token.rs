//! What a holder presents: session cookies and refresh tokens, and what an access token claims.
//!
//! `kind+version (1) ‖ key id (1) ‖ session id (18) ‖ generation (4) ‖ check (8) ‖ proof (24)`:
//! 56 bytes, 75 characters of base64url. The check needs only a key and spares the store forged
//! tokens; the proof needs the key **and** the record's salt, so neither a stolen database nor a
//! stolen key makes one.

mod text;

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::encoding;
use crate::id::SessionId;
use crate::key::{KeyRing, RootKey};
use crate::random::{RandomError, Rng, random};
use crate::record::{Lineage, Record, Transport};

pub(crate) use text::TokenText;

const LEN: usize = 56;
const TEXT_LEN: usize = 75;
const CHECK: std::ops::Range<usize> = 24..32;
const PROOF: std::ops::Range<usize> = 32..LEN;
const _: () = assert!(TEXT_LEN == (LEN * 4).div_ceil(3) && PROOF.end == LEN);

/// What a refresh token begins with, so that secret scanners know one.
pub const REFRESH_PREFIX: &str = "hsr_";

/// The first byte of a token: its kind, and version 1 of the layout.
const fn kind_byte(transport: Transport) -> u8 {
    match transport {
        Transport::Cookie => 0x11,
        Transport::Token => 0x21,
    }
}

/// A token as it was presented: decoded, and nothing more is known of it.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Token([u8; LEN]);

impl Token {
    /// Reads the value of a session cookie; `None` when it is no canonical cookie token.
    pub fn from_cookie(text: &[u8]) -> Option<Self> {
        Self::decode(text, Transport::Cookie)
    }

    /// Reads a refresh token with its prefix; `None` when it is none.
    pub fn from_refresh(text: &str) -> Option<Self> {
        Self::decode(text.strip_prefix(REFRESH_PREFIX)?.as_bytes(), Transport::Token)
    }

    /// Reads a token of either transport.
    pub fn parse(text: &str) -> Option<Self> {
        Self::from_refresh(text).or_else(|| Self::from_cookie(text.as_bytes()))
    }

    fn decode(text: &[u8], transport: Transport) -> Option<Self> {
        let mut token = Self([0; LEN]);
        let is_one = encoding::decode_into(text, &mut token.0);
        if is_one && token.0[0] == kind_byte(transport) { Some(token) } else { None }
    }

    /// Makes the token of `lineage`'s current generation for the session `id`.
    pub(crate) fn current(
        key: &RootKey,
        id: &SessionId,
        transport: Transport,
        lineage: &Lineage,
    ) -> Self {
        Self::make(key, id, transport, lineage.generation, &lineage.salt)
    }

    fn make(
        key: &RootKey,
        id: &SessionId,
        transport: Transport,
        generation: u32,
        salt: &[u8; 16],
    ) -> Self {
        let mut bytes = [0; LEN];
        bytes[0] = kind_byte(transport);
        bytes[1] = key.id();
        bytes[2..20].copy_from_slice(id.as_bytes());
        bytes[20..24].copy_from_slice(&generation.to_be_bytes());
        let check = check(key, &bytes[..CHECK.start]);
        bytes[CHECK].copy_from_slice(&check);
        let proof = proof(key, &bytes[..PROOF.start], salt);
        bytes[PROOF].copy_from_slice(&proof);
        Self(bytes)
    }

    /// Which session the token names.
    pub fn session(&self) -> SessionId {
        let mut id = [0; SessionId::LEN];
        id.copy_from_slice(&self.0[2..20]);
        SessionId::from_bytes(id)
    }

    /// Which generation it claims to be.
    pub fn generation(&self) -> u32 {
        let [.., a, b, c, d] = self.0[..24] else { return 0 };
        u32::from_be_bytes([a, b, c, d])
    }

    /// Which root key it claims to be made with.
    pub const fn key_id(&self) -> u8 {
        self.0[1]
    }

    /// Which transport it was made for.
    pub const fn transport(&self) -> Transport {
        if self.0[0] == kind_byte(Transport::Cookie) { Transport::Cookie } else { Transport::Token }
    }

    /// Whether the check is right, under a key that is not retired. A forged or mistyped token
    /// fails here, before any store is asked.
    pub fn is_checked(&self, keys: &KeyRing) -> bool {
        let Some(key) = keys.find(self.key_id()) else { return false };
        bool::from(check(&key, &self.0[..CHECK.start]).ct_eq(&self.0[CHECK]))
    }

    /// Whether the proof is right for a record with this salt.
    pub(crate) fn is_proven(&self, keys: &KeyRing, salt: &[u8; 16]) -> bool {
        let Some(key) = keys.find(self.key_id()) else { return false };
        bool::from(proof(&key, &self.0[..PROOF.start], salt).ct_eq(&self.0[PROOF]))
    }

    /// Whether both are the same token, compared in constant time: by words of eight bytes, which
    /// takes an eighth of the steps.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let pairs = self.words().zip(other.words());
        let is_same = pairs.fold(Choice::from(1), |same, (one, two)| same & one.ct_eq(&two));
        bool::from(is_same)
    }

    fn words(&self) -> impl Iterator<Item = u64> {
        const { assert!(LEN.is_multiple_of(8), "no byte is left out") };
        self.0.as_chunks::<8>().0.iter().copied().map(u64::from_ne_bytes)
    }

    /// The text that a holder keeps: the value of a cookie, or a refresh token with its prefix.
    pub fn to_text(&self) -> Zeroizing<String> {
        let text = Zeroizing::new(encoding::encode(&self.0));
        match self.transport() {
            Transport::Cookie => text,
            Transport::Token => Zeroizing::new(format!("{REFRESH_PREFIX}{}", *text)),
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}, generation {}, ..)", self.session(), self.generation())
    }
}

fn check(key: &RootKey, before: &[u8]) -> [u8; 8] {
    truncated(mac(key.check_key(), &[before]))
}

fn proof(key: &RootKey, before: &[u8], salt: &[u8; 16]) -> [u8; 24] {
    truncated(mac(key.proof_key(), &[before, salt]))
}

fn truncated<const N: usize>(mac: [u8; 32]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&mac[..N]);
    out
}

/// HMAC-SHA-256 over the parts, one after another.
pub(crate) fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes a key of any length, so making one cannot fail.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// What an access token claims of the session that it was minted for. Whoever checked its signature
/// asks [`SessionManager::try_access`](crate::SessionManager::try_access) whether that is still so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccessClaim {
    /// Which session (`sid`).
    pub session: SessionId,
    /// The generation that was current (`gen`).
    pub generation: u32,
    /// The epoch of the subject's head (`epoch`).
    pub epoch: u64,
    /// The deployment's epoch.
    pub deployment_epoch: u64,
}

impl AccessClaim {
    /// What an access token that is minted now, for the session of this record, claims.
    pub const fn of(record: &Record) -> Self {
        Self {
            session: record.id,
            generation: record.lineage.generation,
            epoch: record.epoch,
            deployment_epoch: record.deployment_epoch,
        }
    }

    /// Whether the record is from before the token was minted, which only a store that was restored
    /// from the past can bring about.
    pub(crate) const fn is_ahead_of(&self, record: &Record) -> bool {
        self.generation > record.lineage.generation
            || self.epoch > record.epoch
            || self.deployment_epoch > record.deployment_epoch
    }
}

/// Names one wish to refresh: at least 128 random bits that a client writes to disk before it
/// asks, so that a lost answer can be asked for again. Kept only as a hash.
#[derive(Clone)]
pub struct AttemptId([u8; 32]);

impl AttemptId {
    /// Takes the text that a client sent.
    ///
    /// `None` when it is shorter than 22 characters (128 bits of base64url) or longer than 128.
    pub fn new(text: &str) -> Option<Self> {
        let fits = (22..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        fits.then(|| Self(Sha256::digest(text.as_bytes()).into()))
    }

    pub(crate) const fn hash(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AttemptId(..)")
    }
}

/// A salt for a new session.
pub(crate) fn new_salt(rng: &dyn Rng) -> Result<[u8; 16], RandomError> {
    random(rng)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::id::Partition;
    use crate::random::SystemRng;

    pub(crate) fn a_token(keys: &KeyRing, transport: Transport) -> Token {
        let id = SessionId::generate(Partition(3), &SystemRng).unwrap();
        Token::make(&keys.active(), &id, transport, 7, &[5; 16])
    }

    #[test]
    fn a_token_reads_back_from_its_text() {
        let keys = KeyRing::generate().unwrap();
        for transport in [Transport::Cookie, Transport::Token] {
            let token = a_token(&keys, transport);
            let read = Token::parse(&token.to_text()).unwrap();
            assert!(read.is_same(&token) && read.is_checked(&keys) && read.generation() == 7);
            assert!(read.is_proven(&keys, &[5; 16]) && !read.is_proven(&keys, &[6; 16]));
            assert_eq!(read.session(), token.session());
        }
    }

    #[test]
    fn one_flipped_bit_anywhere_fails_the_check_or_the_proof() {
        let keys = KeyRing::generate().unwrap();
        let token = a_token(&keys, Transport::Cookie);
        for bit in 0..LEN * 8 {
            let mut bytes = token.0;
            bytes[bit / 8] ^= 1 << (bit % 8);
            let bent = Token(bytes);
            assert!(!(bent.is_checked(&keys) && bent.is_proven(&keys, &[5; 16])), "bit {bit}");
        }
    }

    #[test]
    fn a_token_is_the_same_only_if_every_byte_is() {
        let keys = KeyRing::generate().unwrap();
        let token = a_token(&keys, Transport::Cookie);
        assert!(token.is_same(&token.clone()));
        for byte in 0..LEN {
            let mut bytes = token.0;
            bytes[byte] ^= 0x80;
            assert!(!token.is_same(&Token(bytes)), "byte {byte}");
        }
    }

    #[test]
    fn a_token_of_the_other_kind_is_not_read() {
        let keys = KeyRing::generate().unwrap();
        let refresh = a_token(&keys, Transport::Token).to_text();
        assert!(Token::from_cookie(refresh.as_bytes()).is_none());
        assert!(Token::from_cookie(refresh.trim_start_matches("hsr_").as_bytes()).is_none());
        let cookie = a_token(&keys, Transport::Cookie).to_text();
        assert!(Token::from_refresh(&format!("hsr_{}", *cookie)).is_none());
    }

    #[test]
    fn only_75_canonical_characters_are_a_cookie() {
        let keys = KeyRing::generate().unwrap();
        let text = a_token(&keys, Transport::Cookie).to_text();
        assert_eq!(text.len(), 75);
        let mut other_bits = text.to_string();
        // The last character carries two bits that must be zero.
        let last = other_bits.pop().unwrap();
        other_bits.push(if last == 'A' { 'B' } else { char::from(last as u8 + 1) });
        for bad in ["", "x", &text[1..], &format!("{}=", *text), &other_bits, &" ".repeat(75)] {
            assert!(Token::from_cookie(bad.as_bytes()).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn debug_shows_no_secret_part() {
        let keys = KeyRing::generate().unwrap();
        let token = a_token(&keys, Transport::Cookie);
        let shown = format!("{token:?} {keys:?}");
        assert!(!shown.contains(&*token.to_text()));
        assert!(!shown.contains(&encoding::encode(&token.0[PROOF])));
    }

    #[test]
    fn a_retired_key_refuses_what_it_made_at_once() {
        let keys = KeyRing::generate().unwrap();
        let token = a_token(&keys, Transport::Cookie);
        keys.rotate().unwrap();
        assert!(token.is_checked(&keys), "an older key is still good");
        keys.retire(token.key_id()).unwrap();
        assert!(!token.is_checked(&keys) && !token.is_proven(&keys, &[5; 16]));
    }
}
