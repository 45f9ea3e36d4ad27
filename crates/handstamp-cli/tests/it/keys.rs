//! `handstamp keys`.

use crate::world::{World, mode, set_mode};

#[test]
fn a_ring_is_made_once_for_its_owner_only() {
    let world = World::new();
    let line = world.run(&["keys", "list"]).line(3);
    assert!(line.ends_with("handstamp keys generate makes one"), "{line}");
    let path = world.path(".config/handstamp/handstamp.keys");
    let made = world.run(&["keys", "generate"]).good();
    assert_eq!(made, format!("made {} with one key\n", path.display()));
    let text = std::fs::read_to_string(&path).unwrap();
    #[cfg(unix)]
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    let line = world.run(&["keys", "generate"]).line(4);
    assert!(line.ends_with("handstamp keys rotate adds a key"), "{line}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "the ring is as it was");
}

#[test]
fn keys_are_listed_with_state_and_age_and_never_shown() {
    let world = World::new();
    world.run(&["keys", "generate", "--keys", "ring"]).good();
    let said = world.run(&["keys", "rotate", "--keys", "ring"]).good();
    assert_eq!(said, "key 2 makes new tokens; what key 1 made stays good\n");
    let list = world.run(&["keys", "list", "--keys", "ring"]).good();
    let columns: Vec<Vec<_>> =
        list.lines().map(|line| line.split_whitespace().take(2).collect()).collect();
    assert_eq!(columns, [["key", "state"], ["1", "older"], ["2", "active"]]);
    assert!(list.contains("second"), "{list}");
    let json = world.run(&["keys", "list", "--keys", "ring", "--json"]).json();
    assert_eq!(json["keys"][1]["state"], "active");
    assert!(json["keys"][1]["age_seconds"].as_u64().unwrap() < 600, "{json}");
    let ring: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(world.path("ring")).unwrap()).unwrap();
    for key in ring["keys"].as_array().unwrap() {
        let secret = key["secret"].as_str().unwrap();
        assert!(!list.contains(secret) && !json.to_string().contains(secret));
    }
}

#[test]
fn a_key_that_sessions_may_need_is_retired_only_if_it_leaked() {
    let world = World::new();
    let ring =
        |arguments: &[&str]| world.run(&[&["keys"], arguments, &["--keys", "ring"]].concat());
    ring(&["generate"]).good();
    let line = ring(&["retire", "1"]).line(4);
    assert!(line.contains("it makes new tokens; rotate first"), "{line}");
    ring(&["rotate"]).good();
    let line = ring(&["retire", "1"]).line(4);
    assert!(line.contains("a session lives up to 30 days: wait until"), "{line}");
    assert!(line.ends_with("or say --compromised, which signs its holders out"), "{line}");
    let said = ring(&["retire", "1", "--compromised"]).good();
    assert_eq!(said, "key 1 is retired; key 2 makes new tokens\n");
    let json = ring(&["retire", "2", "--compromised", "--json"]).json();
    assert_eq!(json, serde_json::json!({ "retired": 2, "active": 3 }));
    assert_eq!(
        ring(&["retire", "9", "--compromised"]).line(3),
        "there is no key 9; handstamp keys list shows which there are"
    );
    assert!(ring(&["retire", "0"]).line(2).contains("0"));
}

#[test]
fn a_ring_for_a_secret_manager_is_printed_and_taken_from_the_environment() {
    let printed = World::new().run(&["keys", "generate", "--stdout"]).good();
    let world = World::new().with("HANDSTAMP_KEYS_RING", printed.trim());
    let json = world.run(&["keys", "list", "--json"]).json();
    assert_eq!((&json["keys"][0]["id"], &json["keys"][0]["state"]), (&1.into(), &"active".into()));
    let line = world.run(&["keys", "rotate"]).line(4);
    assert!(line.contains("is not written back"), "{line}");
    assert!(!world.path(".config").exists(), "nothing was made");
    let shown = world.run(&["config", "keys"]).good();
    assert!(shown.contains("********") && !shown.contains("secret"), "{shown}");
}

#[cfg(unix)]
#[test]
fn a_ring_that_others_can_read_or_that_is_damaged_is_refused() {
    let world = World::new();
    world.run(&["keys", "generate", "--keys", "ring"]).good();
    set_mode(&world.path("ring"), 0o644);
    let line = world.run(&["keys", "list", "--keys", "ring"]).line(4);
    assert!(line.ends_with("run: chmod 600 ring"), "{line}");
    world.write("ring", "{");
    let line = world.run(&["keys", "rotate", "--keys", "ring"]).line(1);
    assert!(line.contains("not a key ring that can be read"), "{line}");
    assert_eq!(std::fs::read_to_string(world.path("ring")).unwrap(), "{");
}
