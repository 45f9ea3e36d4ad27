//! The key of a file in the keyring of the operating system.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use keyring_core::{CredentialStore, Entry, Error};
use zeroize::Zeroizing;

use super::StorageError;
use super::key::SealingKey;

/// How long a keyring may take: it may be asking its user, who is not there.
const PATIENCE: Duration = Duration::from_secs(3);

/// An entry in a keyring, which holds a key of 43 characters: small enough for every system.
///
/// Which keyring is the application's choice: one of the stores of the keyring-rs project
/// (`apple-native-keyring-store`, `windows-native-keyring-store`,
/// `zbus-secret-service-keyring-store`, …), handed in or set as the default store of
/// `keyring-core`.
#[derive(Clone)]
pub struct Keyring {
    store: Option<Arc<CredentialStore>>,
    service: String,
    user: String,
    known: Arc<Mutex<Option<SealingKey>>>,
    patience: Duration,
}

impl Keyring {
    /// The entry `user` of `service` in the default store of `keyring-core`.
    pub fn new(service: impl Into<String>, user: impl Into<String>) -> Self {
        Self {
            store: None,
            service: service.into(),
            user: user.into(),
            known: Arc::default(),
            patience: PATIENCE,
        }
    }

    /// The same in this store.
    #[must_use]
    pub fn in_store(mut self, store: Arc<CredentialStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// How long the keyring may take before it counts as locked: 3 s by default.
    #[must_use]
    pub const fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The key that is there.
    ///
    /// # Errors
    /// [`StorageError::NoKey`] if there is none, or no keyring.
    pub(super) fn key(&self) -> Result<SealingKey, StorageError> {
        self.ask(|entry| match entry.get_password() {
            Ok(text) => Ok(SealingKey::from_text(&Zeroizing::new(text))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(error),
        })?
        .ok_or(StorageError::NoKey)
    }

    /// The key that is there, or else a new one.
    pub(super) fn key_or_new(&self) -> Result<SealingKey, StorageError> {
        let fresh = SealingKey::generate()?;
        self.ask(move |entry| match entry.get_password() {
            Ok(text) => Ok(SealingKey::from_text(&Zeroizing::new(text))),
            Err(Error::NoEntry) => {
                entry.set_password(&fresh.to_text())?;
                // Another process may have had the same thought: what is there now counts.
                entry.get_password().map(|text| SealingKey::from_text(&Zeroizing::new(text)))
            }
            Err(error) => Err(error),
        })?
        // Something else lies under this name, and is not ours to overwrite.
        .ok_or(StorageError::WrongKey)
    }

    /// Asks the keyring once, on a thread that may hang.
    fn ask(
        &self,
        question: impl FnOnce(&Entry) -> Result<Option<SealingKey>, Error> + Send + 'static,
    ) -> Result<Option<SealingKey>, StorageError> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = known().clone() {
            return Ok(Some(key));
        }
        let (answer, answered) = mpsc::channel();
        let (store, service, user) = (self.store.clone(), self.service.clone(), self.user.clone());
        thread::Builder::new().name("keyring".to_owned()).spawn(move || {
            let entry = match &store {
                Some(store) => Entry::new_in_store(store, &service, &user),
                None => Entry::new(&service, &user),
            };
            let _ = answer.send(entry.and_then(|entry| question(&entry)));
        })?;
        let answer = answered.recv_timeout(self.patience).map_err(|_| StorageError::Locked)?;
        let key = answer.map_err(typed)?;
        known().clone_from(&key);
        Ok(key)
    }
}

fn typed(error: Error) -> StorageError {
    match error {
        Error::NoStorageAccess(_) => StorageError::Locked,
        Error::NoDefaultStore | Error::NotSupportedByStore(_) => StorageError::NoKey,
        // What follows may quote what lies in the keyring.
        Error::BadEncoding(_) | Error::BadDataFormat(..) => StorageError::WrongKey,
        error => StorageError::Keyring(Box::new(error)),
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
