//! `handstamp store copy`: from SQLite to PostgreSQL and back, while the service is at work, killed
//! at any moment, held against what it copied; and then people are served from the copy.

mod refused;

use std::time::{Duration, Instant};

use handstamp_postgres::testing::{Database, block_on};
use serde_json::{Value as Json, json};

use crate::killed::clients::{Act, Client, Draw, Wire};
use crate::world::{Served, World};

/// How many clients work at once, each for a subject of its own.
const CLIENTS: u64 = 4;

/// A service with people at work, and the ring that every store of it needs.
struct House {
    world: World,
    key: String,
    clients: Vec<Client>,
}

impl House {
    /// On SQLite, in the folder `first`.
    fn new(seed: u64) -> Self {
        let world = World::new();
        world.run(&["keys", "generate", "--keys", "shared.keys"]).out();
        let create = ["service-key", "create", "--name", "web", "--scope", "sessions", "--json"];
        let place = ["--data-dir", "first", "--keys", "shared.keys"];
        let made = world.run(&[&create[..], &place].concat()).json();
        let key = made["key"].as_str().unwrap().to_owned();
        let clients = (0..CLIENTS).map(|number| Client::new(seed, number)).collect();
        Self { world, key, clients }
    }

    /// The address of a folder of this world.
    fn folder(&self, name: &str) -> String {
        format!("sqlite://{}", self.world.path(name).display())
    }

    /// Serves from the store at `address`.
    fn serve(&self, address: &str, folder: &str) -> Served {
        let place = ["--store", address, "--data-dir", folder, "--keys", "shared.keys"];
        let limits = ["--set", "limits.refresh=none", "--set", "limits.begin=none"];
        let long = ["--set", "sessions.grace_seconds=300"];
        self.world.serve(&[&place[..], &limits, &long].concat())
    }

    /// What `act` answers while everybody is at work on `served`, which stops in the end.
    fn meanwhile<T>(&mut self, served: Served, act: impl FnOnce(&World) -> T) -> T {
        let (world, url, key) = (&self.world, served.url.clone(), self.key.as_str());
        std::thread::scope(|threads| {
            for client in &mut self.clients {
                threads.spawn(|| client.work(&url, key));
            }
            let answer = act(world);
            // Whoever is under way is cut off, and knows that.
            drop(served);
            answer
        })
    }

    fn copy(&self, from: &str, to: &str, flags: &[&str]) -> crate::world::Ran {
        self.world.run(&[&["store", "copy", from, to], flags].concat())
    }

    /// Everybody who did not sign out is signed in, everybody who did is not, and the next token of
    /// each is good.
    fn is_whole(&mut self, served: &Served) {
        let mut wire = Wire::open(&served.url).unwrap();
        let mut signed_in = 0;
        for known in self.clients.iter_mut().flat_map(|client| client.sessions.values_mut()) {
            let body = json!({ "refresh_token": known.token });
            let (status, answer) = wire.ask("/sessions/refresh", None, &body).unwrap();
            match status {
                401 if known.is_ended || known.under_way == Some(Act::End) => {
                    assert_eq!(answer["code"], "SESSION_ENDED", "{answer}");
                    (known.is_ended, known.under_way) = (true, None);
                }
                200 if !known.is_ended => {
                    known.token = answer["refresh_token"].as_str().unwrap().to_owned();
                    (known.refreshes, known.under_way) = (known.refreshes + 1, None);
                    signed_in += 1;
                }
                _ => panic!("{known:?}: {answer}"),
            }
        }
        assert!(signed_in > 0, "nobody was signed in");
    }
}

/// The table of a copy as it was told in JSON.
fn table<'a>(told: &'a Json, name: &str) -> &'a Json {
    let tables = told["tables"].as_array().unwrap();
    tables.iter().find(|table| table["table"] == name).unwrap()
}

#[test]
fn a_store_is_copied_under_load_to_postgresql_and_back_and_nobody_is_lost_or_revived() {
    let mut house = House::new(std::process::id().into());
    let database = block_on(Database::empty());
    let (first, second, third) = (house.folder("first"), database.url(), house.folder("third"));

    let served = house.serve(&first, "first");
    house.meanwhile(served, |world| {
        std::thread::sleep(Duration::from_millis(500));
        for _ in 0..2 {
            world.run(&["store", "copy", &first, &second]).good();
        }
    });
    let finish = ["--finish", "--keys", "shared.keys"];
    let said = house.copy(&first, &second, &finish).good();
    assert!(said.contains("lines of the audit log verify"), "{said}");
    house.copy(&first, &second, &["--check"]).good();
    let place = ["--data-dir", "first", "--keys", "shared.keys"];
    let left = [&["serve", "--listen", "127.0.0.1:0"][..], &place[..]].concat();
    let line = house.world.run(&left).line(4);
    assert!(line.contains("was copied to another store"), "{line}");

    let served = house.serve(&second, "second");
    house.is_whole(&served);
    house.meanwhile(served, |world| {
        std::thread::sleep(Duration::from_millis(500));
        world.run(&["store", "copy", &second, &third]).good();
    });
    // The service was killed: for a minute it may be alive.
    let line = house.copy(&second, &third, &["--finish"]).line(4);
    assert!(line.contains("1 process serves from the source"), "{line}");
    block_on(database.bury());
    let told = house.copy(&second, &third, &["--finish", "--json"]).json();
    assert!(table(&told, "sessions")["rows"].as_u64().unwrap() > 10, "{told}");
    let again = house.copy(&second, &third, &["--finish"]).good();
    assert!(again.contains("finished before"), "{again}");

    let served = house.serve(&third, "third");
    house.is_whole(&served);
    drop(served);
    let verify = ["audit", "verify", "--data-dir", "third", "--keys", "shared.keys"];
    house.world.run(&verify).good();
    let line = house.copy(&third, &second, &[]).line(4);
    assert!(line.contains("holds other data"), "{line}");
}

#[test]
fn a_copy_that_is_killed_at_any_moment_is_taken_up_by_the_next_run() {
    let seed = std::process::id().into();
    let draw = Draw::new(seed);
    let mut house = House::new(7);
    let database = block_on(Database::empty());
    let (first, second) = (house.folder("first"), database.url());
    let served = house.serve(&first, "first");
    let cut = house.meanwhile(served, |world| {
        let copy = ["store", "copy", &first, &second];
        let begun = Instant::now();
        world.run(&copy).good();
        // While it is at work, however fast this machine is.
        let most = u64::try_from(begun.elapsed().as_micros()).unwrap();
        let kills = (0..20).map(|_| {
            std::thread::sleep(Duration::from_millis(100));
            world.kill(&copy, Duration::from_micros(draw.below(most)))
        });
        kills.filter(|was_cut| *was_cut).take(5).count()
    });
    assert!(cut > 0, "seed {seed}: every run came to its end");
    for _ in 0..5 {
        let span = Duration::from_micros(draw.below(600_000));
        house.world.kill(&["store", "copy", &first, &second, "--finish"], span);
    }
    house.copy(&first, &second, &["--finish"]).good();
    house.copy(&first, &second, &["--check"]).good();
    let served = house.serve(&second, "second");
    house.is_whole(&served);
}

#[test]
fn a_service_and_commands_that_ended_in_peace_serve_from_the_source_no_more() {
    let house = House::new(8);
    let database = block_on(Database::empty());
    let (first, second, third) = (house.folder("first"), database.url(), house.folder("third"));
    house.copy(&first, &second, &["--finish"]).good();
    let served = house.serve(&second, "second");
    served.begin(&house.key, "ada");
    served.stop();
    let place = ["--store", &second, "--data-dir", "second", "--keys", "shared.keys"];
    house.world.run(&[&["service-key", "list"], &place[..]].concat()).out();
    house.world.run(&[&["store", "restored"], &place[..]].concat()).out();
    house.copy(&second, &third, &["--finish"]).good();
}

#[test]
fn a_row_that_was_changed_in_the_copy_is_named() {
    let house = House::new(9);
    let served = house.serve(&house.folder("first"), "first");
    let begun = served.begin(&house.key, "ada");
    served.stop();
    let (first, second) = (house.folder("first"), house.folder("second"));
    house.copy(&first, &second, &["--finish"]).good();
    house.copy(&first, &second, &["--check"]).good();
    let database = rusqlite::Connection::open(house.world.path("second/sessions.db")).unwrap();
    let differs = || {
        let checked = house.copy(&first, &second, &["--check"]);
        assert_eq!(checked.exit, 1, "{}", checked.out);
        checked.err
    };
    database.execute("UPDATE sessions SET version = version + 1", []).unwrap();
    let id = begun["session"]["id"].as_str().unwrap();
    assert!(differs().contains(&format!("1 rows differ, the first of them sessions {id}")));
    database.execute("UPDATE sessions SET version = version - 1", []).unwrap();
    house.copy(&first, &second, &["--check"]).good();
    database.execute("UPDATE events SET actor = 'somebody' WHERE place = 2", []).unwrap();
    assert!(differs().contains("first of them batches 1 2"));
    database.execute("DELETE FROM ledger", []).unwrap();
    assert!(differs().contains("first of them ledger"));
}
