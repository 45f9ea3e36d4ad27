//! No command but `token` shows a token: not in what it prints, not in its log at its loudest, not
//! in its files, not in the arguments of its process.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;

use super::{Here, KEY, refresh_token};
use crate::world::World;

/// Everything that a token would show by: its prefix, and how a JWT begins.
const SIGNS: [&str; 2] = ["hsr_", "eyJ"];

#[test]
fn s_no_token_is_in_any_output_log_or_file() {
    let world = World::new().with("HANDSTAMP_HOLDER_KEY", KEY).with("RUST_LOG", "trace");
    let here = Here::of(world);
    let answer = here.sign_in("ada");
    let other = here.sign_in("ada");
    let id = other["session"]["id"].as_str().unwrap().to_owned();
    let mut said = Vec::new();
    let mut note = |ran: crate::world::Ran| said.push(format!("{}{}", ran.out, ran.err));
    note(here.paste(refresh_token(&answer), &["--json"]));
    note(here.paste(&answer.to_string(), &["--account", "twice"]));
    for command in [
        &["status"][..],
        &["status", "--json"],
        &["whoami", "--json"],
        &["devices", "list", "--json"],
        &["devices", "name", "the terminal"],
        &["devices", "end", &id],
        &["accounts", "list", "--json"],
        &["accounts", "switch", "default"],
    ] {
        note(here.run(command));
    }
    here.age();
    let token = here.run(&["token"]);
    assert!(SIGNS.iter().any(|sign| token.out.contains(sign)), "the signs are right");
    note(crate::world::Ran { out: String::new(), ..token });
    let folder = here.world.path(".local/share/handstamp/accounts");
    for entry in fs::read_dir(&folder).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        said.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    let mut note = |ran: crate::world::Ran| said.push(format!("{}{}", ran.out, ran.err));
    // What cannot be understood is not repeated.
    note(here.paste("hsr_not-a-token", &[]));
    note(here.paste("{\"refresh_token\":\"hsr_half\"", &[]));
    fs::write(folder.join("default.session"), "not a session").unwrap();
    fs::write(folder.join("default.session.previous"), "not one either").unwrap();
    note(here.run(&["token"]));
    note(here.run(&["logout"]));
    for text in said {
        for sign in SIGNS {
            assert!(!text.contains(sign), "{sign}: {text}");
        }
    }
}

#[test]
fn no_proxy_hears_what_goes_to_a_service_of_this_machine() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let world = World::new().with("HANDSTAMP_HOLDER_KEY", KEY);
    let here = Here::of(world.with("http_proxy", &address).with("HTTP_PROXY", &address));
    here.login("ada", &[]);
    here.age();
    here.run(&["token"]).good();
    here.run(&["devices", "list"]).good();
    here.run(&["logout"]).good();
    assert_eq!(proxy.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}
