//! Several accounts on one machine, and the one that is used now.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, fs, io};

use tokio::sync::watch;

use crate::error::AuthError;
use crate::manager::SessionManager;
use crate::storage::{StorageError, disk};

/// How an account's file ends.
const ENDING: &str = ".session";
/// Which account is used now is written here.
const CURRENT: &str = "current";
/// The longest name, in characters.
const LONGEST: usize = 64;

type Make = dyn Fn(&AccountName, PathBuf) -> SessionManager + Send + Sync;

/// The name of an account: 1 to 64 of `a` to `z`, `0` to `9`, `.`, `-`, `_`, `@` and `+`, the
/// first a letter or a digit. Lower case, so that two names are two files everywhere.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AccountName(String);

impl AccountName {
    /// Reads a name; none if it is no such one.
    pub fn new(name: &str) -> Option<Self> {
        let is_plain = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit();
        let is_good = name.starts_with(is_plain)
            && name.len() <= LONGEST
            && name.chars().all(|it| is_plain(it) || ".-_@+".contains(it));
        is_good.then(|| Self(name.to_owned()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The accounts of a folder: one file each, and one manager each as long as this lives. Clones are
/// the same.
///
/// Accounts know nothing of each other: each has its own file, and where files are sealed the file
/// of one does not open as another's.
#[derive(Clone)]
pub struct Accounts(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    make: Box<Make>,
    managers: Mutex<BTreeMap<AccountName, SessionManager>>,
    current: watch::Sender<Option<AccountName>>,
}

impl Accounts {
    /// The accounts in this folder. `make` makes the manager of an account, whose file is to lie
    /// at the path that it is given.
    ///
    /// # Errors
    /// [`StorageError::Io`]. A file that names no account is taken for none.
    pub fn open(
        folder: impl Into<PathBuf>,
        make: impl Fn(&AccountName, PathBuf) -> SessionManager + Send + Sync + 'static,
    ) -> Result<Self, StorageError> {
        let folder = folder.into();
        let current = watch::Sender::new(read_current(&folder)?);
        let managers = Mutex::default();
        Ok(Self(Arc::new(Inner { folder, make: Box::new(make), managers, current })))
    }

    /// The accounts that have a file, by name.
    ///
    /// # Errors
    /// [`StorageError::Io`].
    pub fn list(&self) -> Result<Vec<AccountName>, StorageError> {
        let entries = match fs::read_dir(&self.0.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let mut names = Vec::new();
        for entry in entries {
            let file = entry?.file_name();
            let name = file.to_str().and_then(|name| name.strip_suffix(ENDING));
            names.extend(name.and_then(AccountName::new));
        }
        names.sort();
        Ok(names)
    }

    /// The manager of an account, whether it is signed in or not.
    pub fn account(&self, name: &AccountName) -> SessionManager {
        let made = || (self.0.make)(name, self.path(name));
        self.managers().entry(name.clone()).or_insert_with(made).clone()
    }

    /// Makes the manager of an account anew, for one whose `make` answers otherwise than before: it
    /// has moved to another server. Clones of the manager before stay what they are.
    pub fn account_anew(&self, name: &AccountName) -> SessionManager {
        let manager = (self.0.make)(name, self.path(name));
        self.managers().insert(name.clone(), manager.clone());
        manager
    }

    /// The account that is used now, and its manager.
    pub fn current(&self) -> Option<(AccountName, SessionManager)> {
        let name = self.current_name()?;
        let manager = self.account(&name);
        Some((name, manager))
    }

    /// The name of the account that is used now. Makes no manager.
    pub fn current_name(&self) -> Option<AccountName> {
        self.0.current.borrow().clone()
    }

    /// The account that is used now, to be watched.
    pub fn watch(&self) -> watch::Receiver<Option<AccountName>> {
        self.0.current.subscribe()
    }

    /// Uses this account from now on, and after a restart. The session of the one before goes on.
    ///
    /// # Errors
    /// [`AuthError::NotAuthenticated`] if nobody is signed in with it; nothing has changed.
    /// [`AuthError::Storage`].
    pub async fn switch(&self, name: &AccountName) -> Result<SessionManager, AuthError> {
        let manager = self.account(name);
        manager.session().await?.ok_or(AuthError::NotAuthenticated)?;
        self.use_from_now_on(Some(name))?;
        Ok(manager)
    }

    /// Signs an account out and forgets it. If it was the one that is used, none is from now on.
    ///
    /// # Errors
    /// As [`SessionManager::logout`].
    pub async fn remove(&self, name: &AccountName) -> Result<(), AuthError> {
        self.account(name).logout().await?;
        self.use_no_more(name)
    }

    /// Removes what is kept of an account, readable or not, without telling the server: for a file
    /// whose key is lost. If it was the one that is used, none is from now on.
    ///
    /// # Errors
    /// As [`SessionManager::forget`].
    pub async fn forget(&self, name: &AccountName) -> Result<(), AuthError> {
        self.account(name).forget().await?;
        self.use_no_more(name)
    }

    fn use_no_more(&self, name: &AccountName) -> Result<(), AuthError> {
        if self.current_name().as_ref() == Some(name) {
            self.use_from_now_on(None)?;
        }
        Ok(())
    }

    /// Signs every account out whose session cannot be used any more; answers which.
    ///
    /// # Errors
    /// As [`SessionManager::logout`], of the first one where it fails.
    pub async fn clear_expired(&self) -> Result<Vec<AccountName>, AuthError> {
        let mut cleared = Vec::new();
        for name in self.list()? {
            if self.account(&name).clear_if_expired().await? {
                cleared.push(name);
            }
        }
        Ok(cleared)
    }

    fn use_from_now_on(&self, name: Option<&AccountName>) -> Result<(), StorageError> {
        let text = name.map_or("", AccountName::as_str);
        disk::replace(&self.0.folder.join(CURRENT), text.as_bytes(), None)?;
        self.0.current.send_replace(name.cloned());
        Ok(())
    }

    fn path(&self, name: &AccountName) -> PathBuf {
        self.0.folder.join(format!("{name}{ENDING}"))
    }

    fn managers(&self) -> MutexGuard<'_, BTreeMap<AccountName, SessionManager>> {
        self.0.managers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_current(folder: &Path) -> Result<Option<AccountName>, StorageError> {
    let text = disk::read(&folder.join(CURRENT))?.unwrap_or_default();
    Ok(AccountName::new(&String::from_utf8_lossy(&text)))
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let current = self.0.current.borrow();
        f.debug_struct("Accounts").field("current", &*current).finish_non_exhaustive()
    }
}
