//! A process that is killed at each step of a refresh, and the next one.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use handstamp_client::storage::{Protection, SealedFile, SealingKey};
use handstamp_client::testing::TestServer;
use handstamp_client::{AuthTokens, HandstampBackend, Outcome, SessionManager};

use crate::files::Place;
use crate::listener::Listener;
use crate::processes::Tale;
use crate::world::token;

const URL: &str = "HANDSTAMP_CLIENT_KILLED_URL";
const FILE: &str = "HANDSTAMP_CLIENT_KILLED_FILE";
const KILL: &str = "HANDSTAMP_CLIENT_KILL";
const SIGNS_OUT: &str = "HANDSTAMP_CLIENT_KILLED_SIGNS_OUT";

/// From before the attempt is written to after the successor is: each file is written twice.
const STEPS: [&str; 13] = [
    "new file begun",
    "new file written",
    "file before last removed",
    "last file named",
    "new file in place",
    "attempt written",
    "answered",
    "new file begun#2",
    "new file written#2",
    "file before last removed#2",
    "last file named#2",
    "new file in place#2",
    "successor kept",
];

fn manager(path: &Path, url: &str) -> SessionManager {
    SessionManager::builder()
        .storage(SealedFile::new(path, Protection::Key(SealingKey::from_bytes([7; 32]))))
        .backend(HandstampBackend::new(url).unwrap())
        .build()
}

/// The process that is killed.
#[tokio::test]
async fn one_that_is_killed() {
    let (Ok(url), Ok(path)) = (std::env::var(URL), std::env::var(FILE)) else { return };
    let manager = manager(&PathBuf::from(path), &url);
    match std::env::var_os(SIGNS_OUT) {
        None => drop(manager.refresh().await),
        Some(_) => drop(manager.logout().await),
    }
}

async fn killed_at(step: &'static str, path: &Path, url: &str) {
    killed(step, path, url, &[]).await;
}

async fn killed(step: &str, path: &Path, url: &str, more: &[(&str, &str)]) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "killed::one_that_is_killed"])
        .env(URL, url)
        .env(FILE, path)
        .env(KILL, step)
        .envs(more.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.signal(), Some(9), "{step}: {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s81_whoever_is_killed_at_any_step_of_a_refresh_is_signed_in_at_the_next_start() {
    let server = TestServer::new(Duration::from_secs(1800));
    let tale = Tale::living(1800);
    let (model, telling) = (server.clone(), Arc::clone(&tale));
    let listener = Listener::start(move |heard| telling.answer(&model, heard, &[])).await;
    for step in STEPS {
        let place = Place::new();
        let first = manager(&place.path(), &listener.url);
        first.create_session_from_login_result(server.sign_in(), None).await.unwrap();
        // So that there is a file before the last one.
        first.save_session().await.unwrap();
        drop(first);
        let asked = tale.asked.load(Ordering::SeqCst);
        killed_at(step, &place.path(), &listener.url).await;
        let next = manager(&place.path(), &listener.url);
        assert!(next.session().await.unwrap().is_some(), "{step}");
        assert_eq!(next.refresh().await, Outcome::Refreshed, "{step}");
        assert_eq!(server.ended(), None, "{step}");
        let kept = step == "new file in place#2" || step == "successor kept";
        assert_eq!(token(&next).await, if kept { "a2" } else { "a1" }, "{step}");
        assert!(tale.asked.load(Ordering::SeqCst) - asked <= 2, "{step}");
    }
}

/// Where nobody answers: what is done here needs no server.
const NOBODY: &str = "http://127.0.0.1:9";

/// A file that was written twice, of a session that no server has to hear of.
async fn signed_in(path: &Path) {
    let manager = manager(path, NOBODY);
    manager.create_session(AuthTokens::new("a"), None, None).await.unwrap();
    manager.save_session().await.unwrap();
}

#[tokio::test]
async fn defect_24_whoever_is_killed_while_a_damaged_file_is_mended_is_signed_in_at_the_next_start()
{
    for step in ["damaged file named", "file before last in place"] {
        let place = Place::new();
        signed_in(&place.path()).await;
        std::fs::write(place.path(), b"junk").unwrap();
        killed_at(step, &place.path(), NOBODY).await;
        let next = manager(&place.path(), NOBODY);
        assert!(next.session().await.unwrap().is_some(), "{step}");
        assert!(place.names().iter().any(|name| name.contains(".damaged-")), "{step}");
    }
}

#[tokio::test]
async fn a11_whoever_is_killed_while_signing_out_finds_the_session_or_nothing() {
    for step in ["damaged files removed", "nothing left to mend from"] {
        let place = Place::new();
        signed_in(&place.path()).await;
        std::fs::write(place.path().with_file_name("session.damaged-abcdefgh"), b"junk").unwrap();
        killed(step, &place.path(), NOBODY, &[(SIGNS_OUT, "1")]).await;
        let next = manager(&place.path(), NOBODY);
        assert!(next.session().await.unwrap().is_some(), "{step}");
        next.logout().await.unwrap();
        assert_eq!(place.names(), ["session.lock"], "{step}");
    }
}
