//! What sessions are sealed with.

use clap::ValueEnum;
use handstamp_client::storage::{Keyring, Policy, Protection, SealingKey};
use zeroize::Zeroizing;

use super::Place;
use crate::failure::{Exit, Failure};

/// A key of 43 characters that goes before the keyring.
pub(super) const KEY: &str = "HANDSTAMP_HOLDER_KEY";

/// Whether to use the keyring of the desktop.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Use {
    /// Without a keyring, keep nothing
    Require,
    /// Without a keyring, keep sessions in a file that only you may read, and say so
    Prefer,
    /// Keep sessions in a file that only you may read
    Never,
}

impl From<Use> for Policy {
    fn from(keyring: Use) -> Self {
        match keyring {
            Use::Require => Self::RequireSecure,
            Use::Prefer => Self::PreferSecure,
            Use::Never => Self::AllowPlaintext,
        }
    }
}

/// What the flags and the environment say.
///
/// # Errors
/// Exit 2 if the environment says what cannot be understood.
pub(super) fn protection(place: &Place) -> Result<Protection, Failure> {
    if let Some(text) = super::opened::variable(KEY)? {
        let key = SealingKey::from_text(&Zeroizing::new(text));
        let line = format!("environment variable {KEY} is no key: 32 random bytes in base64url");
        return key.map(Protection::Key).ok_or_else(|| Failure::new(line).with(Exit::Usage));
    }
    let keyring = place.keyring.map_or_else(from_environment, Ok)?;
    Ok(Protection::Keyring(entry(), keyring.into()))
}

fn from_environment() -> Result<Use, Failure> {
    const NAME: &str = "HANDSTAMP_HOLDER_KEYRING";
    let Some(text) = super::opened::variable(NAME)? else { return Ok(Use::Prefer) };
    Use::from_str(&text, false).map_err(|_| {
        let line = format!("environment variable {NAME} is {text:?}: say require, prefer or never");
        Failure::new(line).with(Exit::Usage)
    })
}

/// One key for all accounts of this user.
fn entry() -> Keyring {
    let keyring = Keyring::new("handstamp", "key of the accounts");
    #[cfg(target_os = "linux")]
    let keyring = keyring.in_store(std::sync::Arc::new(super::keyring::Desktop));
    keyring
}
