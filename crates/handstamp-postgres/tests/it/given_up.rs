//! Statements that are given up do not stay at the server.

use std::time::Duration;

use handstamp_core::store::SessionStore;
use handstamp_postgres::PostgresStore;
use handstamp_postgres::testing::{Database, Pooler};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};

const HELD: &str = "BEGIN; LOCK TABLE handstamp.sessions IN ACCESS EXCLUSIVE MODE";

const OURS: &str = "pg_stat_activity
    WHERE datname = current_database() AND application_name = 'handstamp'";

/// A lock that somebody else holds, as VACUUM FULL does, fails what reads and leaves nothing behind.
#[tokio::test(flavor = "multi_thread")]
async fn reads_behind_a_lock_are_given_up_by_the_server_as_well() {
    let database = Database::new().await;
    let patience = Duration::from_secs(2);
    let store = database.builder().connections(2).patience(patience).open().await.unwrap();
    let mut holder = database.connect().await;
    sqlx::raw_sql(HELD).execute(&mut holder).await.unwrap();
    for _ in 0..4 {
        store.census().await.expect_err("behind a lock");
        let count = database.count(OURS).await;
        assert!(count <= 2, "{count} connections of a pool of 2");
    }
    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
    store.census().await.unwrap();
}

/// Nobody is there any more who could take the answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_read_of_a_process_that_is_gone_ends_with_it() {
    let database = Database::new().await;
    let patience = Duration::from_secs(600);
    let store = database.builder().patience(patience).open().await.unwrap();
    let mut holder = database.connect().await;
    sqlx::raw_sql(HELD).execute(&mut holder).await.unwrap();
    let waits = format!("{OURS} AND wait_event_type = 'Lock'");
    tokio::select! {
        census = store.census() => panic!("behind a lock: {census:?}"),
        () = until(&database, &waits, 1) => {}
    }
    until(&database, &waits, 0).await;
    holder.close().await.unwrap();
}

/// Waits until there are so many rows of what follows `FROM`.
async fn until(database: &Database, from: &str, count: usize) {
    for _ in 0..3000 {
        if database.count(from).await == count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never {count} of {from}");
}

/// Older ones take no options at the start.
#[tokio::test(flavor = "multi_thread")]
async fn where_a_pooler_takes_no_options_the_store_opens_without_them() {
    let database = Database::new().await;
    let url = Pooler::shared().url(&database.url());
    let options: PgConnectOptions = url.parse().unwrap();
    let refused = options.extra_float_digits(None).options([("lock_timeout", "1")]).connect().await;
    let refused = format!("{:?}", refused.unwrap_err());
    assert!(refused.contains("startup parameter"), "that is what this one is like: {refused}");
    // It is let in. This one hands connections on between transactions, so that whatever comes then
    // may meet statements that were prepared for somebody else, or their answers.
    if let Err(error) = PostgresStore::builder(&url).connections(2).open().await {
        assert!(!format!("{error:?}").contains("startup parameter"), "{error:?}");
    }
}
