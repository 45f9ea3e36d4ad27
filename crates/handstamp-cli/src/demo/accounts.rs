//! Who can sign in to the demo. Accounts live in memory; Handstamp never sees a password.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use crate::failure::Failure;

/// Somebody who can sign in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Account {
    /// What is typed to sign in; also the subject of the sessions.
    pub(super) name: &'static str,
    /// How the shop greets.
    pub(super) full_name: &'static str,
    /// Where receipts would go.
    pub(super) email: &'static str,
    /// Printed at the start and shown on the sign-in page: this is a demo.
    pub(super) password: &'static str,
    /// What the sessions of this account may do.
    pub(super) roles: &'static [&'static str],
}

/// The role that opens the stock room.
pub(super) const CLERK: &str = "clerk";

/// Everybody there is.
pub(super) const ACCOUNTS: [Account; 3] = [
    Account {
        name: "mina",
        full_name: "Mina Okafor",
        email: "mina@nightfair.example",
        password: "paper-lantern",
        roles: &[],
    },
    Account {
        name: "jonas",
        full_name: "Jonas Lind",
        email: "jonas@nightfair.example",
        password: "second-row",
        roles: &[],
    },
    Account {
        name: "rosa",
        full_name: "Rosa Varga",
        email: "rosa@nightfair.example",
        password: "smoke-and-orchard",
        roles: &[CLERK],
    },
];

/// Passwords longer than this are refused before they are hashed.
const LONGEST_PASSWORD: usize = 256;

/// Checks passwords, two at a time at most: each check takes 19 MiB for a moment.
#[derive(Debug, Clone)]
pub(super) struct Accounts {
    hashes: Arc<Hashes>,
    turns: Arc<Semaphore>,
}

#[derive(Debug)]
struct Hashes {
    known: Vec<PasswordHash>,
    /// Of a password that nobody has: a name that nobody has takes as long as one that somebody
    /// has.
    nobody: PasswordHash,
}

impl Accounts {
    /// Hashes the demo's passwords, each with its own salt.
    pub(super) fn hash() -> Result<Self, Failure> {
        let hash = |password: &str| {
            argon2()?
                .hash_password(password.as_bytes())
                .map_err(|error| Failure::new(format!("cannot hash a password: {error}")))
        };
        let known: Result<Vec<_>, _> =
            ACCOUNTS.iter().map(|account| hash(account.password)).collect();
        let hashes = Hashes { known: known?, nobody: hash("")? };
        Ok(Self { hashes: Arc::new(hashes), turns: Arc::new(Semaphore::new(2)) })
    }

    /// The account with this name and password, or nobody: the answer does not tell which of the
    /// two was wrong, nor does the time it takes.
    pub(super) async fn check(&self, name: &str, password: &str) -> Option<&'static Account> {
        let _turn = self.turns.acquire().await.ok()?;
        let (hashes, name, password) =
            (Arc::clone(&self.hashes), name.to_owned(), password.to_owned());
        // Hashing keeps a core busy for tens of milliseconds: not on a thread that serves requests.
        tokio::task::spawn_blocking(move || hashes.check(&name, &password)).await.ok().flatten()
    }
}

impl Hashes {
    fn check(&self, name: &str, password: &str) -> Option<&'static Account> {
        let at = ACCOUNTS.iter().position(|account| account.name == name);
        let hash = at.and_then(|at| self.known.get(at)).unwrap_or(&self.nobody);
        let fits = password.len() <= LONGEST_PASSWORD
            && argon2().ok()?.verify_password(password.as_bytes(), hash).is_ok();
        at.filter(|_| fits).and_then(|at| ACCOUNTS.get(at))
    }
}

/// Argon2id with the parameters of the OWASP Password Storage Cheat Sheet: 19 MiB, two passes, one
/// lane.
fn argon2() -> Result<Argon2<'static>, Failure> {
    let params = Params::new(19_456, 2, 1, None)
        .map_err(|error| Failure::new(format!("Argon2 refuses its parameters: {error}")))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// The account with this name.
pub(super) fn named(name: &str) -> Option<&'static Account> {
    ACCOUNTS.iter().find(|account| account.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_right_password_gives_the_account_and_nothing_else_does() {
        let accounts = Accounts::hash().unwrap();
        assert_eq!(accounts.check("mina", "paper-lantern").await, named("mina"));
        for (name, password) in
            [("mina", "second-row"), ("mina", ""), ("nobody", ""), ("Mina", "paper-lantern")]
        {
            assert_eq!(accounts.check(name, password).await, None, "{name} {password}");
        }
    }

    #[test]
    fn one_account_works_in_the_stock_room() {
        assert_eq!(ACCOUNTS.iter().filter(|account| account.roles.contains(&CLERK)).count(), 1);
    }
}
