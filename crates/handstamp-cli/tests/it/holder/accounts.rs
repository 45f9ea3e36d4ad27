//! Several accounts on one machine.

use std::io::{ErrorKind, Write};
use std::net::TcpListener;
use std::process::Stdio;

use super::sessions::address;
use super::{Here, KEY, refresh_token, session_id};
use crate::world::{Ran, World};

#[test]
fn j08_two_accounts_are_signed_in_side_by_side_and_one_is_used_now() {
    let here = Here::new();
    here.login("ada", &[]);
    let work = here.login("bert", &["--account", "work"]);
    assert_eq!(here.run(&["whoami"]).good(), "bert\n", "whoever signed in last");
    assert_eq!(here.run(&["whoami", "--account", "default"]).good(), "ada\n");
    let listed = here.run(&["accounts", "list"]).good();
    let line = |name: &str| listed.lines().find(|line| line.starts_with(name)).unwrap();
    assert!(line("default").contains(" no ") && line("work").contains(" yes "), "{listed}");
    here.run(&["accounts", "switch", "default"]).good();
    assert_eq!(here.run(&["whoami"]).good(), "ada\n");
    let json = here.run(&["accounts", "list", "--json"]).json();
    let subjects = json["accounts"].as_array().unwrap().iter().map(|account| &account["subject"]);
    assert_eq!(subjects.collect::<Vec<_>>(), ["ada", "bert"]);
    here.run(&["accounts", "remove", "work"]).good();
    here.run(&["whoami", "--account", "work"]).line(6);
    assert_eq!(here.run(&["whoami"]).good(), "ada\n");
    here.run(&["accounts", "remove", "work"]).line(3);
    here.run(&["accounts", "switch", "work"]).line(3);
    let ended = here.run(&["sessions", "why", session_id(&work)]).good();
    assert!(ended.contains("logout"), "{ended}");
}

#[test]
fn j08_the_environment_names_the_account_of_a_script() {
    let here = Here::new();
    here.login("ada", &[]);
    here.login("bert", &["--account", "work"]);
    let world = here.world.with("HANDSTAMP_HOLDER_ACCOUNT", "default");
    assert_eq!(world.run(&["whoami"]).good(), "ada\n");
    let world = world.with("HANDSTAMP_HOLDER_ACCOUNT", "Not A Name");
    assert!(world.run(&["whoami"]).line(2).contains("HANDSTAMP_HOLDER_ACCOUNT"));
}

#[test]
fn an_account_belongs_to_one_service() {
    let (here, other) = (Here::new(), Here::new());
    here.login("ada", &[]);
    let login = ["login", "--with-token", "--service", &other.served.url];
    let answer = other.sign_in("ada");
    let line = here.world.feed(&login, refresh_token(&answer)).line(4);
    assert!(line.contains("belongs to") && line.contains("--account"), "{line}");
    let flags = ["--account", "other"];
    here.world.feed(&[&login[..], &flags].concat(), refresh_token(&answer)).good();
    assert_eq!(
        here.run(&["accounts", "list", "--json"]).json()["accounts"].as_array().unwrap().len(),
        2
    );
}

#[test]
fn j08_whoever_signs_in_elsewhere_after_a_sign_out_shows_nothing_to_the_service_of_before() {
    let (here, other) = (Here::new(), Here::new());
    here.login("ada", &[]);
    assert_eq!(here.run(&["logout"]).good(), "signed out\n");
    let address = here.served.url.strip_prefix("http://").unwrap().to_owned();
    let Here { served, world, .. } = here;
    assert_eq!(served.stop().exit, 0);
    let before = TcpListener::bind(address).unwrap();
    before.set_nonblocking(true).unwrap();
    let login = ["login", "--with-token", "--service", &other.served.url];
    world.feed(&login, refresh_token(&other.sign_in("ada"))).good();
    let token = world.run(&["token"]).good();
    assert_eq!(world.run(&["whoami"]).good(), "ada\n");
    assert_eq!(world.run(&["status", "--json"]).json()["service"], other.served.url.as_str());
    assert!(!token.is_empty());
    assert_eq!(world.run(&["logout"]).good(), "signed out\n");
    // Nobody has so much as knocked at the door of the other one.
    assert_eq!(before.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn f06_a_sign_out_of_an_account_that_is_not_used_is_heard_with_the_next_command_of_any() {
    let world = World::new().with("HANDSTAMP_HOLDER_KEY", KEY);
    let here = Here::at(world, &address());
    here.login("ada", &[]);
    let work = here.login("bert", &["--account", "work"]);
    here.run(&["accounts", "switch", "default"]).good();
    let Here { served, world, key } = here;
    let url = served.url.clone();
    assert_eq!(served.stop().exit, 0);
    let removed = world.run(&["accounts", "remove", "work"]).out();
    assert!(removed.contains("kept until the service has heard of it"), "{removed}");
    assert_eq!(world.run(&["whoami"]).good(), "ada\n", "which says nothing of it");
    let served = world.start(&["serve", "--listen", url.strip_prefix("http://").unwrap()]);
    assert_eq!(world.run(&["whoami"]).good(), "ada\n");
    let here = Here { served, world, key };
    let why = here.run(&["sessions", "why", session_id(&work)]).good();
    assert!(why.contains("logout"), "{why}");
    let left = here.run(&["accounts", "list", "--json"]).json();
    assert_eq!(left["accounts"].as_array().unwrap().len(), 1);
}

#[test]
fn j02_whoever_has_lost_the_key_gives_the_account_up_and_signs_in_anew() {
    let here = Here::new();
    here.login("ada", &[]);
    let answer = here.sign_in("ada");
    let Here { served, world, key } = here;
    let world = world.with("HANDSTAMP_HOLDER_KEY", &KEY.replacen('A', "B", 1));
    let here = Here { served, world, key };
    let token = refresh_token(&answer);
    for line in [
        here.run(&["whoami"]).line(4),
        here.run(&["logout"]).line(4),
        here.run(&["accounts", "remove", "default"]).line(4),
        here.paste(token, &[]).line(4),
    ] {
        assert!(line.contains("accounts remove NAME --forget"), "{line}");
    }
    let ran = here.run(&["accounts", "remove", "default", "--forget"]);
    assert!(ran.err.contains("has not heard of it"), "{}", ran.err);
    assert_eq!(ran.out(), "account default is forgotten\n");
    // The token was not used up by the login that could not keep it.
    here.paste(token, &[]).good();
    assert_eq!(here.run(&["whoami"]).good(), "ada\n");
    here.run(&["accounts", "remove", "other", "--forget"]).line(3);
}

#[cfg(unix)]
#[test]
fn a_login_that_could_keep_nothing_uses_no_token_up() {
    let here = Here::new();
    here.login("ada", &[]);
    here.run(&["accounts", "remove", "default"]).good();
    let answer = here.sign_in("ada");
    let folder = here.world.path(".local/share/handstamp/accounts");
    // Something of the name of the file that is no file: what no mode keeps from the superuser.
    std::fs::create_dir(folder.join("default.session")).unwrap();
    here.paste(refresh_token(&answer), &[]).line(4);
    std::fs::remove_dir(folder.join("default.session")).unwrap();
    here.paste(refresh_token(&answer), &[]).good();
}

#[test]
fn two_logins_at_once_with_different_services_leave_an_account_that_opens() {
    let (here, other) = (Here::new(), Here::new());
    for _ in 0..4 {
        let logins = [&here, &other].map(|service| {
            let login = ["login", "--with-token", "--service", &service.served.url];
            let mut command = here.world.command(&login);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            (command.spawn().unwrap(), service.sign_in("ada"), service)
        });
        let fed = logins.map(|(mut process, answer, service)| {
            // Whoever refuses before it reads closes the pipe.
            let _ = process.stdin.take().unwrap().write_all(refresh_token(&answer).as_bytes());
            (process, answer, service)
        });
        let ended = fed.map(|(process, answer, service)| {
            (Ran::from(process.wait_with_output().unwrap()), answer, service)
        });
        let mut exits = ended.iter().map(|(ran, ..)| ran.exit).collect::<Vec<_>>();
        exits.sort();
        assert_eq!(exits, [0, 4], "{} {}", ended[0].0.err, ended[1].0.err);
        here.run(&["token"]).good();
        assert_eq!(here.run(&["logout"]).good(), "signed out\n");
        for (ran, answer, service) in ended.into_iter().filter(|(ran, ..)| ran.exit == 4) {
            let line = ran.line(4);
            assert!(line.contains("belongs to"), "{line}");
            if line.contains("was given back") {
                let ended = service.run(&["sessions", "why", session_id(&answer)]).good();
                assert!(ended.contains("logout"), "{ended}");
            }
        }
    }
}

#[test]
fn an_account_with_the_wrong_address_beside_it_is_mended_by_a_login_to_its_own() {
    let here = Here::new();
    here.login("ada", &[]);
    let note = here.world.path(".local/share/handstamp/accounts/default.service");
    std::fs::write(note, "https://id.example.com\n").unwrap();
    here.run(&["token"]).line(4);
    here.login("ada", &[]);
    here.run(&["token"]).good();
}
