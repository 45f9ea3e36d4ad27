//! A disk that is full or read-only: nothing half-written, and it goes on afterwards.

use handstamp_core::data::Data;
use handstamp_core::store::{Batch, Found, Outcome, RecordChange, SessionStore, StoreError};
use handstamp_sqlite::SqliteStore;

use crate::fixture::{Place, find, group, id, load, record};

async fn set(store: &SqliteStore, pragma: &'static str) {
    store.on_writer(move |connection| connection.execute_batch(pragma)).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_is_unavailable_and_nothing_is_half_written() {
    let place = Place::new();
    let store = place.open().await;
    place.insert(&store, 1).await.unwrap();
    set(&store, "PRAGMA max_page_count = 1").await;
    let mut big = find(&store, id(1)).await;
    big.data.insert("big".into(), "1".repeat(1 << 20).as_str().into());
    let error = place.replace(&store, big).await.expect_err("it fitted");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert_eq!(find(&store, id(1)).await, record(1));
    assert_eq!(place.events(&store).await, 1);
    set(&store, "PRAGMA max_page_count = 1000000").await;
    assert!(matches!(place.insert(&store, 2).await, Ok(Outcome::Applied(_))));
    assert_eq!(place.events(&store).await, 2);
}

#[tokio::test]
async fn a_read_only_database_is_unavailable_and_still_read() {
    let place = Place::new();
    let store = place.open().await;
    place.insert(&store, 1).await.unwrap();
    set(&store, "PRAGMA query_only = 1").await;
    let error = place.insert(&store, 2).await.expect_err("it was written");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert_eq!(find(&store, id(1)).await, record(1));
    assert_eq!(load(&store, id(2)).await, Found::Missing);
}

#[tokio::test]
async fn a_record_too_long_is_invalid_and_its_batch_mates_are_applied() {
    let place = Place::new();
    let store = place.open().await;
    let mut long = record(1);
    long.data = Data::default();
    long.data.insert("long".into(), "1".repeat(17 << 20).as_str().into());
    let insert = |record| group(RecordChange::Insert { record: Box::new(record), limit: None });
    let groups = vec![insert(long), insert(record(2))];
    let batch = Batch::new(groups, place.sealer.clone());
    let outcomes = store.commit(batch).await.unwrap();
    assert!(matches!(&outcomes[..], [Outcome::Invalid(_), Outcome::Applied(_)]), "{outcomes:?}");
    assert_eq!(place.events(&store).await, 1);
}
