//! A session in a file: what may happen to the file.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use handstamp_client::storage::{
    Cost, Loaded, Lock, Passphrase, Protection, Replaced, SealedFile, SealingKey, Storage,
    StorageError, Stored, Version,
};
use handstamp_client::{AuthError, AuthState, AuthTokens, SessionManager, testing};

/// A folder, and the file in it.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("session")
    }

    fn file(&self) -> SealedFile {
        SealedFile::new(self.path(), key())
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn damaged(&self) -> Vec<String> {
        self.names().into_iter().filter(|name| name.contains(".damaged-")).collect()
    }
}

fn key() -> Protection {
    Protection::Key(SealingKey::from_bytes([7; 32]))
}

fn signed_in(access_token: &str) -> Stored {
    Stored { session: Some(testing::session(access_token, "refresh", 60)), outbox: Vec::new() }
}

fn put(file: &SealedFile, expected: Option<&Version>, stored: &Stored) -> Option<Version> {
    match file.replace(expected, stored).unwrap() {
        Replaced::Stored(version) => version,
        Replaced::Conflict(there) => panic!("{there:?}"),
    }
}

fn access_token(loaded: &Loaded) -> &str {
    loaded.stored.session.as_ref().unwrap().token().expose()
}

/// The same sign-in with another access token.
fn renewed(stored: &Stored, access_token: &str) -> Stored {
    let mut stored = stored.clone();
    stored.session.as_mut().unwrap().tokens.access_token = access_token.into();
    stored
}

#[test]
fn j02_a_session_outlives_its_program_in_a_file_for_its_owner_only() {
    let place = Place::new();
    assert!(place.file().load().unwrap().version.is_none());
    let version = put(&place.file(), None, &signed_in("access-s3cret"));
    let found = place.file().load().unwrap();
    assert_eq!((access_token(&found), &found.version), ("access-s3cret", &version));
    let bytes = fs::read(place.path()).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("s3cret"));
    for name in place.names() {
        assert_eq!(mode(&place.folder.path().join(name)), 0o600);
    }
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions()) & 0o777
}

#[cfg(unix)]
#[test]
fn a09_a_file_that_others_could_read_is_tightened() {
    use std::os::unix::fs::PermissionsExt;

    let place = Place::new();
    put(&place.file(), None, &signed_in("a"));
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o644)).unwrap();
    place.file().load().unwrap();
    assert_eq!(mode(&place.path()), 0o600);
}

#[test]
fn whoever_did_not_see_the_last_write_overwrites_nothing() {
    let place = Place::new();
    let first = put(&place.file(), None, &signed_in("one"));
    let second = put(&place.file(), first.as_ref(), &signed_in("two"));
    for late in [None, first.as_ref()] {
        match place.file().replace(late, &signed_in("three")).unwrap() {
            Replaced::Conflict(there) => assert_eq!(access_token(&there), "two"),
            Replaced::Stored(_) => panic!("overwritten"),
        }
    }
    put(&place.file(), second.as_ref(), &Stored::default());
    assert_eq!(place.file().load().unwrap().version, None);
    put(&place.file(), None, &signed_in("four"));
    // What was removed and written again is not taken for what it was.
    let late = place.file().replace(second.as_ref(), &signed_in("five")).unwrap();
    assert!(matches!(late, Replaced::Conflict(_)));
}

#[test]
fn a11_removing_a_session_leaves_nothing_of_it() {
    let place = Place::new();
    let stored = signed_in("a");
    let version = put(&place.file(), None, &stored);
    let version = put(&place.file(), version.as_ref(), &renewed(&stored, "b"));
    assert!(place.names().contains(&"session.previous".to_owned()));
    put(&place.file(), version.as_ref(), &Stored::default());
    assert_eq!(place.names(), ["session.lock"]);
    put(&place.file(), None, &stored);
    place.file().clear().unwrap();
    assert_eq!(place.names(), ["session.lock"]);
}

#[test]
fn a11_removing_a_session_leaves_no_damaged_file_of_it_either() {
    for is_cleared in [false, true] {
        let (place, found) = after(flip_last_byte);
        let version = found.unwrap().version;
        assert_eq!(place.damaged().len(), 1);
        match is_cleared {
            true => place.file().clear().unwrap(),
            false => drop(put(&place.file(), version.as_ref(), &Stored::default())),
        }
        assert_eq!(place.names(), ["session.lock"]);
    }
}

/// Damages a file, and looks at it as whoever opens it next.
fn after(damage: impl Fn(&Path)) -> (Place, Result<Loaded, StorageError>) {
    let place = Place::new();
    let stored = signed_in("one");
    let version = put(&place.file(), None, &stored);
    put(&place.file(), version.as_ref(), &renewed(&stored, "two"));
    damage(&place.path());
    let found = place.file().load();
    (place, found)
}

fn flip_last_byte(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(path, bytes).unwrap();
}

fn cut_in_half(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

fn empty(path: &Path) {
    fs::write(path, b"").unwrap();
}

#[test]
fn defect_24_a_damaged_file_is_set_aside_and_the_write_before_it_is_found() {
    for damage in [flip_last_byte, cut_in_half, empty] {
        let (place, found) = after(damage);
        let found = found.unwrap();
        assert_eq!(access_token(&found), "one");
        let aside = found.set_aside.clone().unwrap();
        assert!(aside.exists());
        assert_eq!(place.damaged().len(), 1);
        // From now on everything is in order, and it can be written.
        let found = place.file().load().unwrap();
        assert!(found.set_aside.is_none());
        put(&place.file(), found.version.as_ref(), &signed_in("three"));
        assert_eq!(place.damaged().len(), 1);
    }
}

#[test]
fn defect_24_where_nothing_is_whole_it_is_an_error_and_never_merely_signed_out() {
    for damage in [flip_last_byte, cut_in_half, empty] {
        let (place, found) = after(|path| {
            damage(path);
            damage(&path.with_file_name("session.previous"));
        });
        let Err(StorageError::Damaged { set_aside }) = found else { panic!("{found:?}") };
        assert!(set_aside.exists() && !place.path().exists());
        // Whoever comes next finds that nobody signed out.
        let next = place.file().load().unwrap();
        assert!(next.version.is_none() && next.set_aside.is_some());
    }
}

#[test]
fn defect_24_a_file_that_is_missing_while_the_one_before_it_is_there_was_not_signed_out() {
    let (place, found) = after(|path| {
        // As whoever set a damaged file aside and was killed then.
        fs::rename(path, path.with_file_name("session.damaged-abcdefgh")).unwrap();
    });
    let found = found.unwrap();
    assert_eq!(access_token(&found), "one");
    assert!(found.set_aside.is_some() && place.path().exists());
    assert!(place.file().load().unwrap().set_aside.is_none());
}

#[test]
fn defect_24_a_replace_never_overwrites_what_it_cannot_read() {
    let (place, _) = after(|_| ());
    let before = fs::read(place.path()).unwrap();
    let other = Protection::Key(SealingKey::from_bytes([8; 32]));
    let file = SealedFile::new(place.path(), other);
    for result in [file.replace(None, &signed_in("x")).map(drop), file.load().map(drop)] {
        assert!(matches!(result, Err(StorageError::WrongKey)), "{result:?}");
    }
    assert_eq!(fs::read(place.path()).unwrap(), before);
    assert!(place.damaged().is_empty());
}

#[test]
fn a_file_of_a_later_version_is_refused_and_stays() {
    let (place, found) = after(|path| {
        let mut bytes = fs::read(path).unwrap();
        bytes[8] = 9;
        fs::write(path, bytes).unwrap();
    });
    assert!(matches!(found, Err(StorageError::Newer { format: 9 })));
    let written = place.file().replace(None, &signed_in("x"));
    assert!(matches!(written, Err(StorageError::Newer { format: 9 })));
    assert!(place.damaged().is_empty() && place.path().exists());
}

#[test]
fn a10_the_file_of_one_account_is_not_read_as_another_ones() {
    let (place, _) = after(|_| ());
    let other = SealedFile::new(place.path(), key()).for_account("other");
    assert!(matches!(other.load(), Err(StorageError::Swapped)));
    assert!(matches!(other.replace(None, &signed_in("x")), Err(StorageError::Swapped)));
    assert!(place.file().load().is_ok());
}

/// What a manager makes of a file that may be whole, but is not for it.
async fn is_locked(path: PathBuf, protection: Protection, account: &str) {
    let before = fs::read(&path).unwrap();
    let storage = SealedFile::new(&path, protection).for_account(account);
    let manager = SessionManager::builder().storage(storage).build();
    for _ in 0..2 {
        assert!(matches!(manager.restore().await, Err(AuthError::Storage(_))));
        assert!(matches!(manager.state(), AuthState::Locked), "{:?}", manager.state());
    }
    // Neither a sign-in nor a sign-out writes over it.
    let signed_in = manager.create_session(AuthTokens::new("a"), None, None).await;
    assert!(matches!(signed_in, Err(AuthError::Storage(_))));
    assert!(matches!(manager.logout().await, Err(AuthError::Storage(_))));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn defect_24_what_is_locked_of_another_account_or_later_is_told_and_signs_nobody_out() {
    let (place, _) = after(|_| ());
    let other = Protection::Key(SealingKey::from_bytes([8; 32]));
    is_locked(place.path(), other, "default").await;
    is_locked(place.path(), key(), "other").await;
    let (later, _) = after(|path| {
        let mut bytes = fs::read(path).unwrap();
        bytes[8] = 9;
        fs::write(path, bytes).unwrap();
    });
    is_locked(later.path(), key(), "default").await;
    // With the right key everything is there.
    let manager = SessionManager::builder().storage(place.file()).build();
    assert!(manager.session().await.unwrap().is_some());
}

#[cfg(unix)]
#[test]
fn a_file_of_another_user_is_refused() {
    let (place, _) = after(|_| ());
    // As root the file is given away; anybody else looks at one of root's.
    let path = match std::os::unix::fs::chown(place.path(), Some(65_534), None) {
        Ok(()) => place.path(),
        Err(_) => "/etc/passwd".into(),
    };
    let found = SealedFile::new(path, key()).load();
    assert!(matches!(found, Err(StorageError::ForeignOwner)), "{found:?}");
}

#[cfg(unix)]
#[test]
fn a_link_or_a_folder_of_that_name_is_refused() {
    let (place, _) = after(|_| ());
    let link = place.folder.path().join("link");
    std::os::unix::fs::symlink(place.path(), &link).unwrap();
    for path in [link, place.folder.path().to_owned()] {
        let found = SealedFile::new(path, key()).load();
        assert!(matches!(found, Err(StorageError::NotAFile)), "{found:?}");
    }
}

#[test]
fn another_sign_in_is_never_found_in_place_of_a_damaged_one() {
    let place = Place::new();
    let version = put(&place.file(), None, &signed_in("somebody"));
    put(&place.file(), version.as_ref(), &signed_in("somebody else"));
    empty(&place.path());
    assert!(matches!(place.file().load(), Err(StorageError::Damaged { .. })));
}

#[test]
fn what_a_killed_writer_left_is_swept_away() {
    let place = Place::new();
    let left = place.folder.path().join("session.new-abcdefgh");
    fs::write(&left, b"half").unwrap();
    put(&place.file(), None, &signed_in("a"));
    assert!(!left.exists());
}

#[test]
fn defect_13_a_writer_that_was_stopped_holds_nobody_up_for_ever() {
    let place = Place::new();
    put(&place.file(), None, &signed_in("a"));
    let stopped = fs::File::options().write(true).open(place.path().with_file_name("session.lock"));
    let stopped = stopped.unwrap();
    stopped.lock().unwrap();
    let file = place.file().with_patience(Duration::from_millis(20));
    assert!(matches!(file.replace(None, &signed_in("b")), Err(StorageError::Busy)));
    // Reading needs no lock.
    assert_eq!(access_token(&file.load().unwrap()), "a");
    drop(stopped);
    assert!(file.replace(None, &signed_in("b")).is_ok());
}

#[test]
fn one_holder_at_a_time_has_the_lock_of_refreshing() {
    let place = Place::new();
    let held = place.file().try_lock().unwrap();
    assert!(matches!(held, Lock::Held(_)));
    assert!(matches!(place.file().try_lock().unwrap(), Lock::Busy));
    drop(held);
    assert!(matches!(place.file().try_lock().unwrap(), Lock::Held(_)));
}

#[test]
fn defect_13_a_folder_that_knows_no_locks_is_said_to() {
    let place = Place::new();
    // What is a folder is no lock.
    fs::create_dir(place.path().with_file_name("session.refresh-lock")).unwrap();
    assert!(matches!(place.file().try_lock().unwrap(), Lock::Unsupported));
}

#[cfg(unix)]
#[test]
fn a_lock_that_cannot_be_opened_is_an_error_and_not_a_drive_without_locks() {
    let file = SealedFile::new("/dev/null/session", Protection::Plain);
    assert!(matches!(file.try_lock(), Err(StorageError::Io(_))));
    assert!(matches!(file.replace(None, &signed_in("a")), Err(StorageError::Io(_))));
}

#[test]
fn a_passphrase_opens_the_file_in_the_next_program_and_another_one_does_not() {
    let place = Place::new();
    let cost = Cost { memory_kib: 256, passes: 1 };
    let with = |text: &str| {
        let passphrase = Passphrase::new(text).with_cost(cost);
        SealedFile::new(place.path(), Protection::Passphrase(passphrase))
    };
    let version = put(&with("open sesame"), None, &signed_in("a"));
    assert_eq!(access_token(&with("open sesame").load().unwrap()), "a");
    put(&with("open sesame"), version.as_ref(), &signed_in("b"));
    assert_eq!(access_token(&with("open sesame").load().unwrap()), "b");
    assert!(matches!(with("open simsim").load(), Err(StorageError::WrongKey)));
}

/// This test, started again by a shell that lets nobody write: see below.
#[cfg(unix)]
#[test]
fn a_full_disk_child() {
    let Ok(path) = std::env::var("HANDSTAMP_CLIENT_FULL_DISK") else { return };
    let file = SealedFile::new(path, key());
    let version = file.load().unwrap().version;
    let written = file.replace(version.as_ref(), &signed_in("new"));
    assert!(matches!(written, Err(StorageError::Io(_))), "{written:?}");
}

#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_session_as_it_was() {
    let place = Place::new();
    put(&place.file(), None, &signed_in("old"));
    // A file may have no byte: whoever writes is told so by an error, as on a full disk.
    let output = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "files::a_full_disk_child", "--nocapture"])
        .env("HANDSTAMP_CLIENT_FULL_DISK", place.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
    assert_eq!(access_token(&place.file().load().unwrap()), "old");
    assert!(place.names().iter().all(|name| !name.contains(".new-")), "{:?}", place.names());
}
