//! A server that has lost commits, as one without `synchronous_commit` after a crash, or a replica
//! that was behind and took over: what is committed then has the numbers of what was lost.

use handstamp_core::{KeyRing, SessionConfig, SessionError, SessionManager};
use handstamp_postgres::testing::Database;

/// What commits write.
const TABLES: [&str; 7] =
    ["changes", "events", "batches", "writers", "heads", "sessions", "deployment"];

/// Two nodes of which nothing happens by itself, and a database that can lose what they commit.
struct Losing {
    database: Database,
    a: SessionManager,
    b: SessionManager,
}

impl Losing {
    async fn new() -> Self {
        let (database, keys) = (Database::new().await, KeyRing::generate().unwrap());
        let (a, b) = (node(&database, &keys).await, node(&database, &keys).await);
        database.run("CREATE SCHEMA safe").await;
        Self { database, a, b }
    }

    /// What is committed from now on is lost by [`Self::lose`].
    async fn is_safe_so_far(&self) {
        for table in TABLES {
            let keep = format!("CREATE TABLE safe.{table} AS TABLE handstamp.{table}");
            self.database.run(&keep).await;
        }
    }

    async fn lose(&self) {
        for table in TABLES {
            let lose = format!(
                "DO $$ DECLARE names TEXT; BEGIN
                    SELECT string_agg(quote_ident(attname), ', ') INTO names FROM pg_attribute
                        WHERE attrelid = 'handstamp.{table}'::regclass AND attnum > 0
                        AND attgenerated = '' AND NOT attisdropped;
                    DELETE FROM handstamp.{table};
                    EXECUTE format('INSERT INTO handstamp.{table} (%s) SELECT %s FROM safe.{table}',
                        names, names);
                END $$"
            );
            self.database.run(&lose).await;
        }
    }

    async fn catch_up(&self) {
        self.a.catch_up().await.unwrap();
        self.b.catch_up().await.unwrap();
    }
}

async fn node(database: &Database, keys: &KeyRing) -> SessionManager {
    let store = database.open().await;
    let builder = SessionManager::builder(store, SessionConfig::default(), keys.clone());
    builder.maintenance(false).build()
}

async fn begin(node: &SessionManager, user: &str) -> String {
    node.begin(user).await.unwrap().token.to_text().to_string()
}

async fn sign_out(node: &SessionManager, cookie: &str) {
    node.load(cookie).await.unwrap().logout().await.unwrap();
}

async fn is_good(node: &SessionManager, cookie: &str) -> bool {
    match node.load(cookie).await {
        Ok(_) => true,
        Err(SessionError::Ended { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

/// The end has the number of a line that was read before it was lost.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_after_commits_were_lost_bites_on_a_node_that_had_read_them() {
    let nodes = Losing::new().await;
    let cookie = begin(&nodes.a, "ada").await;
    nodes.catch_up().await;
    assert!(is_good(&nodes.b, &cookie).await);
    nodes.is_safe_so_far().await;
    for user in ["lost", "and gone"] {
        begin(&nodes.a, user).await;
    }
    nodes.b.catch_up().await.unwrap();
    nodes.lose().await;
    sign_out(&nodes.a, &cookie).await;
    for round in 0..4 {
        begin(&nodes.a, &format!("new {round}")).await;
    }
    nodes.b.catch_up().await.unwrap();
    assert_eq!(nodes.b.following().unwrap().gaps, 1);
    assert!(!is_good(&nodes.b, &cookie).await);
}

/// The end has the version of a change that was lost, and the log as read goes on from before both.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_of_the_same_version_as_a_change_that_was_lost_bites() {
    let nodes = Losing::new().await;
    let cookie = begin(&nodes.a, "ada").await;
    nodes.catch_up().await;
    nodes.is_safe_so_far().await;
    let session = nodes.a.load(&cookie).await.unwrap();
    session.set("n", &1).unwrap();
    session.commit().await.unwrap();
    assert!(is_good(&nodes.b, &cookie).await, "in the version that will be lost");
    nodes.lose().await;
    sign_out(&nodes.a, &cookie).await;
    nodes.b.catch_up().await.unwrap();
    assert_eq!(nodes.b.following().unwrap().gaps, 0);
    assert!(!is_good(&nodes.b, &cookie).await);
}

/// Who has taken in that everybody was ended refuses nobody any more once that was lost.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_of_everybody_that_was_lost_is_over_with_it() {
    let nodes = Losing::new().await;
    begin(&nodes.a, "ada").await;
    nodes.catch_up().await;
    nodes.is_safe_so_far().await;
    nodes.a.end_everybody(Some("the operator")).await.unwrap();
    nodes.catch_up().await;
    nodes.lose().await;
    nodes.catch_up().await;
    for (on, other) in [(&nodes.a, &nodes.b), (&nodes.b, &nodes.a)] {
        let cookie = begin(on, "bob").await;
        assert!(is_good(on, &cookie).await && is_good(other, &cookie).await);
    }
}

/// A node that finds out by a commit that its own were lost holds nothing of them any more, though
/// its log goes on as if nothing had been.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_own_commits_were_lost_starts_afresh() {
    let nodes = Losing::new().await;
    nodes.catch_up().await;
    begin(&nodes.a, "ada").await;
    nodes.catch_up().await;
    nodes.is_safe_so_far().await;
    let lost = begin(&nodes.a, "lost").await;
    assert!(is_good(&nodes.a, &lost).await);
    nodes.lose().await;
    begin(&nodes.a, "new").await;
    nodes.a.catch_up().await.unwrap();
    assert_eq!(nodes.a.following().unwrap().gaps, 1);
    let known = nodes.a.load(&lost).await;
    assert!(matches!(known, Err(SessionError::NotFound)), "{known:?}");
}
