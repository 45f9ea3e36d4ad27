//! The files of accounts: what they are sealed with, and what is told of one that is not right.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::PathBuf;

use super::{Here, KEY, refresh_token};
use crate::world::{World, mode};

fn file(here: &Here, name: &str) -> PathBuf {
    here.world.path(".local/share/handstamp/accounts").join(name)
}

#[test]
fn j02_what_is_kept_is_sealed_and_for_its_owner_only() {
    let here = Here::new();
    let answer = here.login("ada", &[]);
    let folder = file(&here, "");
    assert_eq!(mode(&folder), 0o700);
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        assert!(!text.contains("hsr_") && !text.contains("eyJ"), "{}", path.display());
        assert!(!text.contains(refresh_token(&answer)));
    }
}

#[test]
fn defect_25_without_a_keyring_a_file_that_is_not_sealed_is_told_or_refused() {
    let here = Here::of(World::new());
    let answer = here.sign_in("ada");
    let line = here.paste(refresh_token(&answer), &["--keyring", "require"]).line(4);
    assert!(line.contains("no keyring"), "{line}");
    assert!(!file(&here, "default.session").exists());
    let ran = here.paste(refresh_token(&answer), &[]);
    assert!(ran.err.contains("not sealed") && ran.err.lines().count() == 1, "{}", ran.err);
    assert!(ran.out.contains("signed in as ada"), "{}", ran.out);
    assert_eq!(mode(&file(&here, "default.session")), 0o600);
    assert_eq!(here.run(&["status", "--json"]).json()["sealed"], false);
    here.run(&["token"]).good();
    here.run(&["token", "--keyring", "require"]).line(4);
}

#[test]
fn j02_a_file_that_cannot_be_used_is_told_and_left_alone() {
    let here = Here::new();
    here.login("ada", &[]);
    let path = file(&here, "default.session");
    here.run(&["token"]).good();
    let good = fs::read(&path).unwrap();
    let broken = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        fs::write(&path, &bytes).unwrap();
        bytes
    };
    // A later format.
    let newer = broken(&|bytes| bytes[8] = 9);
    let line = here.run(&["token"]).line(1);
    assert!(line.contains("later handstamp"), "{line}");
    assert_eq!(fs::read(&path).unwrap(), newer);
    // The file of another account.
    let swapped = broken(&|bytes| bytes[12] ^= 1);
    let line = here.run(&["token"]).line(4);
    assert!(line.contains("another account"), "{line}");
    assert_eq!(fs::read(&path).unwrap(), swapped);
    // Nobody was signed out.
    fs::write(&path, &good).unwrap();
    here.run(&["whoami"]).good();
    let other = here.world.with("HANDSTAMP_HOLDER_KEY", &KEY.replacen('A', "B", 1));
    let line = other.run(&["token"]).line(4);
    assert!(line.contains("key does not open"), "{line}");
    assert_eq!(fs::read(&path).unwrap(), good);
    let none = other.with("HANDSTAMP_HOLDER_KEY", "short");
    assert!(none.run(&["token"]).line(2).contains("is no key"));
}

#[test]
fn a_token_goes_to_no_service_that_somebody_wrote_into_the_file_beside_it() {
    let here = Here::new();
    here.login("ada", &[]);
    let evil = Here::new();
    fs::write(file(&here, "default.service"), format!("{}\n", evil.served.url)).unwrap();
    for command in [&["token"][..], &["status"], &["logout"], &["logout", "--all"]] {
        let line = here.run(command).line(4);
        assert!(line.contains("another account"), "{command:?}: {line}");
    }
    fs::write(file(&here, "default.service"), "http://evil.example\n").unwrap();
    here.run(&["token"]).line(4);
    fs::remove_file(file(&here, "default.service")).unwrap();
    assert!(here.run(&["token"]).line(1).contains("names no service"));
}

#[test]
fn a_pasted_token_goes_to_no_service_that_another_hand_noted() {
    let here = Here::new();
    here.login("ada", &[]);
    here.run(&["logout"]).good();
    let evil = TcpListener::bind("127.0.0.1:0").unwrap();
    evil.set_nonblocking(true).unwrap();
    let note = format!("http://{}\n", evil.local_addr().unwrap());
    let good = fs::read(file(&here, "default.service")).unwrap();
    let answer = here.sign_in("ada");
    let login = || here.world.feed(&["login", "--with-token"], refresh_token(&answer));
    fs::write(file(&here, "default.service"), &note).unwrap();
    let line = login().line(4);
    assert!(line.contains("was changed") && line.contains("--service"), "{line}");
    // Nor if the sealed copy is another's, is written in the clear, or is gone.
    let sealed = file(&here, "default.service-sealed");
    let vouched = fs::read(&sealed).unwrap();
    let mut bent = vouched.clone();
    *bent.last_mut().unwrap() ^= 1;
    for copy in [bent.as_slice(), note.as_bytes()] {
        fs::write(&sealed, copy).unwrap();
        login().line(4);
    }
    fs::remove_file(&sealed).unwrap();
    login().line(4);
    assert_eq!(evil.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "nobody came");
    fs::write(&sealed, vouched).unwrap();
    fs::write(file(&here, "default.service"), good).unwrap();
    assert_eq!(login().good(), "signed in as ada, account default\n");
}

#[test]
fn without_a_seal_nothing_vouches_for_where_a_pasted_token_goes() {
    let here = Here::of(World::new());
    here.login("ada", &[]);
    here.run(&["logout"]).good();
    let answer = here.sign_in("ada");
    let line = here.world.feed(&["login", "--with-token"], refresh_token(&answer)).line(4);
    assert!(line.contains("not sealed"), "{line}");
    here.paste(refresh_token(&answer), &[]).out();
}

#[test]
fn a01_a_damaged_file_is_set_aside_and_the_one_before_it_takes_its_place() {
    let here = Here::new();
    here.login("ada", &[]);
    let path = file(&here, "default.session");
    assert!(file(&here, "default.session.previous").exists(), "a login writes more than once");
    fs::write(&path, "not a session").unwrap();
    here.run(&["token"]).good();
    let folder = fs::read_dir(file(&here, "")).unwrap();
    let is_aside = |name: &str| name.starts_with("default.session.damaged-");
    assert!(folder.flatten().any(|entry| is_aside(&entry.file_name().to_string_lossy())));
    fs::write(&path, "").unwrap();
    fs::write(file(&here, "default.session.previous"), "").unwrap();
    let line = here.run(&["token"]).line(1);
    assert!(line.contains("was damaged"), "{line}");
}
