//! The key in a keyring: there, absent, locked, silent.

use std::any::Any;
use std::collections::HashMap;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::time::Duration;

use handstamp_client::storage::{
    Keyring, Policy, Protection, Replaced, SealedFile, Storage, StorageError, Stored,
};
use handstamp_client::testing;
use keyring_core::api::{CredentialApi, CredentialStoreApi};
use keyring_core::{Credential, CredentialStore, Entry, Error, mock};

use crate::files::Place;

/// A keyring that fails in one way.
#[derive(Clone, Copy, Debug)]
enum Sullen {
    Locked,
    /// It asks its user, who is not there.
    Silent,
    Absent,
    /// The program has set none.
    Unset,
}

impl CredentialStoreApi for Sullen {
    fn vendor(&self) -> String {
        "sullen".into()
    }

    fn id(&self) -> String {
        if matches!(self, Self::Silent) { "silent" } else { "quick" }.into()
    }

    fn build(
        &self,
        _: &str,
        _: &str,
        _: Option<&HashMap<&str, &str>>,
    ) -> keyring_core::Result<Entry> {
        match self {
            Self::Locked => Err(Error::NoStorageAccess("locked".into())),
            Self::Absent => Err(Error::NotSupportedByStore("no service".into())),
            Self::Unset => Err(Error::NoDefaultStore),
            Self::Silent => loop {
                std::thread::park();
            },
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn file(place: &Place, store: Arc<CredentialStore>, policy: Policy) -> SealedFile {
    // Nobody is to wait long for the silent one; the others answer at once, if not always at once.
    let patience = if store.id() == "silent" { 200 } else { 60_000 };
    let keyring = Keyring::new("handstamp tests", "key").in_store(store);
    let keyring = keyring.with_patience(Duration::from_millis(patience));
    let keyring = keyring.locked_by(place.path().with_file_name("keyring.lock"));
    SealedFile::new(place.path(), Protection::Keyring(keyring, policy))
}

fn write(file: &SealedFile) -> Result<(), StorageError> {
    let version = file.load()?.version;
    let session = Some(testing::session("access-s3cret", "refresh", 60));
    match file.replace(version.as_ref(), &Stored { session, outbox: Vec::new() })? {
        Replaced::Stored(_) => Ok(()),
        Replaced::Conflict(there) => panic!("{there:?}"),
    }
}

fn is_sealed(place: &Place) -> bool {
    !String::from_utf8_lossy(&fs::read(place.path()).unwrap()).contains("access-s3cret")
}

fn mock() -> Arc<CredentialStore> {
    mock::Store::new().unwrap()
}

#[test]
fn j02_the_key_is_made_once_and_found_again() {
    let (place, store) = (Place::new(), mock());
    let first = file(&place, Arc::clone(&store), Policy::RequireSecure);
    assert!(first.probe().unwrap());
    write(&first).unwrap();
    assert!(is_sealed(&place));
    let next = file(&place, store, Policy::RequireSecure);
    assert!(next.load().unwrap().stored.session.is_some());
}

#[test]
fn defect_25_a_locked_or_silent_keyring_is_an_error_under_each_policy_that_asks_it() {
    for store in [Sullen::Locked, Sullen::Silent] {
        for policy in [Policy::RequireSecure, Policy::PreferSecure] {
            let place = Place::new();
            let file = file(&place, Arc::new(store), policy);
            assert!(matches!(file.probe(), Err(StorageError::Locked)), "{store:?} {policy:?}");
            assert!(matches!(write(&file), Err(StorageError::Locked)), "{store:?} {policy:?}");
            assert!(!place.path().exists());
        }
    }
}

#[test]
fn defect_25_a_locked_keyring_does_not_touch_the_file_that_it_has_the_key_of() {
    let (place, store) = (Place::new(), mock());
    write(&file(&place, Arc::clone(&store), Policy::PreferSecure)).unwrap();
    for store in [Sullen::Locked, Sullen::Silent, Sullen::Absent] {
        let found = file(&place, Arc::new(store), Policy::PreferSecure);
        let result = write(&found);
        let is_right = match store {
            Sullen::Absent => matches!(result, Err(StorageError::NoKey)),
            _ => matches!(result, Err(StorageError::Locked)),
        };
        assert!(is_right, "{store:?} {result:?}");
    }
    assert!(file(&place, store, Policy::PreferSecure).load().unwrap().stored.session.is_some());
}

#[test]
fn defect_25_an_absent_keyring_leads_to_a_plain_file_only_where_that_is_the_policy() {
    let place = Place::new();
    let strict = file(&place, Arc::new(Sullen::Absent), Policy::RequireSecure);
    assert!(matches!(write(&strict), Err(StorageError::NoKey)));
    assert!(!place.path().exists());
    let lenient = file(&place, Arc::new(Sullen::Absent), Policy::PreferSecure);
    assert!(!lenient.probe().unwrap());
    write(&lenient).unwrap();
    assert!(!is_sealed(&place));
    assert!(matches!(strict.load(), Err(StorageError::NotSealed | StorageError::NoKey)));
}

#[test]
fn a_plain_file_is_sealed_at_the_next_write_once_there_is_a_keyring() {
    let place = Place::new();
    write(&file(&place, mock(), Policy::AllowPlaintext)).unwrap();
    assert!(!is_sealed(&place));
    write(&file(&place, mock(), Policy::PreferSecure)).unwrap();
    assert!(is_sealed(&place));
}

#[test]
fn what_another_program_keeps_under_the_name_is_not_overwritten() {
    let (place, store) = (Place::new(), mock());
    let entry = Entry::new_in_store(&store, "handstamp tests", "key").unwrap();
    entry.set_password("somebody else's").unwrap();
    let file = file(&place, store, Policy::PreferSecure);
    assert!(matches!(write(&file), Err(StorageError::WrongKey)));
    assert_eq!(entry.get_password().unwrap(), "somebody else's");
}

/// A keyring whose user is asked, and answers when he comes back; counts how often that was.
#[derive(Clone, Default, Debug)]
struct Asking {
    asked: Arc<AtomicUsize>,
    is_back: Arc<(Mutex<bool>, Condvar)>,
    says_no: bool,
}

impl CredentialStoreApi for Asking {
    fn vendor(&self) -> String {
        "asking".into()
    }

    fn id(&self) -> String {
        if self.says_no { "quick" } else { "silent" }.into()
    }

    fn build(
        &self,
        service: &str,
        user: &str,
        _: Option<&HashMap<&str, &str>>,
    ) -> keyring_core::Result<Entry> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.says_no {
            return Err(Error::NoStorageAccess("dismissed".into()));
        }
        let back = self.is_back.0.lock().unwrap();
        drop(self.is_back.1.wait_while(back, |is_back| !*is_back).unwrap());
        Entry::new_in_store(&mock(), service, user)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[test]
fn defect_25_a_keyring_that_waits_for_its_user_is_asked_once_and_its_late_answer_counts() {
    let (place, store) = (Place::new(), Asking::default());
    let file = file(&place, Arc::new(store.clone()), Policy::RequireSecure);
    for _ in 0..50 {
        assert!(matches!(file.probe(), Err(StorageError::Locked)));
    }
    assert_eq!(store.asked.load(Ordering::SeqCst), 1, "one question, one thread");
    *store.is_back.0.lock().unwrap() = true;
    store.is_back.1.notify_all();
    while matches!(file.probe(), Err(StorageError::Locked)) {
        std::thread::yield_now();
    }
    assert!(file.probe().unwrap());
    assert_eq!(store.asked.load(Ordering::SeqCst), 1);
}

#[test]
fn defect_25_who_said_no_is_not_asked_again_at_once_by_everybody_who_waited() {
    let (place, store) = (Place::new(), Asking { says_no: true, ..Asking::default() });
    let file = file(&place, Arc::new(store.clone()), Policy::PreferSecure);
    for _ in 0..50 {
        assert!(matches!(file.probe(), Err(StorageError::Locked)));
    }
    assert_eq!(store.asked.load(Ordering::SeqCst), 1);
}

/// An entry of which two programs are told at once that it is empty.
#[derive(Clone, Debug)]
struct Empty {
    text: Arc<Mutex<Option<Vec<u8>>>>,
    looks: Arc<AtomicUsize>,
    both: Arc<Barrier>,
    writes: Arc<AtomicUsize>,
}

impl CredentialStoreApi for Empty {
    fn vendor(&self) -> String {
        "empty".into()
    }

    fn id(&self) -> String {
        "quick".into()
    }

    fn build(
        &self,
        _: &str,
        _: &str,
        _: Option<&HashMap<&str, &str>>,
    ) -> keyring_core::Result<Entry> {
        Ok(Entry::new_with_credential(Arc::new(self.clone())))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl CredentialApi for Empty {
    fn set_secret(&self, secret: &[u8]) -> keyring_core::Result<()> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        *self.text.lock().unwrap() = Some(secret.to_vec());
        Ok(())
    }

    fn get_secret(&self) -> keyring_core::Result<Vec<u8>> {
        let there = self.text.lock().unwrap().clone();
        if self.looks.fetch_add(1, Ordering::SeqCst) < 2 {
            self.both.wait();
        }
        there.ok_or(Error::NoEntry)
    }

    fn delete_credential(&self) -> keyring_core::Result<()> {
        Err(Error::NoEntry)
    }

    fn get_credential(&self) -> keyring_core::Result<Option<Arc<Credential>>> {
        Ok(None)
    }

    fn get_specifiers(&self) -> Option<(String, String)> {
        None
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[test]
fn j02_two_programs_that_are_used_for_the_first_time_at_once_make_one_key() {
    let place = Place::new();
    let store = Empty {
        text: Arc::default(),
        looks: Arc::default(),
        both: Arc::new(Barrier::new(2)),
        writes: Arc::default(),
    };
    let programs = || file(&place, Arc::new(store.clone()), Policy::RequireSecure);
    let (one, other) = (programs(), programs());
    std::thread::scope(|scope| {
        let first = scope.spawn(|| one.probe().unwrap());
        assert!(other.probe().unwrap() && first.join().unwrap());
    });
    assert_eq!(store.writes.load(Ordering::SeqCst), 1);
    write(&one).unwrap();
    assert!(other.load().unwrap().stored.session.is_some());
}

#[test]
fn a_program_that_has_chosen_no_keyring_is_told_so_and_writes_nothing_in_the_clear() {
    for policy in [Policy::RequireSecure, Policy::PreferSecure] {
        let place = Place::new();
        let file = file(&place, Arc::new(Sullen::Unset), policy);
        assert!(matches!(file.probe(), Err(StorageError::NoStore)), "{policy:?}");
        assert!(matches!(write(&file), Err(StorageError::NoStore)), "{policy:?}");
        assert!(!place.path().exists());
    }
}
