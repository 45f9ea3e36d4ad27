//! Batches that are written in one round trip, decided on what a process knows by heart.

use std::sync::Arc;
use std::time::Duration;

use handstamp_core::conformance::World;
use handstamp_core::conformance::sample::{self, at, subject};
use handstamp_core::head::Head;
use handstamp_core::id::Subject;
use handstamp_core::record::Record;
use handstamp_core::store::{HeadChange, HeadTarget, Outcome, Refusal, SessionStore};
use handstamp_postgres::PostgresStore;
use handstamp_postgres::testing::{Database, Proxy, shared_folder};

async fn world(database: &Database) -> World {
    World::of(Arc::new(database.open().await))
}

/// Replaces `record` by itself; answers what is stored then.
async fn replaced(world: &World, record: &Record) -> Record {
    let applied = world.one(sample::replace(record)).await;
    assert_eq!(applied.version, record.version + 1);
    world.get(record.id).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_what_is_known_by_heart_is_one_round_trip() {
    let database = Database::new().await;
    let proxy = Proxy::before(shared_folder());
    let builder = PostgresStore::builder(&proxy.url(&database.url())).connections(2);
    let world = World::of(Arc::new(builder.open().await.unwrap()));
    let mut record = world.begin(&subject("alice")).await;
    let mut least = u64::MAX;
    for _ in 0..8 {
        let before = proxy.asked();
        world.one(sample::replace(&record)).await;
        least = least.min(proxy.asked() - before);
        record.version += 1;
    }
    assert_eq!(least, 1);
    assert_eq!(world.get(record.id).await.version, 9);
}

/// The connections on which somebody has committed last.
const COMMITTING: &str = "pg_stat_activity WHERE datname = current_database() \
    AND query LIKE 'SELECT handstamp.commit(%'";

#[tokio::test(flavor = "multi_thread")]
async fn with_enough_connections_commits_have_one_and_nobody_asks_whether_it_still_answers() {
    let database = Database::new().await;
    let proxy = Proxy::before(shared_folder());
    let builder = PostgresStore::builder(&proxy.url(&database.url())).connections(4);
    let world = World::of(Arc::new(builder.open().await.unwrap()));
    let mut record = world.begin(&subject("alice")).await;
    record = replaced(&world, &record).await;
    let mut most = 0;
    for _ in 0..8 {
        let before = proxy.asked();
        world.one(sample::replace(&record)).await;
        most = most.max(proxy.asked() - before);
        record.version += 1;
    }
    // One of them may meet what the pool asks after the load before.
    assert!(most <= 2, "{most} messages for one commit");
    assert_eq!(database.count(COMMITTING).await, 1);
    let others = "pg_stat_activity WHERE datname = current_database() \
        AND application_name = 'handstamp'";
    assert!(database.count(others).await <= 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_for_commits_that_has_died_is_replaced_and_nothing_counts_twice() {
    let database = Database::new().await;
    let world = world(&database).await;
    let mut record = world.begin(&subject("alice")).await;
    for _ in 0..4 {
        record = replaced(&world, &record).await;
        database.run(&format!("SELECT pg_terminate_backend(pid) FROM {COMMITTING}")).await;
        record = replaced(&world, &record).await;
    }
    assert_eq!(record.version, 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_have_changed_meanwhile_is_met_and_not_what_is_known_by_heart() {
    let database = Database::new().await;
    let (one, two) = (world(&database).await, world(&database).await);
    let alice = subject("alice");
    let begun = one.begin(&alice).await;
    let by_two = replaced(&two, &begun).await;
    let outcome = one.try_one(sample::replace(&begun)).await;
    assert!(matches!(outcome, Outcome::Conflict(_)), "{outcome:?}");
    let by_one = replaced(&one, &by_two).await;
    assert!(two.touch(by_one.id, at(500)).await, "a touch moves no version");
    assert_eq!(replaced(&one, &by_one).await.last_seen, at(500), "and is kept");
    two.begin(&alice).await;
    one.begin(&alice).await;
    assert_eq!(two.head(&alice).await.live, 3, "the sessions of both count");
    two.change(HeadChange { disabled: Some(true), ..change_of(&alice) }).await;
    let outcome = one.try_one(sample::replace(&one.get(begun.id).await)).await;
    assert!(matches!(outcome, Outcome::Refused(Refusal::Disabled)), "{outcome:?}");
}

fn change_of(subject: &Subject) -> HeadChange {
    HeadChange::of(HeadTarget::Subject(subject.clone()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_others_have_removed_and_made_anew_counts_from_the_start() {
    let database = Database::new().await;
    let (one, two) = (world(&database).await, world(&database).await);
    let alice = subject("alice");
    let session = one.begin(&alice).await;
    one.end_at(&session, at(2)).await;
    assert_eq!(two.store.purge(at(1000), 10).await.unwrap(), 1);
    assert_eq!(two.head(&alice).await, Head::new(alice.clone()), "nothing is said of her");
    // As often written as the one before it, and nobody is live in either.
    two.change(HeadChange { disabled: Some(true), ..change_of(&alice) }).await;
    two.change(HeadChange { bump_epoch: Some(sample::end(at(3))), ..change_of(&alice) }).await;
    let outcome = one.try_one(sample::insert(&one.record(&alice))).await;
    assert!(matches!(outcome, Outcome::Refused(Refusal::Disabled)), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_transactions_see_one_moment_only_commits_are_right_all_the_same() {
    let database = Database::new().await;
    let level = "SET default_transaction_isolation = 'repeatable read'";
    database.run(&format!("ALTER DATABASE {} {level}", database.name())).await;
    let (one, two) = (world(&database).await, world(&database).await);
    let mut record = one.begin(&subject("alice")).await;
    for turn in 0..6 {
        record = replaced(if turn % 2 == 0 { &one } else { &two }, &record).await;
    }
    // Whoever ends everybody holds this lock; what a commit that waits for it sees is from before that.
    let mut ending = database.connect().await;
    let lock = "BEGIN; SELECT pg_advisory_xact_lock(5206528699579780432)";
    sqlx::raw_sql(lock).execute(&mut ending).await.unwrap();
    let begins = tokio::spawn(async move { one.begin(&subject("alice")).await });
    while database.count("pg_locks WHERE locktype = 'advisory' AND NOT granted").await == 0 {
        assert!(!begins.is_finished());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let end = "UPDATE handstamp.deployment SET epoch = epoch + 1; COMMIT";
    sqlx::raw_sql(end).execute(&mut ending).await.unwrap();
    assert_eq!(begins.await.unwrap().deployment_epoch, 1, "of the epoch that holds by then");
}
