//! Accounts that the first version wrote: every later version reads them. One is signed in, one is
//! signed out and the service has not heard of it, one was ended from elsewhere.

use std::path::Path;

use handstamp_client::Storage;
use handstamp_client::storage::{Protection, SealedFile, SealingKey};

use super::KEY;
use crate::world::{World, set_mode};

/// Where the service was that they belong to.
const SERVICE: &str = "http://127.0.0.1:7399";

fn kept() -> World {
    let world = World::new().with("HANDSTAMP_HOLDER_KEY", KEY);
    let world = world.with("HANDSTAMP_HOLDER_DIR", "accounts");
    let folder = world.path("accounts");
    std::fs::create_dir(&folder).unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1/accounts");
    for entry in std::fs::read_dir(fixtures).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
        set_mode(&folder.join(entry.file_name()), 0o600);
    }
    world
}

#[test]
fn j08_accounts_of_the_first_version_are_read() {
    let world = kept();
    // First: after any command a sign-out that is past its time is waited for no longer.
    let json = world.run(&["accounts", "list", "--json"]).json();
    let states: Vec<_> = json["accounts"].as_array().unwrap().iter().collect();
    assert_eq!(states[0]["name"], "default");
    assert_eq!(
        (&states[0]["is_current"], &states[0]["state"]),
        (&true.into(), &"signed in".into())
    );
    assert_eq!((&states[1]["name"], &states[1]["service"]), (&"old".into(), &SERVICE.into()));
    assert_eq!(world.run(&["whoami"]).good(), "ada\n");
    let line = world.run(&["whoami", "--account", "gone"]).line(6);
    assert!(line.contains("signed out from another device"), "{line}");
}

#[test]
fn a_sign_out_that_the_first_version_left_is_read() {
    let world = kept();
    let key = Protection::Key(SealingKey::from_text(KEY).unwrap());
    let file = SealedFile::new(world.path("accounts/old.session"), key);
    let stored = file.for_account(&format!("old {SERVICE}")).load().unwrap().stored;
    assert!(stored.session.is_none());
    let [waiting] = &stored.outbox[..] else { panic!("{}", stored.outbox.len()) };
    assert!(waiting.token.expose().starts_with("hsr_") && waiting.until.is_some());
}
