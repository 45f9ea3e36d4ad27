//! Opening a store, and why it cannot be opened.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use handstamp_core::conformance::World;
use handstamp_core::conformance::sample::{at, subject};
use handstamp_core::store::SessionStore;
use handstamp_core::transfer::{Portable, TransferError};
use handstamp_postgres::{PostgresContent, PostgresError, PostgresStore};
use sqlx::postgres::PgPoolOptions;

use handstamp_postgres::testing::{Database, LOCKED};

/// Why the database at `url` cannot be opened; no word of it tells the password.
async fn refused(url: &str) -> PostgresError {
    let builder = PostgresStore::builder(url).patience(Duration::from_secs(2));
    let error = builder.open().await.expect_err("it is refused");
    let (mut told, mut source) = (format!("{error} {error:?}"), error.source());
    assert!(!error.to_string().contains('\n'), "one line: {error}");
    while let Some(cause) = source {
        told.push_str(&format!(" {cause} {cause:?}"));
        source = cause.source();
    }
    assert!(!told.contains("hunter2"), "{told}");
    error
}

#[tokio::test]
async fn what_is_no_address_is_refused_in_one_line_without_a_password() {
    for url in [
        "",
        "mysql://me:hunter2@db/x",
        "postgres://me:hunter2@db:x/y",
        "postgres://me:hunter2@db:99999/x",
    ] {
        let error = refused(url).await;
        assert!(matches!(error, PostgresError::Address(_)), "{url}: {error:?}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_said_to() {
    let error = refused("postgres://me:hunter2@127.0.0.1:1/x").await;
    assert!(matches!(error, PostgresError::Unreachable(_)), "{error:?}");
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_not_repeated() {
    let database = Database::empty().await;
    let (user, password) = LOCKED;
    database.make_user(user, Some(password)).await;
    let wrong = format!("{user}:hunter2-wrong");
    let error = refused(&database.url_of(&wrong)).await;
    assert!(matches!(error, PostgresError::Refused(_)), "{error:?}");
    let error = refused(&database.url_of("nobody-of-this-name")).await;
    assert!(matches!(error, PostgresError::Refused(_)), "{error:?}");
    let right = format!("{user}:{password}");
    let error = refused(&database.url_of(&right)).await;
    assert!(matches!(error, PostgresError::NotPermitted(_)), "in, and without rights: {error:?}");
}

/// PostgreSQL prefers an operator for exactly these types to its own that fits by a conversion.
const TRAPS: &str = "
CREATE TABLE public.caught (who TEXT);
CREATE FUNCTION public.trap(a NUMERIC, b INTEGER) RETURNS NUMERIC LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO public.caught VALUES (current_user); RETURN a * b::NUMERIC; END $$;
CREATE FUNCTION public.trap(a BIGINT, b NUMERIC) RETURNS NUMERIC LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO public.caught VALUES (current_user); RETURN a / b; END $$;
CREATE OPERATOR public.* (LEFTARG = NUMERIC, RIGHTARG = INTEGER, FUNCTION = public.trap);
CREATE OPERATOR public./ (LEFTARG = BIGINT, RIGHTARG = NUMERIC, FUNCTION = public.trap);";

#[tokio::test(flavor = "multi_thread")]
async fn what_others_put_into_the_schema_public_is_run_by_nobody() {
    for database in [Database::empty().await, Database::new().await] {
        database.run(TRAPS).await;
        let pool = PgPoolOptions::new().connect(&database.url()).await.unwrap();
        for store in [database.open().await, PostgresStore::on(pool).await.unwrap()] {
            assert!(store.time().await.unwrap().is_some());
            let world = World::of(Arc::new(store));
            let record = world.begin(&subject("alice")).await;
            world.end_at(&record, at(2)).await;
            world.store.purge(at(1000), 10).await.unwrap();
        }
        database.run("SELECT * FROM handstamp.user_sessions").await;
        database.run("SELECT handstamp.make_partitions(5), handstamp.drop_partitions()").await;
        assert_eq!(database.count("public.caught").await, 0);
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_is_said_to() {
    let database = Database::empty().await;
    let url = database.url().replace("/test_", "/no_test_");
    assert!(matches!(refused(&url).await, PostgresError::NoDatabase(_)));
}

#[tokio::test]
async fn a_user_who_may_use_and_not_make_the_schema_is_enough_once_it_is_there() {
    let database = Database::new().await;
    database.make_user("clerk", None).await;
    let error = refused(&database.url_of("clerk")).await;
    assert!(matches!(error, PostgresError::NotPermitted(_)), "{error:?}");
    database
        .run(
            "GRANT USAGE ON SCHEMA handstamp TO clerk;
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA handstamp TO clerk;
             GRANT USAGE ON ALL SEQUENCES IN SCHEMA handstamp TO clerk",
        )
        .await;
    PostgresStore::open(&database.url_of("clerk")).await.unwrap();
    let content = PostgresContent::look(&database.url_of("clerk")).await.unwrap();
    assert_eq!(content.basis().await.unwrap().ledger, 1, "enough to copy too");
    database.run("REVOKE SELECT ON handstamp.roll_up FROM clerk").await;
    let error = content.basis().await.unwrap_err();
    assert!(matches!(error, TransferError::NotPermitted(_)), "{error:?}");
    assert!(error.to_string().ends_with("permission denied for table roll_up"), "{error}");
}

#[tokio::test]
async fn a_server_that_writes_nothing_is_refused() {
    let database = Database::new().await;
    database
        .run(&format!("ALTER DATABASE {} SET default_transaction_read_only = on", database.name()))
        .await;
    assert!(matches!(refused(&database.url()).await, PostgresError::ReadOnly));
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_asked_for() {
    let database = Database::new().await;
    let error = refused(&format!("{}&sslmode=require", database.url())).await;
    assert!(matches!(error, PostgresError::Tls(_)), "{error:?}");
}

#[tokio::test]
async fn a_certificate_file_that_is_missing_is_named_before_anybody_is_connected_to() {
    let nobody = "postgres://handstamp@127.0.0.1:1/shop?sslmode=verify-full";
    let error = refused(&format!("{nobody}&sslrootcert=/nowhere/ca.pem")).await;
    let told = "sslrootcert names /nowhere/ca.pem, which cannot be read";
    assert_eq!(error.to_string(), told);
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_as_it_is() {
    let database = Database::new().await;
    database.run("INSERT INTO handstamp.versions (version) VALUES (99)").await;
    let error = refused(&database.url()).await;
    assert!(matches!(error, PostgresError::NewerSchema { found: 99, .. }), "{error:?}");
}

#[tokio::test]
async fn a_pool_without_a_free_connection_is_said_to_have_none() {
    let database = Database::new().await;
    let options = PgPoolOptions::new().max_connections(1).acquire_timeout(Duration::from_secs(1));
    let pool = options.connect(&database.url()).await.unwrap();
    let held = pool.acquire().await.unwrap();
    let error = PostgresStore::on(pool.clone()).await.expect_err("none is free");
    assert!(matches!(error, PostgresError::Exhausted(_)), "{error:?}");
    drop(held);
    PostgresStore::on(pool).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_together_make_the_schema_once() {
    let database = Database::empty().await;
    let opens: Vec<_> = (0..5)
        .map(|_| {
            let builder = database.builder();
            tokio::spawn(async move { builder.open().await.unwrap() })
        })
        .collect();
    let mut stores = Vec::new();
    for open in opens {
        stores.push(open.await.unwrap());
    }
    let mut writers: Vec<u32> = stores.iter().map(|store| store.meta().writer).collect();
    writers.sort_unstable();
    assert_eq!(writers, [1, 2, 3, 4, 5], "each its own");
    let key = &stores[0].meta().partition_key;
    assert!(stores.iter().all(|store| store.meta().partition_key == *key), "one deployment");
    assert_eq!(database.count("handstamp.versions").await, 3, "each step once");
}

#[tokio::test]
async fn the_months_ahead_have_partitions_and_old_ones_without_events_go() {
    let database = Database::new().await;
    drop(database.open().await);
    let parts = "pg_inherits WHERE inhparent = 'handstamp.events'::regclass";
    assert_eq!(database.count(parts).await, 5, "this month, three more, and the rest");
    database
        .run(
            "CREATE TABLE handstamp.events_2001_01 PARTITION OF handstamp.events
                 FOR VALUES FROM (978307200000) TO (980985600000);
             SELECT handstamp.drop_partitions()",
        )
        .await;
    assert_eq!(database.count(parts).await, 5);
}

#[tokio::test]
async fn an_older_schema_or_none_is_not_looked_at_until_it_was_brought_up() {
    let database = Database::empty().await;
    let older = || async { PostgresContent::look(&database.url()).await.expect_err("it is older") };
    assert!(matches!(older().await, PostgresError::OlderSchema { found: 0, known: 1.. }));
    drop(database.open().await);
    PostgresContent::look(&database.url()).await.unwrap();
    database.run("DELETE FROM handstamp.versions WHERE version > 1").await;
    assert!(matches!(older().await, PostgresError::OlderSchema { found: 1, .. }));
}
