//! The ring: made, found, changed, refused.

use super::*;
use crate::encoding;

fn a_folder(name: &str) -> PathBuf {
    let unique = crate::id::ChangeId::generate(&SystemRng).unwrap();
    std::env::temp_dir().join(format!("handstamp-{name}-{unique}"))
}

fn ring(keys: &[(u8, &str, usize)]) -> String {
    let key = |(id, state, length): &(u8, &str, usize)| {
        let secret = encoding::encode(&vec![7; *length]);
        format!(r#"{{"id":{id},"state":"{state}","secret":"{secret}"}}"#)
    };
    let keys: Vec<_> = keys.iter().map(key).collect();
    format!(r#"{{"handstamp_key_ring":1,"keys":[{}]}}"#, keys.join(","))
}

#[test]
fn a_ring_is_made_once_and_found_again() {
    let folder = a_folder("ring");
    let path = folder.join("deep/session.keys");
    let made = KeyRing::open_or_create(&path).unwrap();
    let found = KeyRing::open_or_create(&path).unwrap();
    assert_eq!(made.to_json().unwrap(), found.to_json().unwrap());
    std::fs::remove_dir_all(folder).unwrap();
}

#[cfg(unix)]
#[test]
fn a_ring_that_others_can_read_is_refused_with_the_command_that_mends_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = a_folder("open");
    let path = folder.join("session.keys");
    KeyRing::open_or_create(&path).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "made for its owner alone");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let refused = KeyRing::open_or_create(&path).unwrap_err();
    assert!(refused.to_string().contains("chmod 600"), "{refused}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_damaged_ring_is_refused_and_never_overwritten() {
    let folder = a_folder("damaged");
    let path = folder.join("session.keys");
    file::create(&path, b"{\"handstamp_key_ring\":1,\"ke").unwrap();
    let refused = KeyRing::open_or_create(&path).unwrap_err();
    assert!(matches!(refused, KeyRingError::Format { .. }));
    assert_eq!(std::fs::read(&path).unwrap(), b"{\"handstamp_key_ring\":1,\"ke");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn s69_a_ring_with_a_short_key_or_not_one_active_key_is_refused() {
    assert!(KeyRing::from_json(&ring(&[(1, "active", 32), (2, "older", 32)])).is_ok());
    let refused = [
        ring(&[(1, "active", 31)]),
        ring(&[(1, "active", 0)]),
        ring(&[(1, "older", 32)]),
        ring(&[(1, "active", 32), (2, "active", 32)]),
        ring(&[(1, "active", 32), (1, "older", 32)]),
        ring(&[(0, "active", 32)]),
        ring(&[]),
        ring(&[(1, "active", 32)]).replace("_ring\":1", "_ring\":2"),
        String::new(),
    ];
    for text in refused {
        let refused = KeyRing::from_json(&text);
        assert!(matches!(refused, Err(KeyRingError::Format { .. })), "{text}");
    }
}

#[test]
fn rotation_and_retirement_are_seen_by_clones_and_survive_a_restart() {
    let folder = a_folder("rotate");
    let path = folder.join("session.keys");
    let ring = KeyRing::open_or_create(&path).unwrap();
    let clone = ring.clone();
    assert_eq!(ring.rotate().unwrap(), 2);
    assert_eq!(clone.active_id(), 2);
    ring.retire(2).unwrap();
    assert_eq!(clone.active_id(), 3, "a retired active key is replaced");
    assert!(!clone.is_usable(2) && clone.is_usable(1) && clone.find(2).is_none());
    assert!(clone.find_for_audit(2).is_some());
    let states = [(1, KeyState::Older), (2, KeyState::Retired), (3, KeyState::Active)];
    assert_eq!(KeyRing::open(&path).unwrap().list(), states);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_ring_from_an_environment_variable_that_is_not_set_says_its_name() {
    let refused = KeyRing::from_env("HANDSTAMP_NO_SUCH_VARIABLE").unwrap_err();
    assert!(refused.to_string().contains("HANDSTAMP_NO_SUCH_VARIABLE"));
}

#[test]
fn keys_of_different_purposes_differ() {
    let key = KeyRing::generate().unwrap().active();
    let all = [
        key.check_key(),
        key.proof_key(),
        key.csrf_key(),
        key.audit_key(),
        key.identifier_key(),
        key.secret(),
    ];
    let different: std::collections::HashSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len());
}

#[test]
fn a_ring_is_made_only_where_there_is_nothing() {
    let folder = a_folder("create");
    let path = folder.join("session.keys");
    let made = KeyRing::create(&path).unwrap();
    assert!(KeyRing::create(&path).unwrap_err().is_io(ErrorKind::AlreadyExists));
    assert_eq!(KeyRing::open(&path).unwrap().infos(), made.infos());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_key_says_when_it_was_made_and_one_of_an_older_ring_does_not() {
    let before = SystemClock::new().now();
    let made = KeyRing::generate().unwrap();
    made.rotate().unwrap();
    let is_now = |info: KeyInfo| info.made_at.unwrap() >= before;
    assert!(made.infos().into_iter().all(is_now));
    let found = KeyRing::from_json(&made.to_json().unwrap()).unwrap();
    assert_eq!(found.infos(), made.infos());
    let old = KeyRing::from_json(&ring(&[(1, "active", 32)])).unwrap();
    assert_eq!(old.infos()[0].made_at, None);
}

#[test]
fn rings_of_two_processes_that_change_at_once_lose_no_key() {
    let folder = a_folder("two");
    let path = folder.join("session.keys");
    let rings = [KeyRing::create(&path).unwrap(), KeyRing::open(&path).unwrap()];
    std::thread::scope(|scope| {
        for ring in &rings {
            scope.spawn(|| {
                for _ in 0..10 {
                    ring.rotate().unwrap();
                }
            });
        }
    });
    let found = KeyRing::open(&path).unwrap();
    assert_eq!(found.list().len(), 21, "each of 20 rotations added its own key");
    for ring in &rings {
        ring.reload().unwrap();
        assert_eq!(ring.to_json().unwrap(), found.to_json().unwrap());
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_another_process_retired_is_refused_once_the_ring_is_loaded_again() {
    let folder = a_folder("reload");
    let path = folder.join("session.keys");
    let (service, command) = (KeyRing::create(&path).unwrap(), KeyRing::open(&path).unwrap());
    assert!(!service.reload().unwrap());
    command.retire(1).unwrap();
    assert!(service.is_usable(1), "not before");
    assert!(service.reload().unwrap());
    assert!(!service.is_usable(1) && service.find(1).is_none());
    assert_eq!(service.active_id(), 2);
    std::fs::write(&path, "damaged").unwrap();
    assert!(service.reload().is_err());
    assert_eq!(service.active_id(), 2, "a ring that cannot be read changes nothing");
    std::fs::remove_dir_all(folder).unwrap();
}
