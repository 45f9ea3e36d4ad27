//! `handstamp serve`.

use std::net::TcpListener;

use crate::world::{World, mode};

#[test]
fn b17_one_program_serves_with_no_settings_and_nothing_to_install() {
    let world = World::new();
    let served = world.serve(&[]);
    assert_eq!(served.get("/healthz").0, 200);
    let document: serde_json::Value = serde_json::from_str(&served.get("/openapi.json").1).unwrap();
    assert_eq!(document["servers"][0]["url"], served.url.as_str());
    let ring = world.path(".config/handstamp/handstamp.keys");
    assert_eq!((mode(&world.path("handstamp-data")), mode(&ring)), (0o700, 0o600));
    let ran = served.stop();
    assert_eq!(ran.exit, 0, "{}", ran.err);
    assert!(ran.out.contains(ring.to_str().unwrap()), "{}", ran.out);
    assert!(ran.out.contains("/admin/ui/sign-in#"), "a link to the dashboard: {}", ran.out);
    assert!(!world.path("handstamp-data/handstamp.sock").exists(), "the socket is gone");
}

#[test]
fn a_data_folder_that_another_service_holds_is_refused() {
    let world = World::new();
    let _first = world.serve(&["--data-dir", "data"]);
    let line = world.run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", "data"]).line(4);
    assert!(line.starts_with("data is in use by another service"), "{line}");
}

#[test]
fn an_address_that_is_taken_is_refused_before_anything_is_made() {
    let world = World::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let line = world.run(&["serve", "--listen", &address]).line(1);
    assert!(line.contains(&format!("cannot listen on {address}: it is taken")), "{line}");
    assert!(!world.path("handstamp-data").exists());
}

#[test]
fn another_address_with_a_cookie_that_is_not_secure_is_refused() {
    let arguments = ["serve", "--listen", "0.0.0.0:0", "--set", "sessions.preset=development"];
    let line = World::new().run(&arguments).line(2);
    assert!(
        line.starts_with("flag --listen: cookies.secure is false (preset development)"),
        "{line}"
    );
}

#[test]
fn a_key_that_is_retired_counts_in_the_running_service() {
    let world = World::new();
    let mut served = world.serve(&["--keys", "ring"]);
    world.run(&["keys", "retire", "1", "--compromised", "--keys", "ring"]).good();
    served.log_line("the key ring has changed");
    assert_eq!(served.stop().exit, 0);
}

#[test]
fn the_log_is_json_where_that_is_asked_for() {
    let world = World::new();
    let arguments = ["--set", "log.format=json", "--set", "webhooks.allow_private_networks=true"];
    let mut served = world.serve(&arguments);
    let line = served.log_line("allow_private_networks");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["level"], "WARN");
}
