//! The key in a keyring: there, absent, locked, silent.

use std::any::Any;
use std::collections::HashMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use handstamp_client::storage::{
    Keyring, Policy, Protection, Replaced, SealedFile, Storage, StorageError, Stored,
};
use handstamp_client::testing;
use keyring_core::api::CredentialStoreApi;
use keyring_core::{CredentialStore, Entry, Error, mock};

use crate::files::Place;

/// A keyring that fails in one way.
#[derive(Clone, Copy, Debug)]
enum Sullen {
    Locked,
    /// It asks its user, who is not there.
    Silent,
    Absent,
}

impl CredentialStoreApi for Sullen {
    fn vendor(&self) -> String {
        "sullen".into()
    }

    fn id(&self) -> String {
        if matches!(self, Self::Silent) { "sullen" } else { "prompt" }.into()
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
    let patience = if store.id() == "sullen" { 200 } else { 60_000 };
    let keyring = Keyring::new("handstamp tests", "key").in_store(store);
    let keyring = keyring.with_patience(Duration::from_millis(patience));
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
