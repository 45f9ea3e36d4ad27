//! A database that is filled from another store, by one run at a time.

use handstamp_core::transfer::{Part, Portable, SESSIONS, Standing, Transfer, TransferError};
use handstamp_postgres::PostgresContent;
use handstamp_postgres::testing::Database;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_another_has_taken_over_writes_nothing_however_late_it_comes() {
    let (from, to) = (Database::new().await, Database::empty().await);
    let source = PostgresContent::look(&from.url()).await.unwrap();
    let first = PostgresContent::fill(&to.url()).await.unwrap();
    let second = PostgresContent::fill(&to.url()).await.unwrap();
    let quiet = |_: &Part| {};
    Transfer::new(&source, &first, &quiet).live().await.unwrap();
    first.put(&SESSIONS, &[], &[]).await.unwrap();
    Transfer::new(&source, &second, &quiet).live().await.unwrap();
    let late = first.put(&SESSIONS, &[], &[]).await;
    assert!(matches!(late, Err(TransferError::NotFilling)), "{late:?}");
    second.put(&SESSIONS, &[], &[]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_given_up_does_not_open_the_copy_afterwards() {
    let (from, to) = (Database::new().await, Database::empty().await);
    let source = PostgresContent::look(&from.url()).await.unwrap();
    let slow = PostgresContent::fill(&to.url()).await.unwrap();
    let quiet = |_: &Part| {};
    Transfer::new(&source, &slow, &quiet).live().await.unwrap();
    let Standing::Filling(copy) = slow.standing().await.unwrap() else {
        panic!("it is a copy");
    };
    source.leave(copy).await.unwrap();
    let (basis, chains) = (source.basis().await.unwrap(), source.chains().await.unwrap());
    let other = PostgresContent::fill(&to.url()).await.unwrap();
    Transfer::new(&source, &other, &quiet).give_up().await.unwrap();
    let late = slow.open(&basis, &chains).await;
    assert!(matches!(late, Err(TransferError::NotFilling)), "{late:?}");
}
