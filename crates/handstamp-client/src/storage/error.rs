//! Why a storage has no answer, one variant per thing that a caller does differently.

use std::io;
use std::path::PathBuf;

use crate::random::NoRandom;

/// What is kept could not be read or written. In none of these cases is anybody signed out, and in
/// none was something overwritten.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The keyring is locked, or its user said no, or it did not answer in time. Retrying helps
    /// once it is unlocked.
    #[error("the keyring is locked")]
    Locked,
    /// There is no keyring here, or no key in it though a file was sealed with one. Retrying
    /// does not help.
    #[error("there is no keyring, or no key in it")]
    NoKey,
    /// The program asks for a key from a keyring and has chosen none: it is to hand one in, or to
    /// set a default store of `keyring-core`. A mistake of the program; retrying never helps.
    #[error("the program has chosen no keyring")]
    NoStore,
    /// The key, or the passphrase, does not open the file.
    #[error("the key does not open the file")]
    WrongKey,
    /// The file is not sealed, though a key was demanded.
    #[error("the file is not sealed")]
    NotSealed,
    /// The file was damaged. It lies under another name now; nothing is in its place.
    #[error("the file was damaged and set aside")]
    Damaged {
        /// Where it lies.
        set_aside: PathBuf,
    },
    /// The file was written by a later version of this program, which has to read it.
    #[error("the file is of format {format}, which this version does not know")]
    Newer {
        /// The format it says it has.
        format: u8,
    },
    /// The file belongs to another account: it was moved here.
    #[error("the file belongs to another account")]
    Swapped,
    /// The file belongs to another user of the machine.
    #[error("the file belongs to another user of this machine")]
    ForeignOwner,
    /// There is something of that name that is no file: a link, a directory.
    #[error("there is something else of that name")]
    NotAFile,
    /// Another process is writing and does not finish. Retrying helps when it goes on.
    #[error("another process is writing and does not finish")]
    Busy,
    /// The disk says no: full, read-only, forbidden.
    #[error("the file could not be read or written")]
    Io(#[from] io::Error),
    /// The keyring failed in another way.
    #[error("the keyring failed")]
    Keyring(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The operating system gives no random numbers.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
}

impl StorageError {
    /// The same once more, for each of those who waited for one answer.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Locked => Self::Locked,
            Self::NoKey => Self::NoKey,
            Self::NoStore => Self::NoStore,
            Self::WrongKey => Self::WrongKey,
            Self::NotSealed => Self::NotSealed,
            Self::Damaged { set_aside } => Self::Damaged { set_aside: set_aside.clone() },
            Self::Newer { format } => Self::Newer { format: *format },
            Self::Swapped => Self::Swapped,
            Self::ForeignOwner => Self::ForeignOwner,
            Self::NotAFile => Self::NotAFile,
            Self::Busy => Self::Busy,
            Self::Io(error) => Self::Io(match error.raw_os_error() {
                Some(number) => io::Error::from_raw_os_error(number),
                None => io::Error::new(error.kind(), error.to_string()),
            }),
            Self::Keyring(error) => Self::Keyring(error.to_string().into()),
            Self::NoRandom(error) => Self::NoRandom(*error),
        }
    }

    /// Whether retrying can help without anybody doing something about the file itself.
    pub const fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Locked | Self::Busy | Self::Io(_) | Self::Keyring(_) | Self::NoRandom(_)
        )
    }
}
