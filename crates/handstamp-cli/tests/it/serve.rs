//! `handstamp serve`.

use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;

use crate::world::{World, mode, set_mode};

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
fn x02_a_secret_that_is_missing_or_short_stops_the_start_with_one_line() {
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--set", "tokens.algorithm=HS256"];
    let line = World::new().run(&arguments).line(2);
    assert!(line.contains("tokens.secret is none"), "{line}");
    let short = World::new().with("HANDSTAMP_TOKENS_SECRET", "correct horse");
    let line = short.run(&arguments).line(2);
    assert!(line.contains("tokens.secret is ********") && line.contains("32"), "{line}");
    assert!(!line.contains("horse") && !short.path("handstamp-data").exists());
    let good = World::new().with("HANDSTAMP_TOKENS_SECRET", "a secret of 32 bytes, or more....");
    let served = good.serve(&["--set", "tokens.algorithm=HS256"]);
    assert_eq!(served.get("/.well-known/jwks.json"), (200, r#"{"keys":[]}"#.into()));
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

#[test]
fn a_service_manager_is_told_when_it_is_ready_and_when_it_stops() {
    let world = World::new();
    let socket = world.path("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    let world = world.with("NOTIFY_SOCKET", socket.to_str().unwrap());
    let told = || {
        let mut buffer = [0; 256];
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    let served = world.serve(&[]);
    let ready = told();
    assert!(ready.starts_with("READY=1\n") && ready.contains(&served.url), "{ready}");
    assert_eq!(served.get("/readyz").0, 200);
    assert_eq!(served.stop().exit, 0);
    assert!(told().starts_with("STOPPING=1\n"));
}

#[test]
fn a_credential_of_the_service_manager_is_a_key_ring_though_it_shows_a_group() {
    let world = World::new();
    world.run(&["keys", "generate", "--keys", "given/handstamp.keys"]).out();
    let ring = world.path("given/handstamp.keys");
    set_mode(&ring, 0o440);
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--keys", ring.to_str().unwrap()];
    let line = world.run(&arguments).line(4);
    assert!(line.contains("chmod 600"), "{line}");
    let given = world.path("given");
    let world = world.with("CREDENTIALS_DIRECTORY", given.to_str().unwrap());
    let served = world.serve(&["--keys", ring.to_str().unwrap()]);
    assert_eq!(served.get("/readyz").0, 200);
    assert_eq!(served.stop().exit, 0);
    assert_eq!(given.read_dir().unwrap().count(), 1, "nothing is written there");
}

#[test]
fn figures_are_told_to_anybody_at_an_address_of_their_own() {
    let world = World::new();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let setting = format!("server.metrics_listen={free}");
    let served = world.serve(&["--set", &setting]);
    let (status, text) = crate::world::get(&format!("http://{free}"), "/metrics");
    assert_eq!(status, 200);
    assert!(text.contains("handstamp_live_sessions 0"), "{text}");
    assert_eq!(crate::world::get(&format!("http://{free}"), "/healthz").0, 404);
    assert_eq!(served.get("/metrics").0, 401);
    assert_eq!(served.stop().exit, 0);
}

#[test]
fn s106_a_start_with_another_key_ring_is_refused_and_the_log_still_verifies() {
    let world = World::new();
    let made = ["service-key", "create", "--name", "shop", "--scope", "sessions", "--keys", "ring"];
    let key = world.run(&[&made[..], &["--json"]].concat()).json();
    let key = key["key"].as_str().unwrap();
    let served = world.serve(&["--keys", "ring"]);
    served.begin(key, "anna");
    assert_eq!(served.stop().exit, 0);

    let typed_wrong = ["serve", "--listen", "127.0.0.1:0", "--keys", "rnig"];
    let line = world.run(&typed_wrong).line(3);
    assert!(line.contains("no key ring at rnig") && line.contains("--keys"), "{line}");
    world.run(&[&made[..6], &["--keys", "rnig"]].concat()).line(3);
    assert!(!world.path("rnig").exists(), "no ring is made beside data");

    world.run(&["keys", "generate", "--keys", "rnig"]).out();
    let line = world.run(&typed_wrong).line(2);
    assert!(line.contains("not the key ring of the data"), "{line}");
    world.run(&["audit", "verify", "--keys", "rnig"]).line(2);

    world.run(&["keys", "rotate", "--keys", "ring"]).out();
    let served = world.serve(&["--keys", "ring"]);
    served.begin(key, "bert");
    assert_eq!(served.stop().exit, 0);
    world.run(&["keys", "retire", "1", "--compromised", "--keys", "ring"]).good();
    assert_eq!(world.serve(&["--keys", "ring"]).stop().exit, 0);
    world.run(&["audit", "verify", "--keys", "ring"]).good();
}

#[test]
fn a_data_folder_that_was_open_to_others_is_closed_before_the_socket_is_there() {
    let world = World::new();
    std::fs::create_dir(world.path("data")).unwrap();
    set_mode(&world.path("data"), 0o777);
    let served = world.serve(&["--data-dir", "data"]);
    assert_eq!(mode(&world.path("data")), 0o700);
    assert_eq!(mode(&world.path("data/handstamp.sock")), 0o600);
    assert_eq!(served.stop().exit, 0);
}
