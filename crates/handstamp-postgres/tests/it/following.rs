//! Following what other nodes do when nobody wakes, when the way to listen breaks, and when commits
//! appear in another order than they were written in.

use std::time::{Duration, Instant};

use handstamp_core::conformance::World;
use handstamp_core::conformance::sample::subject;
use handstamp_core::store::SessionStore;
use handstamp_core::{KeyRing, SessionConfig, SessionError, SessionManager};
use handstamp_postgres::testing::Database;
use std::sync::Arc;

/// Nobody is notified, and each writer's commits lie there, written and invisible, for a time of their
/// own: a function that has another name in this database and a trigger see to it.
const DEAF_AND_LATE: &str = "
ALTER FUNCTION pg_catalog.pg_notify(TEXT, TEXT) RENAME TO pg_notify_no_more;
CREATE SCHEMA deaf;
CREATE FUNCTION deaf.late() RETURNS TRIGGER LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(0.15 * (NEW.writer % 3)); RETURN NEW; END $$;
CREATE TRIGGER late AFTER INSERT ON handstamp.changes
    FOR EACH ROW EXECUTE FUNCTION deaf.late();";

const CUT_LISTENERS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND query ILIKE 'LISTEN%'";

async fn node(database: &Database, keys: &KeyRing) -> SessionManager {
    SessionManager::new(database.open().await, SessionConfig::default(), keys.clone())
}

/// Three nodes end sessions at once, in any order, and nobody wakes the fourth: from the moment an end
/// is acknowledged its cookie is taken no longer than the lease lasts.
#[tokio::test(flavor = "multi_thread")]
async fn ends_that_nobody_tells_of_and_that_appear_in_any_order_bite_within_the_lease() {
    let database = Database::new().await;
    database.run(DEAF_AND_LATE).await;
    let keys = KeyRing::generate().unwrap();
    let mut writers = Vec::new();
    for _ in 0..3 {
        writers.push(node(&database, &keys).await);
    }
    let follower = node(&database, &keys).await;
    let (mut worst, mut accepted) = (Duration::ZERO, 0);
    for round in 0..4 {
        let ends: Vec<_> = writers
            .iter()
            .map(|writer| tokio::spawn(end_beside(writer.clone(), follower.clone())))
            .collect();
        if round % 2 == 1 {
            database.run(CUT_LISTENERS).await;
        }
        for end in ends {
            let (late, count) = end.await.unwrap();
            worst = worst.max(late);
            accepted += count;
        }
    }
    println!("accepted {accepted} times after the end, at the latest {worst:?} after it");
    assert!(accepted > 0, "the follower asks its memory, or this shows nothing");
    assert!(worst <= follower.config().lease(), "{worst:?}");
    assert_eq!(follower.following().unwrap().gaps, 0);
}

/// Ends a session on one node while another goes on to take its cookie; answers when it did so last,
/// counted from the acknowledgement, and how often after it.
async fn end_beside(writer: SessionManager, follower: SessionManager) -> (Duration, u32) {
    let cookie = writer.begin("ada").await.unwrap().token.to_text().to_string();
    follower.load(&cookie).await.unwrap();
    writer.load(&cookie).await.unwrap().logout().await.unwrap();
    let acknowledged = Instant::now();
    let (mut last, mut count) = (Duration::ZERO, 0);
    loop {
        let asked = acknowledged.elapsed();
        match follower.load(&cookie).await {
            Ok(_) => (last, count) = (asked, count + 1),
            Err(SessionError::Ended { .. }) => return (last, count),
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Who listens and is cut off says that something may have been missed, and listens again.
#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_is_cut_off_says_so_and_listens_again() {
    let database = Database::new().await;
    let first = World::of(Arc::new(database.open().await));
    let second = database.open().await;
    let mut wakes = second.wakes().unwrap();
    wakes.changed().await.unwrap();
    assert_eq!(database.run(CUT_LISTENERS).await, 1, "one listens");
    let told = tokio::time::timeout(Duration::from_secs(30), wakes.changed()).await;
    told.expect("it says that it may have missed something").unwrap();
    for _ in 0..300 {
        first.begin(&subject("alice")).await;
        let woken = tokio::time::timeout(Duration::from_millis(100), wakes.changed()).await;
        if woken.is_ok() {
            return;
        }
    }
    panic!("nobody listens any more");
}
