//! From sign-in to sign-out, with the service there, away, and of another mind.

use std::net::TcpListener;
use std::process::Stdio;
use std::time::Instant;

use serde_json::Value as Json;

use super::{Here, KEY, refresh_token, session_id};
use crate::world::{Served, World, ask};

/// What the service says of an access token.
fn status(served: &Served, token: &str) -> Json {
    let headers = format!("Authorization: Bearer {}\r\n", token.trim());
    let (status, body) = ask(&served.url, "GET /sessions/status", &headers, "");
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

#[test]
fn j02_whoever_pastes_a_token_is_signed_in_from_one_run_to_the_next() {
    let here = Here::new();
    let answer = here.sign_in("ada");
    let said = here.paste(refresh_token(&answer), &[]).good();
    assert_eq!(said, "signed in as ada, account default\n");
    assert_eq!(here.run(&["whoami"]).good(), "ada\n");
    let token = here.run(&["token"]).good();
    assert_eq!((token.lines().count(), token.matches('.').count()), (1, 2), "a JWT alone");
    assert_eq!(status(&here.served, &token)["session"]["id"], session_id(&answer));
    assert_eq!(here.run(&["token"]).good(), token, "good still, so it is the same");
    let status = here.run(&["status", "--json"]).json();
    assert_eq!(status["state"], "active");
    assert_eq!(status["service"], here.served.url.as_str());
    assert_eq!((&status["sealed"], &status["account"]), (&true.into(), &"default".into()));
    let shown = here.run(&["status"]).good();
    assert!(shown.contains(session_id(&answer)) && shown.contains("sealed"), "{shown}");
}

#[test]
fn j02_the_whole_answer_to_a_sign_in_is_taken_too() {
    let here = Here::new();
    let answer = here.sign_in("ada");
    here.paste(&answer.to_string(), &[]).good();
    assert_eq!(here.run(&["token"]).good().trim(), answer["access_token"].as_str().unwrap());
    let json = here.run(&["whoami", "--json"]).json();
    assert_eq!((&json["subject"], &json["kind"]), (&"ada".into(), &"user".into()));
}

#[test]
fn what_is_no_token_of_this_service_costs_nobody_the_session_that_is_there() {
    let here = Here::new();
    here.login("ada", &[]);
    let answer = here.sign_in("ada");
    for (text, exit, part) in [
        ("", 2, "nothing came in"),
        ("correct horse", 2, "no refresh token"),
        (answer["access_token"].as_str().unwrap(), 2, "no refresh token"),
        ("{\"session\":1}", 2, "not an answer"),
        ("hsr_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 6, "does not know this token"),
    ] {
        let line = here.paste(text, &[]).line(exit);
        assert!(line.contains(part), "{text}: {line}");
    }
    here.run(&["token"]).good();
}

#[test]
fn a_service_is_named_by_an_address_that_is_safe_and_there() {
    let world = World::new().with("HANDSTAMP_HOLDER_KEY", KEY);
    let token = "hsr_AAAA";
    let login =
        |service: &[&str]| world.feed(&[&["login", "--with-token"], service].concat(), token);
    assert!(login(&[]).line(2).contains("say which service"));
    assert!(login(&["--service", "id.example.com"]).line(2).contains("not the address"));
    assert!(login(&["--service", "http://id.example.com"]).line(4).contains("not https"));
    let line = login(&["--service", "http://127.0.0.1:1"]).line(5);
    assert!(line.contains("no session service"), "{line}");
    world.run(&["whoami"]).line(6);
    assert!(!world.path(".local/share/handstamp/accounts/default.service").exists());
}

#[test]
fn nobody_signed_in_is_exit_6_for_every_command() {
    let world = World::new();
    for command in
        [&["status"][..], &["whoami"], &["token"], &["devices", "list"], &["logout", "--all"]]
    {
        let line = world.run(command).line(6);
        assert!(line.starts_with("nobody is signed in as default"), "{command:?}: {line}");
    }
    let json = world.run(&["status", "--json"]);
    assert_eq!(json.exit, 6);
    assert!(json.out.contains("\"signed_out\""), "{}", json.out);
}

#[test]
fn f07_devices_are_listed_named_and_signed_out() {
    let here = Here::new();
    let own = here.login("ada", &[]);
    let other = here.sign_in("ada");
    here.run(&["devices", "name", "the terminal"]).good();
    here.run(&["devices", "name", "the phone", "--id", session_id(&other)]).good();
    let listed = here.run(&["devices", "list"]).good();
    let line = |id: &str| listed.lines().find(|line| line.starts_with(id)).unwrap().to_owned();
    assert!(line(session_id(&own)).contains("the terminal"), "{listed}");
    assert!(line(session_id(&own)).ends_with("this one"), "{listed}");
    assert!(line(session_id(&other)).contains("the phone"), "{listed}");
    let ended = here.run(&["devices", "end", session_id(&other), "--json"]).json();
    assert_eq!(ended["ended"], true);
    let left = here.run(&["devices", "list", "--json"]).json();
    assert_eq!(left["sessions"].as_array().unwrap().len(), 1);
    let somebody = here.sign_in("bert");
    here.run(&["devices", "end", session_id(&somebody)]).line(3);
    here.run(&["devices", "end", "../logout-all"]).line(3);
}

#[test]
fn f07_whoever_signs_out_is_signed_out_at_the_service_too() {
    let here = Here::new();
    here.login("ada", &[]);
    let token = here.run(&["token"]).good();
    assert_eq!(here.run(&["logout"]).good(), "signed out\n");
    assert_eq!(status(&here.served, &token)["is_active"], false);
    assert_eq!(here.run(&["logout"]).good(), "nobody was signed in\n");
    here.run(&["token"]).line(6);
    here.login("ada", &[]);
    let other = here.sign_in("ada");
    assert_eq!(here.run(&["logout", "--all"]).good(), "signed out everywhere: 2 sessions\n");
    let token = other["access_token"].as_str().unwrap();
    assert_eq!(status(&here.served, token)["is_active"], false);
}

#[test]
fn b05_a_session_that_was_ended_elsewhere_is_told_with_its_reason_and_again() {
    let here = Here::new();
    let own = here.login("ada", &[]);
    let elsewhere = World::new().with("HANDSTAMP_HOLDER_KEY", KEY);
    let other = here.sign_in("ada");
    let login = ["login", "--with-token", "--service", &here.served.url];
    elsewhere.feed(&login, refresh_token(&other)).good();
    elsewhere.run(&["devices", "end", session_id(&own)]).good();
    let line = here.run(&["status"]).line(6);
    assert!(line.contains("signed out from another device"), "{line}");
    let line = here.run(&["status"]).line(6);
    assert!(line.contains("signed out from another device"), "{line}");
    let again = here.run(&["status", "--json"]);
    let again: Json = serde_json::from_str(&again.out).unwrap();
    assert_eq!((&again["state"], &again["reason"]), (&"signed_out".into(), &"revoked".into()));
    here.login("ada", &[]);
    assert_eq!(here.run(&["status", "--json"]).json()["state"], "active");
    here.run(&["logout"]).good();
    assert!(!here.run(&["status"]).line(6).contains("another device"));
}

/// An address of this machine that is free, for a service that comes back to it.
pub(super) fn address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn f06_defect_23_without_the_service_nobody_is_signed_out_and_a_sign_out_is_heard_later() {
    let world = World::new().with("HANDSTAMP_HOLDER_KEY", KEY);
    let here = Here::at(world, &address());
    here.login("ada", &[]);
    let token = here.run(&["token"]).good();
    let Here { served, world, key } = here;
    let url = served.url.clone();
    assert_eq!(served.stop().exit, 0);
    let ran = world.run(&["status"]);
    assert_eq!(ran.exit, 5, "{}", ran.err);
    assert!(ran.out.contains("offline") && ran.err.contains("cannot be reached"), "{}", ran.out);
    assert_eq!(world.run(&["token"]).good(), token, "as long as it is good");
    assert_eq!(world.run(&["whoami"]).good(), "ada\n");
    world.run(&["logout", "--all"]).line(5);
    assert!(world.run(&["logout"]).out().starts_with("signed out here"));
    let ran = world.run(&["token"]);
    assert_eq!((ran.exit, ran.out.as_str()), (6, ""));
    assert!(ran.err.contains("has not heard of an earlier sign-out"), "{}", ran.err);
    let served = world.start(&["serve", "--listen", url.strip_prefix("http://").unwrap()]);
    assert_eq!(status(&served, &token)["is_active"], true, "it has not heard of it");
    world.run(&["status"]).line(6);
    assert_eq!(status(&served, &token)["is_active"], false);
    drop(Here { served, world, key });
}

#[test]
fn defect_12_two_terminals_that_ask_at_once_renew_once_and_both_get_a_token() {
    let here = Here::new();
    here.login("ada", &[]);
    for _ in 0..3 {
        let old = here.run(&["token"]).good();
        here.age();
        let asking = || {
            let mut command = here.world.command(&["token"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let asking: Vec<_> = (0..4).map(|_| asking()).collect();
        let told = asking.into_iter().map(|process| process.wait_with_output().unwrap());
        let told: Vec<_> = told.map(crate::world::Ran::from).map(crate::world::Ran::good).collect();
        assert!(told.iter().all(|token| *token == told[0] && *token != old), "{told:?}");
    }
    assert_eq!(here.run(&["status", "--json"]).json()["state"], "active");
}

#[test]
fn defect_13_a_program_that_is_killed_at_any_moment_signs_nobody_out() {
    let here = Here::new();
    here.login("ada", &[]);
    here.age();
    // However fast this machine is: from its start to a little after its end.
    let began = Instant::now();
    here.run(&["token"]).good();
    let whole = began.elapsed();
    for round in 0..12 {
        here.age();
        let mut command = here.world.command(&["token"]);
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole * round / 10);
        process.kill().unwrap();
        process.wait().unwrap();
    }
    here.run(&["token"]).good();
    assert_eq!(here.run(&["status", "--json"]).json()["state"], "active");
}
