//! Drives that do not do what a disk of this machine does.

use std::fs;
use std::process::Command;
use std::time::Duration;

use handstamp_client::storage::{Lock, Protection, SealedFile, SealingKey, Storage, StorageError};
use handstamp_client::testing::{ManualClock, TestServer};
use handstamp_client::{Outcome, SessionManager};

use crate::files::Place;
use crate::world::{sign_in, token};

const REFUSES: &str = "HANDSTAMP_CLIENT_REFUSES";

const EPERM: i32 = 1;
const EINVAL: i32 = 22;
const EMFILE: i32 = 24;
#[cfg(target_os = "linux")]
const ENOLCK: i32 = 37;
#[cfg(not(target_os = "linux"))]
const ENOLCK: i32 = 77;

/// Runs a test of this binary on such a drive.
fn on_a_drive_without(what: &str, number: i32, test: &str) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(REFUSES, format!("{what}={number}"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{what}: {told}");
}

fn manager(place: &Place, server: &TestServer) -> SessionManager {
    SessionManager::builder()
        .storage(SealedFile::new(place.path(), Protection::Key(SealingKey::from_bytes([7; 32]))))
        .backend(server.clone())
        .clock(ManualClock::new())
        .build()
}

/// On any drive: a session is renewed again and again, and outlives a damaged file.
#[tokio::test]
async fn a_session_on_a_drive() {
    let (place, server) = (Place::new(), TestServer::new(Duration::from_secs(1800)));
    let first = manager(&place, &server);
    sign_in(&first, &server).await;
    for _ in 0..3 {
        assert_eq!(first.refresh().await, Outcome::Refreshed);
    }
    assert!(first.is_saved());
    fs::write(place.path(), b"junk").unwrap();
    let next = manager(&place, &server);
    // The last thing that was written before the tokens is the attempt for them.
    assert_eq!(token(&next).await, "a2");
    assert_eq!(next.refresh().await, Outcome::Refreshed);
    assert_eq!((token(&next).await.as_str(), server.rotations()), ("a3", 3));
    assert!(place.names().iter().any(|name| name.contains(".damaged-")));
    next.logout().await.unwrap();
    assert_eq!(place.names(), ["session.lock", "session.refresh-lock"]);
}

#[test]
fn a_drive_where_files_have_one_name_only_keeps_a_session_as_any_other() {
    on_a_drive_without("hard link", EPERM, "drives::a_session_on_a_drive");
}

#[test]
fn a_drive_that_syncs_no_folders_keeps_a_session_as_any_other() {
    on_a_drive_without("sync of a folder", EINVAL, "drives::a_session_on_a_drive");
}

/// Where no lock can be had for now, nobody goes ahead as if there were none.
#[tokio::test]
async fn a_lock_on_a_drive() {
    let Ok(refused) = std::env::var(REFUSES) else { return };
    let place = Place::new();
    let file = SealedFile::new(place.path(), Protection::Plain);
    match refused == format!("lock={ENOLCK}") {
        true => assert!(matches!(file.try_lock(), Ok(Lock::Unsupported))),
        false => assert!(matches!(file.try_lock(), Err(StorageError::Io(_)))),
    }
}

#[test]
fn a_process_that_may_open_no_more_files_is_not_on_a_drive_without_locks() {
    for number in [EMFILE, ENOLCK] {
        on_a_drive_without("lock", number, "drives::a_lock_on_a_drive");
    }
}
