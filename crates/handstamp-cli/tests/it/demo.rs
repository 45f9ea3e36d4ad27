//! `handstamp demo`.

use serde_json::Value as Json;

use crate::world::{Served, World, get};

const DEMO: [&str; 8] =
    ["demo", "--port", "0", "--service-port", "0", "--data-dir", "data", "--keys=ring"];

fn log(world: &World) -> Vec<Json> {
    let exported = world.run(&["audit", "export", "--data-dir", "data"]).good();
    exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Where the service is, by the link to its dashboard.
fn service(demo: &mut Served) -> String {
    let line = demo.line("Dashboard");
    let link = line.split_whitespace().last().unwrap();
    link.split_once("/admin/").unwrap().0.to_owned()
}

#[test]
fn b17_the_demo_is_a_shop_and_its_service_with_two_weeks_behind_them() {
    let world = World::new();
    let mut demo = world.start(&DEMO);
    let service = service(&mut demo);
    assert_eq!(get(&demo.url, "/").0, 200);
    assert_eq!(get(&service, "/readyz").0, 200);
    assert!(service.starts_with("http://localhost:"), "not the host of the shop: {service}");
    let log = log(&world);
    let has = |action: &str| log.iter().any(|line| line["action"] == action);
    for action in ["login", "logout", "token_refresh", "session_expired"] {
        assert!(has(action), "{action}");
    }
    assert!(log.iter().any(|line| line["success"] == false));
    let live = world.run(&["sessions", "list", "--active", "--data-dir", "data", "--json"]).json();
    assert!(live["sessions"].as_array().unwrap().len() > 5);
    let replayed = world.run(&["sessions", "list", "--ended", "--data-dir", "data", "--limit=999"]);
    assert!(replayed.good().contains("reuse"), "a stolen token came back");
    assert!(world.run(&["audit", "verify", "--data-dir", "data"]).good().contains("whole"));
    assert_eq!(demo.stop().exit, 0);
}

#[test]
fn the_history_of_the_demo_is_written_once_and_not_where_it_is_not_wanted() {
    let world = World::new();
    let demo = world.start(&DEMO);
    let before = log(&world).len();
    assert_eq!(demo.stop().exit, 0);
    let demo = world.start(&DEMO);
    assert_eq!(log(&world).len(), before);
    assert_eq!(demo.stop().exit, 0);
    let other = World::new();
    let _demo = other.start(&[&DEMO[..], &["--no-history"]].concat());
    assert!(log(&other).is_empty());
}
