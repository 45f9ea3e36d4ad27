//! Tables that are changed while they are in use: a newer schema, the months ahead.

use std::time::Duration;

use handstamp_core::conformance::World;
use handstamp_core::conformance::sample::subject;
use handstamp_core::id::SessionId;
use handstamp_postgres::PostgresStore;
use handstamp_postgres::testing::Database;
use sqlx::{Connection, PgConnection};
use std::sync::Arc;

/// A database with the schema of the first version, and a user of epoch 4 in a deployment of epoch 3.
pub(crate) async fn of_the_first_version() -> Database {
    let database = Database::empty().await;
    let first = include_str!("../../src/schema/v1.sql");
    database
        .run(&format!(
            "CREATE SCHEMA handstamp;
             CREATE TABLE handstamp.versions
                 (version BIGINT PRIMARY KEY, done_at TIMESTAMPTZ NOT NULL DEFAULT now());
             {first};
             INSERT INTO handstamp.versions (version) VALUES (1);
             INSERT INTO handstamp.deployment (epoch, partition_key)
                 VALUES (3, decode(repeat('07', 32), 'hex'));
             INSERT INTO handstamp.heads VALUES ('alice', 9, 2, 4, FALSE, NULL, 0, 3, NULL)"
        ))
        .await;
    database
}

/// Somebody who has read `table` and is not done, as `pg_dump` for its whole time.
async fn reader(database: &Database, table: &str) -> PgConnection {
    let mut connection = database.connect().await;
    let sql = format!("BEGIN; SELECT count(*) FROM handstamp.{table}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection
}

#[tokio::test]
async fn a_schema_of_the_first_version_is_brought_up_with_all_that_is_in_it() {
    let database = of_the_first_version().await;
    let world = World::of(Arc::new(database.open().await));
    let session = world.begin(&subject("alice")).await;
    assert_eq!((session.epoch, session.deployment_epoch), (4, 3));
    let due: Vec<SessionId> = world.due(session.due_at()).await;
    assert_eq!(due, [session.id], "what is due is found by the new index");
}

/// Nodes of the version before go on while the first of the next one waits for a long report.
#[tokio::test(flavor = "multi_thread")]
async fn who_brings_the_schema_up_lets_others_through_while_the_tables_are_in_use() {
    let database = of_the_first_version().await;
    let reader = reader(&database, "sessions").await;
    let builder = database.builder();
    let opening = tokio::spawn(async move { builder.open().await });
    let mut other = database.connect().await;
    let waits = "pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'
        AND relation = to_regclass('handstamp.sessions')";
    while database.count(waits).await == 0 {
        assert!(!opening.is_finished());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let look = "SET lock_timeout = 20000; SELECT count(*) FROM handstamp.sessions";
    sqlx::raw_sql(look).execute(&mut other).await.expect("it is let through");
    assert!(!opening.is_finished());
    reader.close().await.unwrap();
    opening.await.unwrap().unwrap();
    assert_eq!(database.count("handstamp.versions").await, 3);
}

const MONTHS: &str = "pg_inherits WHERE inhparent = 'handstamp.events'::regclass";

#[tokio::test(flavor = "multi_thread")]
async fn a_month_is_made_ready_while_commits_go_on_and_not_while_the_log_is_read() {
    let database = Database::new().await;
    let impatient = database.builder().patience(Duration::from_secs(3)).open().await.unwrap();
    let world = World::of(Arc::new(impatient));
    world.begin(&subject("before")).await;
    assert_eq!(database.count(MONTHS).await, 5, "four months, and what is in none");
    let last = "DO $$ DECLARE name TEXT; BEGIN
        SELECT max(relname) INTO name FROM pg_class WHERE relname ~ '^events_20\\d\\d_\\d\\d$';
        EXECUTE 'DROP TABLE handstamp.' || name; END $$";
    database.run(last).await;
    let reader = reader(&database, "events").await;
    let patient = database.builder().patience(Duration::from_secs(60));
    let opening = tokio::spawn(async move { patient.open().await });
    let mut turn = 0;
    while !opening.is_finished() {
        turn += 1;
        world.begin(&subject(&format!("meanwhile {turn}"))).await;
    }
    opening.await.unwrap().unwrap();
    assert_eq!(database.count(MONTHS).await, 4, "not while somebody reads");
    reader.close().await.unwrap();
    database.open().await;
    assert_eq!(database.count(MONTHS).await, 5);
    let index = "pg_indexes WHERE schemaname = 'handstamp' AND tablename ~ '^events_20'";
    assert_eq!(database.count(index).await % 4, 0, "each month has the same");
}

/// Commits are held up by nothing: a transaction that has written events is no reason to wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_month_is_made_ready_beside_transactions_that_write_events() {
    let database = Database::new().await;
    database.open().await;
    let writes = "BEGIN; LOCK TABLE ONLY handstamp.events IN ROW EXCLUSIVE MODE";
    let mut writer = database.connect().await;
    sqlx::raw_sql(writes).execute(&mut writer).await.unwrap();
    database.run("SET lock_timeout = 5000; SELECT handstamp.make_partitions(6)").await;
    assert_eq!(database.count(MONTHS).await, 8);
    writer.close().await.unwrap();
    drop(PostgresStore::open(&database.url()).await.unwrap());
}
