//! Commands of whoever is signed in on this machine: `handstamp login`, `status`, `token` and the
//! like, on the client of this project.
//!
//! An account is a sealed file with its session, and beside it the address of the service that it
//! belongs to. The address is bound to the seal: whoever writes another one into its file gets no
//! token sent there.

pub(crate) mod accounts;
mod browser;
mod callback;
pub(crate) mod devices;
mod failures;
mod http;
mod keep;
#[cfg(target_os = "linux")]
mod keyring;
pub(crate) mod login;
pub(crate) mod logout;
mod notes;
mod opened;
mod opener;
mod paste;
pub(crate) mod status;
pub(crate) mod token;
mod turn;
pub(crate) mod whoami;

use std::path::PathBuf;
use std::time::Duration;

use handstamp_client::AccountName;
use tracing_subscriber::filter::LevelFilter;

use crate::failure::Failure;
use crate::log::{self, Look};
use keep::Use;
use opened::Opened;

/// What help calls these flags.
const ACCOUNTS: &str = "Accounts of this machine";

/// Flags of every such command.
#[derive(clap::Args, Debug)]
pub(crate) struct Flags {
    /// Which account (HANDSTAMP_HOLDER_ACCOUNT) [default: the one that is used now, or "default"]
    #[arg(long, help_heading = ACCOUNTS, value_name = "NAME", value_parser = account_name)]
    account: Option<AccountName>,

    #[command(flatten)]
    place: Place,
}

/// Where accounts lie, and what they are sealed with.
#[derive(clap::Args, Debug)]
pub(crate) struct Place {
    /// Folder of the accounts (HANDSTAMP_HOLDER_DIR) [default: handstamp/accounts in your data
    /// folder]
    #[arg(long, help_heading = ACCOUNTS, value_name = "DIR")]
    accounts_dir: Option<PathBuf>,

    /// Whether the key of the sessions lies in the keyring of your desktop
    /// (HANDSTAMP_HOLDER_KEYRING) [default: prefer]. A key in HANDSTAMP_HOLDER_KEY goes before it
    #[arg(long, help_heading = ACCOUNTS, value_name = "HOW", value_enum)]
    keyring: Option<Use>,
}

fn account_name(text: &str) -> Result<AccountName, String> {
    AccountName::new(text).ok_or_else(|| "1 to 64 of a-z, 0-9, . - _ @ +, a letter first".into())
}

/// Opens the accounts and lets `act` do its work with them. What an earlier sign-out left for the
/// service is told to it afterwards.
fn with(
    account: Option<&AccountName>,
    place: &Place,
    act: impl AsyncFnOnce(&Opened) -> Result<(), Failure>,
) -> Result<(), Failure> {
    // Nothing of the client's log is for people, unless they ask for it by RUST_LOG.
    log::start(Look::Text, LevelFilter::OFF);
    let opened = Opened::open(account, place)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::because("cannot start", &error))?;
    let done = runtime.block_on(async {
        let done = act(&opened).await;
        opened.leave().await;
        done
    });
    // A keyring that asks its user does not hold the program up.
    runtime.shutdown_timeout(Duration::from_millis(100));
    done
}

impl Flags {
    fn with(&self, act: impl AsyncFnOnce(&Opened) -> Result<(), Failure>) -> Result<(), Failure> {
        with(self.account.as_ref(), &self.place, act)
    }
}
