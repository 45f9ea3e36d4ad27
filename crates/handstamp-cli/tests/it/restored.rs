//! `handstamp store restored`: a store is put back from a backup that was made while the service ran,
//! and nobody who was signed in then is signed in by it.

use std::process::Command;

use handstamp_postgres::testing::{Server, block_on};
use serde_json::{Value as Json, json};

use crate::killed::clients::Wire;
use crate::nodes::{accepts, sign_out, text};
use crate::world::{Served, World};

/// Access tokens are good after a restart too, which comes at another port.
const ISSUER: &str = "tokens.issuer=https://id.example.com";

/// A world with a key ring and a service key, and where its store is.
struct House {
    world: World,
    key: String,
}

/// Who was signed in when the backup was made.
struct People {
    /// Signed in to this day.
    ada: Json,
    /// Signed out since.
    bob: Json,
}

impl House {
    fn new(place: &[&str]) -> Self {
        let world = World::new();
        world.run(&["keys", "generate", "--keys", "shared.keys"]).out();
        let create = ["service-key", "create", "--name", "web", "--scope", "sessions", "--json"];
        let made = world.run(&[&create[..], place].concat()).json();
        let key = made["key"].as_str().unwrap().to_owned();
        Self { world, key }
    }

    fn serve(&self, place: &[&str]) -> Served {
        self.world.serve(place)
    }

    /// People sign in, `back_up` makes a copy of what is there, and then one of them signs out.
    fn people(&self, place: &[&str], back_up: impl FnOnce(&World)) -> People {
        let mut served = self.serve(place);
        let [ada, bob] = ["ada", "bob"].map(|name| served.begin(&self.key, name));
        back_up(&self.world);
        let mut wire = Wire::open(&served.url).unwrap();
        sign_out(&mut wire, &bob);
        assert!(is_in(&mut wire, &ada) && !is_in(&mut wire, &bob));
        drop(wire);
        served.terminate();
        People { ada, bob }
    }

    /// Signs everybody out, twice, and then serves from what was restored: nobody is back in, and who
    /// signs in from now on stays in.
    fn is_restored(&self, place: &[&str], people: &People) {
        let restored = ["store", "restored", "--by", "night shift"];
        for _ in 0..2 {
            let said = self.world.run(&[&restored[..], place].concat()).out();
            assert!(said.starts_with("nobody is signed in any more"), "{said}");
        }
        let mut served = self.serve(place);
        let mut wire = Wire::open(&served.url).unwrap();
        for begun in [&people.ada, &people.bob] {
            assert!(!is_in(&mut wire, begun), "{begun}");
            let body = json!({ "refresh_token": text(begun, "refresh_token") });
            let (status, answer) = wire.ask("/sessions/refresh", None, &body).unwrap();
            assert_eq!((status, &answer["code"]), (401, &json!("SESSION_ENDED")), "{answer}");
        }
        let carol = served.begin(&self.key, "carol");
        assert!(is_in(&mut wire, &carol));
        drop(wire);
        served.terminate();
        let served = self.serve(place);
        assert!(is_in(&mut Wire::open(&served.url).unwrap(), &carol), "also after a restart");
        served.stop();
        let said = self.world.run(&[&["audit", "verify"], place].concat()).out();
        assert!(said.contains("the chain is whole"), "{said}");
        let log = self.world.run(&[&["audit", "export"], place].concat()).out();
        assert_eq!(log.matches("\"deployment.ended\"").count(), 2, "{log}");
    }
}

fn is_in(wire: &mut Wire, begun: &Json) -> bool {
    accepts(wire, text(begun, "access_token"))
}

#[test]
fn a_restored_copy_of_sqlite_signs_nobody_in_by_the_command_for_it() {
    let place = ["--data-dir", "data", "--keys", "shared.keys", "--set", ISSUER];
    let house = House::new(&place);
    let people = house.people(&place, |world| {
        let database = rusqlite::Connection::open(world.path("data/sessions.db")).unwrap();
        let backup = world.path("backup.db").display().to_string();
        database.execute("VACUUM INTO ?1", [backup]).unwrap();
    });
    // As the guide has it: the copy in its place, and nothing of the log of the other.
    let world = &house.world;
    for log in ["data/sessions.db-wal", "data/sessions.db-shm"] {
        let _ = std::fs::remove_file(world.path(log));
    }
    std::fs::copy(world.path("backup.db"), world.path("data/sessions.db")).unwrap();
    house.is_restored(&place, &people);
}

#[test]
fn a_store_in_use_or_of_another_ring_is_not_signed_out_of() {
    let place = ["--data-dir", "data", "--keys", "shared.keys", "--set", ISSUER];
    let house = House::new(&place);
    let served = house.serve(&place);
    let ada = served.begin(&house.key, "ada");
    let restored = ["store", "restored"];
    house.world.run(&[&restored[..], &place].concat()).line(4);
    let mut wire = Wire::open(&served.url).unwrap();
    assert!(is_in(&mut wire, &ada));
    drop(wire);
    served.stop();
    house.world.run(&["keys", "generate", "--keys", "foreign.keys"]).out();
    let foreign = ["store", "restored", "--data-dir", "data", "--keys", "foreign.keys"];
    let ran = house.world.run(&foreign);
    assert_ne!(ran.exit, 0, "{}", ran.out);
    assert!(ran.err.contains("nothing is written"), "{}", ran.err);
    let nowhere = ["store", "restored", "--data-dir", "none", "--keys", "shared.keys"];
    let line = house.world.run(&nowhere).line(3);
    assert!(line.contains("there are no sessions in none"), "{line}");
    let served = house.serve(&place);
    assert!(is_in(&mut Wire::open(&served.url).unwrap(), &ada));
}

#[test]
fn a_restored_dump_of_postgresql_signs_nobody_in_by_the_command_for_it() {
    let server = Server::start(&["fsync=off"]);
    for name in ["shop", "again"] {
        block_on(server.create(name, "template0"));
    }
    let (shop, again) = (server.url("shop"), server.url("again"));
    let place_of =
        |url| ["--store", url, "--data-dir", "data", "--keys", "shared.keys", "--set", ISSUER];
    let house = House::new(&place_of(&shop));
    let people = house.people(&place_of(&shop), |world| {
        let mut dump = server.tool("pg_dump");
        dump.args(["-Fc", "-n", "handstamp", "-f"]).arg(world.path("dump")).arg(&shop);
        done(&mut dump);
    });
    let mut restore = server.tool("pg_restore");
    restore.args(["--exit-on-error", "-d", &again]).arg(house.world.path("dump"));
    done(&mut restore);
    house.is_restored(&place_of(&again), &people);
}

fn done(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
