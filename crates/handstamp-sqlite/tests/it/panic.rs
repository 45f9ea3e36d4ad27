//! A panic in a thread of the store leaves nobody waiting and nothing half-written.

use handstamp_core::store::{Outcome, StoreError};

use crate::fixture::Place;

#[tokio::test]
async fn a_panic_in_the_writer_is_an_error_for_its_caller_and_for_nobody_else() {
    let place = Place::new();
    let store = place.open().await;
    let (panicked, inserted) =
        tokio::join!(store.on_writer(|_| panic!("for a test")), place.insert(&store, 1));
    assert!(matches!(panicked, Err(StoreError::Unavailable(_))), "{panicked:?}");
    assert!(matches!(inserted, Ok(Outcome::Applied(_))), "{inserted:?}");
    assert!(matches!(place.insert(&store, 2).await, Ok(Outcome::Applied(_))));
    assert_eq!(place.events(&store).await, 2);
}

#[tokio::test]
async fn what_a_panicking_job_wrote_is_taken_back() {
    let place = Place::new();
    let store = place.open().await;
    place.insert(&store, 1).await.unwrap();
    let job = |connection: &rusqlite::Connection| {
        connection.execute("DELETE FROM sessions", [])?;
        panic!("for a test")
    };
    store.on_writer(job).await.unwrap_err();
    assert!(matches!(place.insert(&store, 1).await, Ok(Outcome::Exists)));
}
