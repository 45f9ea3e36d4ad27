//! Starts: those that are refused, each in one line that shows no password, and several at once.

use handstamp_postgres::testing::{Database, block_on};

use super::{Shared, accepts, text, wires};
use crate::world::World;

#[test]
fn a_key_ring_is_not_made_up_where_others_have_one() {
    let database = block_on(Database::new());
    let world = World::new().with("HANDSTAMP_STORE_URL", &database.url());
    let refused = world.run(&["serve", "--listen", "127.0.0.1:0"]).line(2);
    assert!(refused.contains("keys.file is none"), "{refused}");
    let nowhere = ["serve", "--listen", "127.0.0.1:0", "--keys", "nowhere.keys"];
    let refused = world.run(&nowhere);
    assert_ne!(refused.exit, 0);
    assert!(refused.err.contains("nowhere.keys"), "{}", refused.err);
    assert!(!world.path("nowhere.keys").exists());
}

#[test]
fn a_ring_of_another_is_refused_by_a_database_that_has_one() {
    let shared = Shared::new();
    shared.world.run(&["keys", "generate", "--keys", "foreign.keys"]).out();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--keys", "foreign.keys"];
    let refused = shared.world.run(&serve).line(2);
    assert!(refused.contains("cannot start"), "{refused}");
}

/// Of two that find no signing key one makes it.
#[test]
fn nodes_that_start_together_take_each_others_tokens() {
    for _ in 0..5 {
        let mut shared = Shared::empty();
        let served = std::thread::scope(|threads| {
            let starts = ["one", "other"].map(|node| threads.spawn(|| shared.serve(node, &[])));
            starts.map(|start| start.join().unwrap())
        });
        shared.make_keys();
        let mut wires = wires(&served);
        let begun = wires.each_mut().map(|wire| shared.begin(wire, "ada"));
        for (wire, begun) in wires.iter_mut().rev().zip(&begun) {
            assert!(accepts(wire, text(begun, "access_token")), "a token of the other");
        }
    }
}

#[test]
fn two_services_do_not_share_a_folder() {
    let shared = Shared::new();
    let _served = shared.serve("one", &[]);
    let again = ["serve", "--listen", "127.0.0.1:0", "--keys", "shared.keys", "--data-dir", "one"];
    let refused = shared.world.run(&again);
    assert_eq!(refused.exit, 4, "{}", refused.err);
    assert!(refused.err.contains("one is in use by another service"), "{}", refused.err);
}

#[test]
fn a_wrong_address_of_the_store_is_one_line_without_its_password() {
    let set = |url: &str| World::new().with("HANDSTAMP_STORE_URL", url);
    let serve = ["serve", "--listen", "127.0.0.1:0", "--keys", "shared.keys"];
    let refused = set("mysql://me:hunter2@db/shop").run(&serve).line(2);
    assert!(refused.contains("mysql://me:") && !refused.contains("hunter2"), "{refused}");
    let world = World::new();
    world.run(&["keys", "generate", "--keys", "shared.keys"]).out();
    let flag = ["--store", "postgres://me:hunter2@127.0.0.1:1/shop"];
    let refused = world.run(&[&serve[..], &flag].concat()).line(2);
    assert!(refused.contains("HANDSTAMP_STORE_URL") && !refused.contains("hunter2"), "{refused}");
    let nobody = ["--store", "postgres://me@127.0.0.1:1/shop"];
    let refused = world.run(&[&serve[..], &nobody].concat());
    assert_eq!(refused.exit, 5, "{}", refused.err);
    let line = "cannot use postgres://me@127.0.0.1:1/shop";
    assert!(refused.err.contains(line), "{}", refused.err);
    let shown = set("postgres://me:hunter2@db/shop").run(&["config", "--keys", "k"]).out();
    assert!(shown.contains("postgres://me:") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn sessions_of_one_machine_may_be_named_by_their_folder() {
    let world = World::new();
    let address = format!("sqlite://{}", world.path("here").display());
    let served = world.serve(&["--store", &address]);
    assert_eq!(served.get("/readyz").0, 200);
    drop(served);
    assert!(world.path("here/sessions.db").exists() && !world.path("handstamp-data").exists());
}
