//! The key of a file in the keyring of the operating system.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use keyring_core::{CredentialStore, Entry, Error};
use zeroize::Zeroizing;

use super::key::SealingKey;
use super::question::{Answer, Questions, Refusal};
use super::{StorageError, disk};

/// How long a keyring may take: it may be asking its user, who is not there.
const PATIENCE: Duration = Duration::from_secs(3);

/// An entry in a keyring, which holds a key of 43 characters: small enough for every system.
///
/// Which keyring is the application's choice: one of the stores of the keyring-rs project
/// (`apple-native-keyring-store`, `windows-native-keyring-store`,
/// `zbus-secret-service-keyring-store`, …), handed in or set as the default store of
/// `keyring-core`. Clones ask together: one question at a time, whose answer counts for all of them.
#[derive(Clone)]
pub struct Keyring {
    store: Option<Arc<CredentialStore>>,
    service: String,
    user: String,
    questions: Arc<Questions>,
    lock: Option<PathBuf>,
    patience: Duration,
}

impl Keyring {
    /// The entry `user` of `service` in the default store of `keyring-core`.
    pub fn new(service: impl Into<String>, user: impl Into<String>) -> Self {
        Self {
            store: None,
            service: service.into(),
            user: user.into(),
            questions: Arc::default(),
            lock: usual_lock(),
            patience: PATIENCE,
        }
    }

    /// The same in this store.
    #[must_use]
    pub fn in_store(mut self, store: Arc<CredentialStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// How long the keyring may take before it counts as locked: 3 s by default. Its answer counts
    /// also if it comes later, as when its user comes back; until then nobody asks again. For as
    /// long a refusal counts.
    #[must_use]
    pub const fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The file by whose lock programs that make the key keep out of each other's way:
    /// `.cache/handstamp/keyring.lock` in the home of the user by default. All programs that share
    /// an entry must name the same one.
    #[must_use]
    pub fn locked_by(mut self, file: impl Into<PathBuf>) -> Self {
        self.lock = Some(file.into());
        self
    }

    /// The key that is there.
    ///
    /// # Errors
    /// [`StorageError::NoKey`] if there is none, or no keyring.
    pub(super) fn key(&self) -> Result<SealingKey, StorageError> {
        self.ask(|entry| found(entry)?.ok_or(Refusal::NoEntry))
    }

    /// The key that is there, or else a new one.
    pub(super) fn key_or_new(&self) -> Result<SealingKey, StorageError> {
        let (lock, patience) = (self.lock.clone(), self.patience);
        self.ask(move |entry| match found(entry)? {
            Some(key) => Ok(key),
            None => made(entry, lock.as_deref(), patience),
        })
    }

    fn ask(
        &self,
        question: impl FnOnce(&Entry) -> Answer + Send + 'static,
    ) -> Result<SealingKey, StorageError> {
        let (store, service, user) = (self.store.clone(), self.service.clone(), self.user.clone());
        self.questions.ask(self.patience, move || {
            let entry = match &store {
                Some(store) => Entry::new_in_store(store, &service, &user),
                None => Entry::new(&service, &user),
            };
            question(&entry.map_err(typed)?)
        })
    }
}

/// The key that lies in an entry, if anything does.
fn found(entry: &Entry) -> Result<Option<SealingKey>, Refusal> {
    match entry.get_password() {
        // Something else under this name is not ours to overwrite.
        Ok(text) => {
            let key = SealingKey::from_text(&Zeroizing::new(text));
            key.map(Some).ok_or(Refusal::NoKey)
        }
        Err(Error::NoEntry) => Ok(None),
        Err(error) => Err(typed(error)),
    }
}

/// Makes the key. Two programs that are used for the first time at once make one: what the first
/// has sealed would open for nobody after the second has put a key of its own in the place of his.
fn made(entry: &Entry, lock: Option<&Path>, patience: Duration) -> Answer {
    let _alone = match lock.map(|lock| disk::lock(lock, patience)) {
        Some(Ok(lock)) => Some(lock),
        // Whoever makes it is asking the user.
        Some(Err(StorageError::Busy)) => return Err(Refusal::Locked),
        // Where nobody can keep anybody out, what lies there in the end counts.
        Some(Err(_)) | None => None,
    };
    if let Some(key) = found(entry)? {
        return Ok(key);
    }
    let fresh = SealingKey::generate().map_err(|error| Refusal::Failed(Arc::new(error)))?;
    entry.set_password(&fresh.to_text()).map_err(typed)?;
    found(entry)?.ok_or(Refusal::NoEntry)
}

fn usual_lock() -> Option<PathBuf> {
    let home = std::env::home_dir().filter(|home| home.is_absolute())?;
    Some(home.join(".cache").join("handstamp").join("keyring.lock"))
}

fn typed(error: Error) -> Refusal {
    match error {
        Error::NoStorageAccess(_) => Refusal::Locked,
        Error::NoDefaultStore => Refusal::NoStore,
        Error::NotSupportedByStore(_) => Refusal::Absent,
        // What follows may quote what lies in the keyring.
        Error::BadEncoding(_) | Error::BadDataFormat(..) => Refusal::NoKey,
        error => Refusal::Failed(Arc::new(error)),
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("service", &self.service)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}
