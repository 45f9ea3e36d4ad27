//! Several accounts, and the one that is used.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use handstamp_client::accounts::{AccountName, Accounts};
use handstamp_client::storage::{Protection, SealedFile, SealingKey};
use handstamp_client::testing::{ManualClock, TestServer};
use handstamp_client::{AuthError, AuthTokens, Clock, Outcome, SessionManager};

use crate::world::token;

fn open(folder: &Path, clock: &ManualClock) -> Accounts {
    let clock = clock.clone();
    Accounts::open(folder, move |name, path| {
        let key = Protection::Key(SealingKey::from_bytes([7; 32]));
        let file = SealedFile::new(path, key).for_account(name.as_str());
        SessionManager::builder().storage(file).clock(clock.clone()).build()
    })
    .unwrap()
}

fn name(text: &str) -> AccountName {
    AccountName::new(text).unwrap()
}

async fn sign_in(accounts: &Accounts, account: &str) {
    let tokens = AuthTokens::new(account);
    accounts.account(&name(account)).create_session(tokens, None, None).await.unwrap();
}

#[tokio::test]
async fn j08_a10_accounts_are_switched_and_the_choice_outlives_the_program() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
    let accounts = open(folder.path(), &clock);
    assert!(accounts.current().is_none() && accounts.list().unwrap().is_empty());
    for account in ["ada@example.com", "work"] {
        sign_in(&accounts, account).await;
    }
    let watch = accounts.watch();
    let manager = accounts.switch(&name("work")).await.unwrap();
    assert_eq!(token(&manager).await, "work");
    assert_eq!(watch.borrow().as_ref(), Some(&name("work")));
    accounts.switch(&name("ada@example.com")).await.unwrap();
    // The other one stays signed in.
    assert_eq!(token(&manager).await, "work");
    drop(accounts);
    let accounts = open(folder.path(), &clock);
    let (current, manager) = accounts.current().unwrap();
    assert_eq!(
        (current.as_str(), token(&manager).await.as_str()),
        ("ada@example.com", "ada@example.com")
    );
    assert_eq!(accounts.list().unwrap(), [name("ada@example.com"), name("work")]);
}

#[tokio::test]
async fn j08_nobody_is_switched_to_who_is_not_signed_in() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
    let accounts = open(folder.path(), &clock);
    sign_in(&accounts, "ada").await;
    accounts.switch(&name("ada")).await.unwrap();
    let refused = accounts.switch(&name("nobody")).await;
    assert!(matches!(refused, Err(AuthError::NotAuthenticated)));
    assert_eq!(accounts.current().unwrap().0, name("ada"));
}

#[tokio::test]
async fn j08_an_account_that_is_removed_is_signed_out_and_no_longer_used() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
    let accounts = open(folder.path(), &clock);
    for account in ["ada", "bob"] {
        sign_in(&accounts, account).await;
    }
    accounts.switch(&name("ada")).await.unwrap();
    accounts.remove(&name("ada")).await.unwrap();
    assert!(accounts.current().is_none());
    assert_eq!(accounts.list().unwrap(), [name("bob")]);
    assert_eq!(token(&accounts.account(&name("bob"))).await, "bob");
}

#[tokio::test]
async fn a11_every_session_past_its_time_is_cleaned_up() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
    let accounts = open(folder.path(), &clock);
    sign_in(&accounts, "lasting").await;
    let tokens = AuthTokens::new("a").expiring_at(clock.now());
    accounts.account(&name("over")).create_session(tokens, None, None).await.unwrap();
    assert_eq!(accounts.clear_expired().await.unwrap(), [name("over")]);
    assert_eq!(accounts.list().unwrap(), [name("lasting")]);
}

#[test]
fn a10_a_name_is_no_way_out_of_the_folder() {
    for bad in ["", ".", "..", "../x", "a/b", "a\\b", "A", ".hidden", "a\0", "ü", &"a".repeat(65)]
    {
        assert!(AccountName::new(bad).is_none(), "{bad}");
    }
    for good in ["a", "7", "ada@example.com", "a+b_c-d.e"] {
        assert_eq!(AccountName::new(good).unwrap().as_str(), good);
    }
}

#[tokio::test]
async fn j08_an_account_that_has_moved_to_another_server_asks_that_one() {
    let folder = tempfile::tempdir().unwrap();
    let life = Duration::from_secs(1800);
    let servers = [TestServer::new(life), TestServer::new(life)];
    let has_moved = Arc::new(AtomicBool::new(false));
    let make = {
        let (servers, has_moved) = (servers.clone(), Arc::clone(&has_moved));
        move |_: &AccountName, path| {
            let server = servers[usize::from(has_moved.load(Ordering::SeqCst))].clone();
            let file = SealedFile::new(path, Protection::Plain);
            SessionManager::builder().storage(file).backend(server).build()
        }
    };
    let accounts = Accounts::open(folder.path(), make).unwrap();
    accounts.account(&name("ada"));
    has_moved.store(true, Ordering::SeqCst);
    let manager = accounts.account_anew(&name("ada"));
    manager.create_session_from_login_result(servers[1].sign_in(), None).await.unwrap();
    assert_eq!(accounts.account(&name("ada")).refresh().await, Outcome::Refreshed);
    assert_eq!(servers.map(|server| server.refreshes()), [0, 1]);
}
