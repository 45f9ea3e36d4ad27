//! What is refused when a database is opened, and in which words.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use handstamp_sqlite::{SqliteError, SqliteStore};

use crate::fixture::Place;

async fn refusal(path: impl AsRef<Path>) -> SqliteError {
    SqliteStore::open(path.as_ref()).await.expect_err("it opened")
}

#[tokio::test]
async fn a_second_open_is_told_that_the_database_is_in_use_until_the_first_is_dropped() {
    let place = Place::new();
    let store = place.open().await;
    let error = refusal(place.path()).await;
    assert!(matches!(error, SqliteError::Locked { .. }), "{error:?}");
    assert!(error.to_string().contains("is in use"), "{error}");
    drop(store);
    place.open().await;
}

#[tokio::test]
async fn another_name_for_the_database_is_the_same_database() {
    let place = Place::new();
    let _store = place.open().await;
    let other = place.folder.path().join("other.db");
    std::os::unix::fs::symlink(place.path(), &other).unwrap();
    assert!(matches!(refusal(other).await, SqliteError::Locked { .. }));
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_and_left_alone() {
    let place = Place::new();
    drop(place.open().await);
    place.meddle("PRAGMA user_version = 99");
    let before = fs::read(place.path()).unwrap();
    let error = refusal(place.path()).await;
    assert!(matches!(error, SqliteError::NewerSchema { found: 99, known: 3 }), "{error:?}");
    assert_eq!(fs::read(place.path()).unwrap(), before);
}

#[tokio::test]
async fn the_database_of_another_program_is_refused_and_left_alone() {
    let place = Place::new();
    place.meddle("CREATE TABLE theirs (x)");
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o644)).unwrap();
    let before = fs::read(place.path()).unwrap();
    assert!(matches!(refusal(place.path()).await, SqliteError::NotOurs { .. }));
    assert_eq!(fs::read(place.path()).unwrap(), before);
    assert_eq!(mode(&place.path()), 0o644);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let place = Place::new();
    let text = "no database at all, just a long line of text. ".repeat(100);
    fs::write(place.path(), &text).unwrap();
    assert!(matches!(refusal(place.path()).await, SqliteError::Damaged { .. }));
    assert_eq!(fs::read_to_string(place.path()).unwrap(), text);
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_named() {
    let place = Place::new();
    let file = place.folder.path().join("a-file");
    fs::write(&file, "").unwrap();
    let error = refusal(file.join("sessions.db")).await;
    assert!(matches!(error, SqliteError::NotWritable { .. }), "{error:?}");
    assert!(error.to_string().contains("a-file"), "{error}");
    let error = refusal(place.folder.path()).await;
    assert!(matches!(error, SqliteError::NotWritable { .. }), "a directory: {error:?}");
}

#[tokio::test]
async fn its_files_are_for_their_owner_only() {
    let place = Place::new();
    let path = place.folder.path().join("made/here/sessions.db");
    let store = SqliteStore::open(&path).await.unwrap();
    place.insert(&store, 1).await.unwrap();
    for folder in [path.parent().unwrap(), path.parent().unwrap().parent().unwrap()] {
        assert_eq!(mode(folder), 0o700);
    }
    let files = fs::read_dir(path.parent().unwrap()).unwrap();
    let modes: Vec<_> = files.map(|file| mode(&file.unwrap().path())).collect();
    assert_eq!(modes, [0o600; 4], "database, log, index, lock");
}

#[tokio::test]
async fn files_that_somebody_loosened_are_tightened() {
    let place = Place::new();
    drop(place.open().await);
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o666)).unwrap();
    let _store = place.open().await;
    assert_eq!(mode(&place.path()), 0o600);
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
