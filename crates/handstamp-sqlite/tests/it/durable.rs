//! What was acknowledged stays.

use handstamp_core::store::{Durability, Outcome, SessionStore};
use handstamp_sqlite::{SqliteStore, Synchronous};

use crate::fixture::{Place, find, id, record};

/// Shows B06.
#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart_and_the_chain_goes_on() {
    let place = Place::new();
    let store = place.open().await;
    let meta = store.meta().clone();
    assert!(matches!(place.insert(&store, 1).await.unwrap(), Outcome::Applied(_)));
    drop(store);
    let store = place.open().await;
    assert_eq!(find(&store, id(1)).await, record(1));
    assert_eq!(*store.meta(), meta);
    assert!(matches!(place.insert(&store, 2).await.unwrap(), Outcome::Applied(_)));
    assert_eq!(place.events(&store).await, 2);
}

#[tokio::test]
async fn it_declares_what_its_setting_promises() {
    let place = Place::new();
    let store = place.open().await;
    assert_eq!(store.capabilities().durability, Durability::Synced);
    drop(store);
    let store = SqliteStore::builder(place.path()).synchronous(Synchronous::Normal).open().await;
    assert_eq!(store.unwrap().capabilities().durability, Durability::Process);
}

#[tokio::test]
async fn full_is_what_sqlite_itself_says() {
    let place = Place::new();
    let store = place.open().await;
    let check = |connection: &rusqlite::Connection| {
        let level: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0))?;
        let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
        assert_eq!((level, mode.as_str()), (2, "wal"));
        Ok(())
    };
    store.on_writer(check).await.unwrap();
}

#[tokio::test]
async fn changes_from_before_a_restart_are_followed_after_it() {
    let place = Place::new();
    let store = place.open().await;
    place.insert(&store, 1).await.unwrap();
    let first = store.changes(&Default::default(), 100).await.unwrap();
    place.insert(&store, 2).await.unwrap();
    drop(store);
    let store = place.open().await;
    let next = store.changes(&first.cursor, 100).await.unwrap();
    assert_eq!((first.changes.len(), next.changes.len(), next.has_gap), (1, 1, false));
}

#[tokio::test]
async fn whoever_falls_behind_the_change_log_is_told_and_goes_on_from_its_end() {
    let place = Place::new();
    let store = SqliteStore::builder(place.path()).keep_changes(3).open().await.unwrap();
    for n in 1..=9 {
        place.insert(&store, n).await.unwrap();
    }
    let late = store.changes(&Default::default(), 100).await.unwrap();
    assert!(late.has_gap && late.changes.is_empty());
    place.insert(&store, 10).await.unwrap();
    let next = store.changes(&late.cursor, 100).await.unwrap();
    assert_eq!((next.changes.len(), next.has_gap), (1, false));
}
