//! A short text that is kept beside a session, and that its key vouches for.

use std::fmt;
use std::path::PathBuf;

use super::key::Means;
use super::seal::{self, Account, Sealer, Unopened};
use super::{Protection, StorageError, disk};

/// A text in a file of its own, sealed with what the session is sealed with: the address of its
/// service, say, for when the session is gone and a sign-in is to go there again.
///
/// # Security
/// Whoever can write the file and has no key can take the text away, or put back one that was kept
/// there before, for the same account; nothing else that he writes is read.
pub struct SealedNote {
    path: PathBuf,
    account: Account,
    protection: Protection,
}

impl SealedNote {
    /// The note of this account in this file. Nothing is read yet. The account tells apart what
    /// must not be taken for each other: name it otherwise than a session's.
    pub fn new(path: impl Into<PathBuf>, protection: Protection, account: &str) -> Self {
        Self { path: path.into(), account: seal::account(account), protection }
    }

    /// Keeps the text, and answers whether it is sealed. Where it would not be nothing is kept, and
    /// what was is removed: it would vouch for nothing.
    ///
    /// # Errors
    /// As [`SealedFile::probe`](super::SealedFile::probe), and [`StorageError::Io`].
    pub fn keep(&self, text: &str) -> Result<bool, StorageError> {
        if matches!(self.protection.means()?, Means::Plain) {
            disk::remove(&self.path)?;
            return Ok(false);
        }
        let file = self.sealer(&mut None).seal(text.as_bytes())?;
        disk::replace(&self.path, &file, None)?;
        Ok(true)
    }

    /// The text, if the key vouches for it. None where there is no note, and where there is
    /// anything else: one that is not sealed, was changed, is another account's or another key's.
    ///
    /// # Errors
    /// [`StorageError::Locked`], [`StorageError::NoKey`], [`StorageError::Keyring`] and
    /// [`StorageError::Io`]: it cannot be told now.
    pub fn read(&self) -> Result<Option<String>, StorageError> {
        let file = disk::read(&self.path)?.filter(|file| seal::is_sealed(file));
        let Some(file) = file else { return Ok(None) };
        match self.sealer(&mut None).open(&file) {
            Ok(text) => Ok(String::from_utf8(text.to_vec()).ok()),
            Err(Unopened::Refused(error)) if is_of_the_key(&error) => Err(error),
            Err(_) => Ok(None),
        }
    }

    fn sealer<'a>(&'a self, derived: &'a mut Option<seal::Derived>) -> Sealer<'a> {
        Sealer { account: self.account, protection: &self.protection, derived }
    }
}

/// Whether it is the key that cannot be had, so that nothing is known of the file.
const fn is_of_the_key(error: &StorageError) -> bool {
    matches!(error, StorageError::Locked | StorageError::NoKey | StorageError::Keyring(_))
}

impl fmt::Debug for SealedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedNote").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::SealingKey;

    const TEXT: &str = "https://id.example.com";

    fn key(byte: u8) -> Protection {
        Protection::Key(SealingKey::from_bytes([byte; 32]))
    }

    #[test]
    fn a_note_reads_back_for_its_key_and_account_and_for_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("note");
        let note = |protection, account| SealedNote::new(&path, protection, account);
        assert_eq!(note(key(7), "a").read().unwrap(), None);
        assert!(note(key(7), "a").keep(TEXT).unwrap());
        assert_eq!(note(key(7), "a").read().unwrap().as_deref(), Some(TEXT));
        assert_eq!(note(key(8), "a").read().unwrap(), None);
        assert_eq!(note(key(7), "b").read().unwrap(), None);
        assert_eq!(note(Protection::Plain, "a").read().unwrap(), None);
    }

    #[test]
    fn nothing_that_another_hand_wrote_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("note");
        let note = SealedNote::new(&path, key(7), "a");
        note.keep(TEXT).unwrap();
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bent = good.clone();
            bent[at] ^= 1;
            std::fs::write(&path, &bent).unwrap();
            assert_eq!(note.read().unwrap(), None, "byte {at}");
        }
        let mut derived = None;
        let plain = SealedNote::new(&path, Protection::Plain, "a");
        let forged = plain.sealer(&mut derived).seal(b"https://evil.example").unwrap();
        for text in [forged.as_slice(), TEXT.as_bytes(), b""] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(note.read().unwrap(), None);
        }
    }

    #[test]
    fn where_nothing_is_sealed_no_note_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("note");
        SealedNote::new(&path, key(7), "a").keep(TEXT).unwrap();
        assert!(!SealedNote::new(&path, Protection::Plain, "a").keep(TEXT).unwrap());
        assert!(!path.exists());
    }
}
