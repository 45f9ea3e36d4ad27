//! What is refused, in one line each.

use handstamp_postgres::testing::{Database, block_on};

use super::House;

#[test]
fn what_is_no_address_is_refused_and_its_password_not_repeated() {
    let house = House::new(1);
    for address in ["first", "mysql://me:hunter2@db/x", "postgres://"] {
        let line = house.copy(address, "sqlite:///x", &[]).line(2);
        assert!(line.contains("must be an address") && !line.contains("FROM of"), "{line}");
    }
}

#[test]
fn a_source_that_is_not_there_is_not_made() {
    let house = House::new(1);
    for flags in [&[][..], &["--finish"]] {
        let line = house.copy(&house.folder("none"), &house.folder("to"), flags).line(3);
        assert!(line.contains("there is no database at"), "{line}");
    }
    assert!(!house.world.path("none").exists() && !house.world.path("to").exists());
}

#[test]
fn a_destination_that_holds_other_data_is_refused_and_stays_as_it_is() {
    let (house, other) = (House::new(1), House::new(2));
    let to = other.folder("first");
    for flags in [&[][..], &["--finish"]] {
        let line = house.copy(&house.folder("first"), &to, flags).line(4);
        assert!(line.contains("holds other data"), "{line}");
    }
    // Nothing was left for it either.
    drop(house.serve(&house.folder("first"), "first"));
    drop(other.serve(&to, "first"));
}

#[test]
fn a_copy_that_is_not_finished_serves_nobody_and_is_finished_only_without_the_service() {
    let house = House::new(1);
    let database = block_on(Database::empty());
    let (from, to) = (house.folder("first"), database.url());
    let served = house.serve(&from, "first");
    house.copy(&from, &to, &[]).good();
    let serve = ["serve", "--store", &to, "--data-dir", "second", "--keys", "shared.keys"];
    let ran = house.world.run(&serve);
    assert_eq!(ran.exit, 4, "{}", ran.err);
    assert!(ran.err.contains("is a copy that is not finished"), "{}", ran.err);
    let line = house.copy(&from, &to, &["--finish"]).line(4);
    assert!(line.contains("is in use"), "{line}");
    drop(served);
    house.copy(&from, &to, &["--finish"]).good();
}

#[test]
fn a_transfer_that_cannot_come_to_its_end_is_given_up_and_the_source_serves_again() {
    let house = House::new(1);
    let (from, to) = (house.folder("first"), house.folder("second"));
    house.copy(&from, &to, &[]).good();
    // Something in the way: a row that comes back whenever it is removed.
    let database = rusqlite::Connection::open(house.world.path("second/sessions.db")).unwrap();
    database
        .execute_batch(
            "INSERT INTO heads VALUES ('eve', 1, 1, 0, NULL, 0, 0, NULL);
             CREATE TRIGGER back AFTER DELETE ON heads BEGIN
                 INSERT INTO heads VALUES (old.subject, 1, 1, 0, NULL, 0, 0, NULL);
             END",
        )
        .unwrap();
    let line = house.copy(&from, &to, &["--finish"]).line(1);
    assert!(line.contains("the destination differs in heads \"eve\""), "{line}");
    let serve = ["serve", "--data-dir", "first", "--keys", "shared.keys"];
    assert!(house.world.run(&serve).line(4).contains("was copied to another store"));
    house.copy(&from, &to, &["--give-up"]).good();
    drop(house.serve(&from, "first"));
}
