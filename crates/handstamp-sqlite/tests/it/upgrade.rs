//! A database of an older schema is brought up to the newest when it is opened, with all that is
//! in it.

use std::time::Duration;

use handstamp_core::ledger::{Ledger, LedgerExt, Put};
use handstamp_core::store::{EventFilter, Page, SessionStore};
use handstamp_core::testing::ManualClock;
use handstamp_core::time::Timestamp;
use handstamp_core::{KeyRing, SessionConfig, SessionManager, Subject};
use rusqlite::Connection;

use crate::fixture::Place;

/// Made for this test, used nowhere else.
const KEYS: &str = r#"{"handstamp_key_ring":1,"keys":[{"id":1,"state":"active","secret":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}]}"#;

/// The cookie of alice's phone.
const COOKIE: &str = "EQEcJXzXNtDdkBiuuMEHd7U1WPEAAAABMpZEjVwRScaC0uXIRkSsfnyxLnakXxwZlFmDUeNwvcI";

const BEGUN: Timestamp = Timestamp::from_millis(1_750_000_000_000);

fn older() -> Place {
    let place = Place::new();
    let connection = Connection::open(place.path()).unwrap();
    connection.execute_batch(include_str!("v1.sql")).unwrap();
    place
}

#[tokio::test]
async fn a_database_of_schema_1_is_brought_up_with_all_that_is_in_it() {
    let (place, clock) = (older(), ManualClock::at(BEGUN.plus(Duration::from_secs(90))));
    let store = std::sync::Arc::new(place.open().await);
    let keys = KeyRing::from_json(KEYS).unwrap();
    let config = SessionConfig::default();
    let sessions = SessionManager::builder(store.clone(), config, keys).clock(clock).build();
    let session = sessions.load(COOKIE).await.unwrap();
    let alice = Subject::new("alice").unwrap();
    assert_eq!(session.user_id(), Some(alice.clone()));
    let listed = sessions.sessions_of(&alice, true, &Page::default()).await.unwrap();
    assert_eq!(listed.records.len(), 2);
    assert_eq!(sessions.verify_log().await.unwrap().first_bad, None);
    let ip = Some("203.0.113.7".parse().unwrap());
    let filter = EventFilter { ip, ..EventFilter::default() };
    let found = sessions.events(&filter, &Page::default()).await.unwrap();
    assert_eq!(found.events.len(), 1, "old events are found by their address");
    assert!(store.write(vec![Put::new("shelf", "k", &1).unwrap()]).await.unwrap().is_applied());
    assert_eq!(store.find::<u8>("shelf", "k").await.unwrap(), Some((1, 1)));
    let count = "SELECT (SELECT count(*) FROM user_sessions) * 10 + count(*) FROM session_logs";
    let connection = Connection::open(place.path()).unwrap();
    assert_eq!(connection.query_row(count, [], |row| row.get(0)), Ok(25));
}

#[tokio::test]
async fn what_was_brought_up_has_the_schema_of_what_is_made_new() {
    let (old, new) = (older(), Place::new());
    drop((old.open().await, new.open().await));
    assert_eq!(schema(&old), schema(&new));
    let key = old.open().await.meta().partition_key.clone();
    assert_eq!(old.open().await.meta().partition_key, key, "and opens again");
}

fn schema(place: &Place) -> Vec<String> {
    let connection = Connection::open(place.path()).unwrap();
    let sql = "SELECT type || ' ' || name || ' ' || tbl_name FROM sqlite_schema ORDER BY 1";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}
