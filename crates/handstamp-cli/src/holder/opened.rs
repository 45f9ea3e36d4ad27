//! The accounts of this machine, opened for one command.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use handstamp_client::storage::{Protection, SealedFile, Storage};
use handstamp_client::{
    AccountName, Accounts, AuthError, AuthState, HandstampBackend, Session, SessionManager,
    StorageError,
};
use tokio::task::JoinSet;

use super::turn::Turn;
use super::{Place, failures, keep, notes};
use crate::failure::{Exit, Failure, say};
use crate::folders::home;

/// The account that is used when nobody names one.
const USUAL: &str = "default";
/// How long the services of other accounts may hold a command up.
const OTHERS: Duration = Duration::from_secs(3);

/// The accounts, and the one that this command is about.
pub(super) struct Opened {
    pub(super) accounts: Accounts,
    pub(super) name: AccountName,
    folder: PathBuf,
    protection: Protection,
}

/// What the environment says, if it says anything.
pub(super) fn variable(name: &str) -> Result<Option<String>, Failure> {
    let Some(text) = std::env::var_os(name).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let line = || Failure::new(format!("environment variable {name} is no text")).with(Exit::Usage);
    text.into_string().map(Some).map_err(|_| line())
}

impl Opened {
    /// Opens the accounts. Reads no session.
    pub(super) fn open(account: Option<&AccountName>, place: &Place) -> Result<Self, Failure> {
        let folder = folder(place)?;
        let protection = keep::protection(place)?;
        let accounts = {
            let protection = protection.clone();
            Accounts::open(&folder, move |_, path| manager(&path, protection.clone()))
        };
        let accounts = accounts.map_err(|error| failures::of_storage(&error))?;
        let name = match account {
            Some(name) => name.clone(),
            None => named(&accounts)?,
        };
        Ok(Self { accounts, name, folder, protection })
    }

    /// Whatever happens in the account of this command.
    pub(super) fn manager(&self) -> Result<SessionManager, Failure> {
        self.manager_of(&self.name)
    }

    /// The manager of an account.
    ///
    /// # Errors
    /// Exit 6 where there is no such account; exit 1 where it is not known whose it is.
    pub(super) fn manager_of(&self, name: &AccountName) -> Result<SessionManager, Failure> {
        if self.service_of(name)?.is_some() {
            return Ok(self.accounts.account(name));
        }
        if self.path(name).exists() {
            let line = format!("account {name} names no service; say which: login --service URL");
            return Err(Failure::new(line));
        }
        Err(failures::nobody(name, None))
    }

    /// The service that an account belongs to.
    pub(super) fn service_of(&self, name: &AccountName) -> Result<Option<String>, Failure> {
        notes::service(&self.path(name))
    }

    /// The same of the account of this command.
    pub(super) fn service(&self) -> Result<Option<String>, Failure> {
        self.service_of(&self.name)
    }

    /// The service that a token may be sent to that somebody pastes without saying where: the one
    /// that the account belongs to, if its key vouches for that. Anybody could have written the
    /// address otherwise who can write into the folder.
    ///
    /// # Errors
    /// Exit 2 where the account belongs to none; exit 4 where nothing vouches for it.
    pub(super) fn vouched_service(&self) -> Result<String, Failure> {
        let Some(known) = self.service()? else {
            let line = "say which service, like --service https://id.example.com";
            return Err(Failure::new(line).with(Exit::Usage));
        };
        let vouched = notes::vouched_service(&self.path(&self.name), &self.protection)?;
        vouched.ok_or_else(|| {
            Failure::new(format!(
                "account {} names {known}, which is not sealed or was changed; \
                 say where the token is to go with --service",
                self.name
            ))
            .with(Exit::Refused)
        })
    }

    /// Notes which service the account of this command belongs to, and makes a manager that knows
    /// it: one that was made before would send the token to the service of before.
    pub(super) fn belongs_to(&self, service: &str) -> Result<SessionManager, Failure> {
        notes::keep_service(&self.path(&self.name), service, &self.protection)?;
        Ok(self.accounts.account_anew(&self.name))
    }

    /// Whether what is kept for the account of this command opens for this service.
    pub(super) fn opens_for(&self, service: &str) -> bool {
        let account = account(self.name.as_str(), service);
        matches!(self.file().for_account(&account).load(), Ok(found) if found.version.is_some())
    }

    /// Waits until nobody else signs in with the account of this command.
    pub(super) async fn turn(&self) -> Result<Turn, Failure> {
        Turn::of(&self.path(&self.name)).await
    }

    /// Where the session of an account lies.
    pub(super) fn path(&self, name: &AccountName) -> PathBuf {
        self.folder.join(format!("{name}.session"))
    }

    /// The folder of all of them.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of the account of this command, as it is kept for its service.
    pub(super) fn file(&self) -> SealedFile {
        file(&self.path(&self.name), self.protection.clone()).0
    }

    /// The manager of the account of this command, with the session that is kept.
    ///
    /// # Errors
    /// Exit 6 where nobody is signed in, and as [`manager`](Self::manager).
    pub(super) async fn signed_in(&self) -> Result<(SessionManager, Arc<Session>), Failure> {
        let manager = self.manager()?;
        let session = manager.session().await.map_err(|error| self.failed(error))?;
        let session = session.ok_or_else(|| self.failed(AuthError::NotAuthenticated))?;
        Ok((manager, session))
    }

    /// Renews the tokens if that is due, so that no program ends while it asks for them.
    pub(super) async fn renewed(&self) -> Result<SessionManager, Failure> {
        let manager = self.manager()?;
        manager.restore().await.map_err(|error| self.failed(error))?;
        if manager.needs_refresh().await {
            manager.refresh().await;
        }
        Ok(manager)
    }

    /// What a failure of the client means here. Notes the end of a session, so that it can be told
    /// again.
    pub(super) fn failed(&self, error: AuthError) -> Failure {
        let path = self.path(&self.name);
        match &error {
            AuthError::Ended { reason } => notes::note_end(&path, reason.as_ref()),
            AuthError::NotAuthenticated => {
                return failures::nobody(&self.name, notes::end(&path).as_ref());
            }
            _ => {}
        }
        failures::of(&self.name, &error)
    }

    /// Tells the services of sign-outs that they have not heard of: of the account of this command,
    /// and of every other that was opened by no command since.
    pub(super) async fn leave(&self) {
        let mut telling = JoinSet::new();
        for name in self.accounts.list().unwrap_or_default() {
            if name != self.name
                && let Some(manager) = self.waiting(&name).await
            {
                let told = async move { manager.deliver_sign_outs().await };
                telling.spawn(tokio::time::timeout(OTHERS, told));
            }
        }
        let is_told = self.tell().await;
        telling.join_all().await;
        if !is_told {
            say(
                "the service has not heard of an earlier sign-out yet; the next command tries again",
            );
        }
    }

    /// Tells the service of the account of this command, if there is something to tell and its file
    /// was opened.
    async fn tell(&self) -> bool {
        let Ok(manager) = self.manager() else { return true };
        let is_open = !matches!(manager.state(), AuthState::Restoring | AuthState::Locked);
        !is_open || manager.waiting_sign_outs() == 0 || manager.deliver_sign_outs().await
    }

    /// The manager of another account, if a sign-out of it waits.
    async fn waiting(&self, name: &AccountName) -> Option<SessionManager> {
        let manager = self.manager_of(name).ok()?;
        match manager.restore().await {
            Ok(_) => (manager.waiting_sign_outs() > 0).then_some(manager),
            Err(error) => {
                // This is told once, and to nobody but us.
                if let AuthError::Storage(error @ StorageError::Damaged { .. }) = &error {
                    say(&format!("account {name}: {}", failures::of_storage(error).text()));
                }
                None
            }
        }
    }
}

fn folder(place: &Place) -> Result<PathBuf, Failure> {
    if let Some(folder) = &place.accounts_dir {
        return Ok(folder.clone());
    }
    if let Some(folder) = variable("HANDSTAMP_HOLDER_DIR")? {
        return Ok(folder.into());
    }
    Ok(home("XDG_DATA_HOME", ".local/share", "--accounts-dir")?.join("handstamp").join("accounts"))
}

fn named(accounts: &Accounts) -> Result<AccountName, Failure> {
    const NAME: &str = "HANDSTAMP_HOLDER_ACCOUNT";
    if let Some(text) = variable(NAME)? {
        let line = format!("environment variable {NAME} is {text:?}, which is no name");
        return AccountName::new(&text).ok_or_else(|| Failure::new(line).with(Exit::Usage));
    }
    let name = accounts.current_name().or_else(|| AccountName::new(USUAL));
    name.ok_or_else(|| Failure::new("there is no account"))
}

/// The manager over a file.
fn manager(path: &Path, protection: Protection) -> SessionManager {
    let (file, service) = file(path, protection);
    let backend = service.as_deref().and_then(|address| HandstampBackend::new(address).ok());
    let builder = SessionManager::builder().storage(file);
    match backend {
        Some(backend) => builder.backend(backend).build(),
        None => builder.build(),
    }
}

/// The file of a session, and the service that it belongs to: the address is part of what the file
/// is sealed for.
fn file(path: &Path, protection: Protection) -> (SealedFile, Option<String>) {
    let service = notes::service(path).ok().flatten();
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let account = account(&name, service.as_deref().unwrap_or_default());
    (SealedFile::new(path, protection).for_account(&account), service)
}

/// What the file of an account is sealed for.
fn account(name: &str, service: &str) -> String {
    format!("{name} {service}")
}
