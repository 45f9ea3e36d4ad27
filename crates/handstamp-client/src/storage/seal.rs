//! What a file looks like: a header that is authenticated, and a body that is sealed.
//!
//! ```text
//! "HSCLIENT" (8)  format (1)  kind (1)  account (16)
//! kind 2:  memory KiB (4)  passes (4)  salt (16)
//! kind 1, 2:  check of the key (8)  nonce (24)  body, sealed by XChaCha20-Poly1305
//! kind 0:  body  digest (16)
//! ```
//!
//! Everything before the nonce is additional authenticated data. Numbers are big endian. The check
//! tells a wrong key from a damaged file; it is a hash of a key of 256 bits and gives nothing away
//! that the sealed body does not.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::StorageError;
use super::key::{Cost, Means, Protection, SealingKey};
use crate::random;

const MAGIC: &[u8; 8] = b"HSCLIENT";
/// The format that this version writes.
const FORMAT: u8 = 1;
const PLAIN: u8 = 0;
const KEY: u8 = 1;
const PASSPHRASE: u8 = 2;
const NONCE: usize = 24;
const CHECK: usize = 8;
const DIGEST: usize = 16;

/// Whose file it is.
pub(super) type Account = [u8; 16];

/// The account of a name.
pub(super) fn account(name: &str) -> Account {
    short(b"handstamp client account", name.as_bytes())
}

/// Whether a file says of itself that it is sealed.
pub(super) fn is_sealed(file: &[u8]) -> bool {
    file.get(MAGIC.len() + 1).is_some_and(|kind| *kind != PLAIN)
}

/// Why a file does not open.
#[derive(Debug)]
pub(super) enum Unopened {
    /// It is not as it was written.
    Damaged,
    /// It may be as it was written.
    Refused(StorageError),
}

impl From<StorageError> for Unopened {
    fn from(error: StorageError) -> Self {
        Self::Refused(error)
    }
}

/// A key that was made from a passphrase, and for which file: making it is slow on purpose.
#[derive(Clone, Debug)]
pub(super) struct Derived {
    salt: [u8; 16],
    cost: Cost,
    key: SealingKey,
}

/// Reads and writes files of one account.
pub(super) struct Sealer<'a> {
    pub(super) account: Account,
    pub(super) protection: &'a Protection,
    pub(super) derived: &'a mut Option<Derived>,
}

impl Sealer<'_> {
    /// A file with this body.
    pub(super) fn seal(&mut self, body: &[u8]) -> Result<Vec<u8>, StorageError> {
        let mut file = [MAGIC.as_slice(), &[FORMAT]].concat();
        let key = match self.protection.means()? {
            Means::Plain => {
                file.push(PLAIN);
                file.extend(self.account);
                file.extend(body);
                file.extend(digest(&file));
                return Ok(file);
            }
            Means::Key(key) => {
                file.push(KEY);
                file.extend(self.account);
                key
            }
            Means::Passphrase => {
                let derived = self.derived_or_new()?;
                file.push(PASSPHRASE);
                file.extend(self.account);
                file.extend(derived.cost.memory_kib.to_be_bytes());
                file.extend(derived.cost.passes.to_be_bytes());
                file.extend(derived.salt);
                derived.key
            }
        };
        file.extend(check(&key));
        let nonce: [u8; NONCE] = random::bytes()?;
        let payload = Payload { msg: body, aad: &file };
        let sealed = cipher(&key).encrypt(&XNonce::from(nonce), payload);
        // Only a body beyond 256 GiB cannot be sealed.
        let sealed = sealed.map_err(|_| std::io::Error::other("too large to be sealed"))?;
        file.extend(nonce);
        file.extend(sealed);
        Ok(file)
    }

    /// The body of a file.
    pub(super) fn open(&mut self, file: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unopened> {
        let mut rest = Rest(file);
        if rest.take::<8>()? != *MAGIC {
            return Err(Unopened::Damaged);
        }
        let [format] = rest.take()?;
        if format != FORMAT {
            return Err(StorageError::Newer { format }.into());
        }
        let [kind] = rest.take()?;
        if rest.take::<16>()? != self.account {
            return Err(StorageError::Swapped.into());
        }
        match kind {
            PLAIN => self.open_plain(file, rest.0),
            KEY => {
                let key = || self.protection.key().map_err(Unopened::from);
                open_sealed(file, rest, key)
            }
            PASSPHRASE => {
                let memory_kib = u32::from_be_bytes(rest.take()?);
                let passes = u32::from_be_bytes(rest.take()?);
                let salt = rest.take()?;
                let cost = Cost { memory_kib, passes };
                let key = self.derived(salt, cost)?;
                let body = open_sealed(file, rest, || Ok(key.clone()))?;
                // Only what opened is a cost to write with: a forged header could name a low one.
                *self.derived = Some(Derived { salt, cost, key });
                Ok(body)
            }
            _ => Err(Unopened::Damaged),
        }
    }

    fn open_plain(&self, file: &[u8], rest: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unopened> {
        let before = file.len().checked_sub(DIGEST).ok_or(Unopened::Damaged)?;
        let (body, there) = rest.split_last_chunk::<DIGEST>().ok_or(Unopened::Damaged)?;
        if *there != digest(&file[..before]) {
            return Err(Unopened::Damaged);
        }
        match self.protection.takes_plain() {
            true => Ok(Zeroizing::new(body.to_vec())),
            false => Err(StorageError::NotSealed.into()),
        }
    }

    /// The key of a file with this salt. One that this passphrase cannot have made is damaged.
    fn derived(&self, salt: [u8; 16], cost: Cost) -> Result<SealingKey, Unopened> {
        if let Some(known) = self.derived.as_ref().filter(|it| it.salt == salt && it.cost == cost) {
            return Ok(known.key.clone());
        }
        let passphrase = self.protection.passphrase().ok_or(StorageError::WrongKey)?;
        passphrase.key(&salt, cost).ok_or(Unopened::Damaged)
    }

    /// The key to write with: the one of the file that was read, or one of a new salt.
    fn derived_or_new(&mut self) -> Result<Derived, StorageError> {
        let passphrase = self.protection.passphrase().ok_or(StorageError::WrongKey)?;
        if let Some(known) = self.derived.as_ref().filter(|it| it.cost == passphrase.cost) {
            return Ok(known.clone());
        }
        let (salt, cost) = (random::bytes()?, passphrase.cost);
        let key = passphrase.key(&salt, cost).ok_or(StorageError::WrongKey)?;
        Ok(self.derived.insert(Derived { salt, cost, key }).clone())
    }
}

fn open_sealed(
    file: &[u8],
    mut rest: Rest<'_>,
    key: impl FnOnce() -> Result<SealingKey, Unopened>,
) -> Result<Zeroizing<Vec<u8>>, Unopened> {
    let there: [u8; CHECK] = rest.take()?;
    let head = &file[..file.len() - rest.0.len()];
    let nonce: [u8; NONCE] = rest.take()?;
    let key = key()?;
    let payload = Payload { msg: rest.0, aad: head };
    match cipher(&key).decrypt(&XNonce::from(nonce), payload) {
        Ok(body) => Ok(Zeroizing::new(body)),
        Err(_) if there != check(&key) => Err(StorageError::WrongKey.into()),
        Err(_) => Err(Unopened::Damaged),
    }
}

fn cipher(key: &SealingKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.bytes().into())
}

fn check(key: &SealingKey) -> [u8; CHECK] {
    short(b"handstamp client key check", key.bytes())
}

fn digest(bytes: &[u8]) -> [u8; DIGEST] {
    short(b"handstamp client plain file", bytes)
}

/// The first bytes of a hash of `bytes` for one purpose.
fn short<const N: usize>(purpose: &[u8], bytes: &[u8]) -> [u8; N] {
    let hash = Sha256::new().chain_update(purpose).chain_update([0]).chain_update(bytes);
    let hash = hash.finalize();
    std::array::from_fn(|at| hash[at])
}

/// What of a file has not been read yet.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Unopened> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(Unopened::Damaged)?;
        self.0 = rest;
        Ok(*taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Passphrase;

    fn cheap(text: &str) -> Protection {
        let cost = Cost { memory_kib: 64, passes: 1 };
        Protection::Passphrase(Passphrase::new(text).with_cost(cost))
    }

    fn seal(protection: &Protection, body: &[u8]) -> Vec<u8> {
        let account = account("a");
        Sealer { account, protection, derived: &mut None }.seal(body).unwrap()
    }

    fn open(protection: &Protection, file: &[u8]) -> Result<Vec<u8>, Unopened> {
        let account = account("a");
        let opened = Sealer { account, protection, derived: &mut None }.open(file);
        opened.map(|body| body.to_vec())
    }

    fn all() -> [Protection; 3] {
        let key = SealingKey::from_bytes([7; 32]);
        [Protection::Key(key), cheap("open sesame"), Protection::Plain]
    }

    #[test]
    fn j02_what_was_sealed_opens_and_is_not_readable() {
        for protection in all() {
            let file = seal(&protection, b"refresh-s3cret");
            assert_eq!(open(&protection, &file).unwrap(), b"refresh-s3cret");
            let is_readable = file.windows(14).any(|window| window == b"refresh-s3cret");
            assert_eq!(is_readable, matches!(protection, Protection::Plain));
            assert_ne!(
                seal(&protection, b"x"),
                seal(&Protection::Key(SealingKey::generate().unwrap()), b"x")
            );
        }
    }

    #[test]
    fn no_flipped_bit_anywhere_opens() {
        for protection in all() {
            let file = seal(&protection, b"body");
            for bit in 0..file.len() * 8 {
                let mut bent = file.clone();
                bent[bit / 8] ^= 1 << (bit % 8);
                // What a flipped bit of the cost would take is not this test's affair.
                let is_cost = file[9] == PASSPHRASE && (26..34).contains(&(bit / 8));
                assert!(is_cost || open(&protection, &bent).is_err(), "bit {bit}");
            }
        }
    }

    #[test]
    fn nothing_that_was_cut_short_or_grew_opens() {
        for protection in all() {
            let mut file = seal(&protection, b"body");
            for length in 0..file.len() {
                assert!(matches!(open(&protection, &file[..length]), Err(Unopened::Damaged)));
            }
            file.push(0);
            assert!(matches!(open(&protection, &file), Err(Unopened::Damaged)));
        }
    }

    #[test]
    fn a_wrong_key_is_not_a_damaged_file() {
        let file = seal(&all()[0], b"body");
        let other = Protection::Key(SealingKey::from_bytes([8; 32]));
        let refused = |file: &[u8], protection: &Protection| match open(protection, file) {
            Err(Unopened::Refused(error)) => error,
            other => panic!("{other:?}"),
        };
        assert!(matches!(refused(&file, &other), StorageError::WrongKey));
        assert!(matches!(refused(&file, &cheap("x")), StorageError::WrongKey));
        let file = seal(&cheap("open sesame"), b"body");
        assert!(matches!(refused(&file, &cheap("open simsim")), StorageError::WrongKey));
        assert!(matches!(refused(&file, &all()[0]), StorageError::WrongKey));
    }

    #[test]
    fn a_file_is_written_at_the_cost_that_is_asked_for_and_read_at_its_own() {
        let at = |passes| {
            let cost = Cost { memory_kib: 64, passes };
            Protection::Passphrase(Passphrase::new("open sesame").with_cost(cost))
        };
        let file = seal(&at(1), b"body");
        let (account, dearer) = (account("a"), at(2));
        let mut derived = None;
        let mut sealer = Sealer { account, protection: &dearer, derived: &mut derived };
        assert_eq!(sealer.open(&file).unwrap().as_slice(), b"body");
        let next = sealer.seal(b"body").unwrap();
        assert_eq!((file[33], next[33]), (1, 2));
        assert_eq!(open(&at(1), &next).unwrap(), b"body");
    }

    #[test]
    fn a_plain_file_is_not_taken_where_a_key_is_demanded() {
        let file = seal(&Protection::Plain, b"body");
        for protection in [&all()[0], &all()[1]] {
            let opened = open(protection, &file);
            assert!(matches!(opened, Err(Unopened::Refused(StorageError::NotSealed))));
        }
    }

    #[test]
    fn a_file_of_another_account_or_a_later_format_is_refused_and_not_damaged() {
        let mut file = seal(&all()[0], b"body");
        let other = account("b");
        let opened =
            Sealer { account: other, protection: &all()[0], derived: &mut None }.open(&file);
        assert!(matches!(opened, Err(Unopened::Refused(StorageError::Swapped))));
        file[8] = 2;
        let opened = open(&all()[0], &file);
        assert!(matches!(opened, Err(Unopened::Refused(StorageError::Newer { format: 2 }))));
    }
}
