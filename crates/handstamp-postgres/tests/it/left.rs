//! A node that hung while everything was taken to another store, and wakes up after it: what it writes
//! to the old store is refused, of whatever kind it is, and so is what it asks there of sessions.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use handstamp_core::chain::ChainEnd;
use handstamp_core::conformance::World;
use handstamp_core::conformance::sample::{self, at, subject};
use handstamp_core::event::Action;
use handstamp_core::ledger::{Ledger, Put, Written};
use handstamp_core::record::Record;
use handstamp_core::store::{Batch, Cursor, Group, SessionStore, StoreError};
use handstamp_core::testing::ManualClock;
use handstamp_core::time::Timestamp;
use handstamp_core::transfer::{Portable, Standing, TransferError};
use handstamp_core::{KeyRing, SessionConfig, SessionError, SessionManager};
use handstamp_postgres::testing::Database;
use handstamp_postgres::{PostgresContent, PostgresError, PostgresStore};

use crate::tables::of_the_first_version;

const COPY: u128 = 7;

const SECOND: Duration = Duration::from_secs(1);

/// Everything that is in it, as one text.
const ALL: &str = "SELECT md5(concat_ws('|',
    (SELECT string_agg(s::TEXT, ',' ORDER BY id) FROM handstamp.sessions s),
    (SELECT string_agg(h::TEXT, ',' ORDER BY subject) FROM handstamp.heads h),
    (SELECT string_agg(b::TEXT, ',' ORDER BY session) FROM handstamp.bindings b),
    (SELECT string_agg(e::TEXT, ',' ORDER BY place) FROM handstamp.events e),
    (SELECT string_agg(b::TEXT, ',' ORDER BY writer, number) FROM handstamp.batches b),
    (SELECT string_agg(c::TEXT, ',') FROM handstamp.cuts c),
    (SELECT string_agg(e::TEXT, ',') FROM handstamp.erased e),
    (SELECT string_agg(l::TEXT, ',' ORDER BY shelf, key) FROM handstamp.ledger l),
    (SELECT string_agg(f::TEXT, ',' ORDER BY report, bucket, at, name) FROM handstamp.figures f),
    (SELECT string_agg(v::TEXT, ',' ORDER BY bucket, at, subject, ip) FROM handstamp.visits v),
    (SELECT string_agg(o::TEXT, ',' ORDER BY id) FROM handstamp.open_sessions o),
    (SELECT string_agg(r::TEXT, ',' ORDER BY writer) FROM handstamp.rolled_up r)))";

/// A store with a bit of everything, and the node that serves from it.
struct Behind {
    database: Database,
    store: Arc<PostgresStore>,
    world: World,
    live: Record,
    ended: Record,
    ends: Vec<ChainEnd>,
}

impl Behind {
    async fn new() -> Self {
        let database = Database::new().await;
        // What waits for a row waits until the test lets go.
        let builder = database.builder().patience(Duration::from_secs(60));
        let store = Arc::new(builder.open().await.unwrap());
        let world = World::of(Arc::clone(&store) as Arc<dyn SessionStore>);
        let (live, ended) = (begin(&world).await, begin(&world).await);
        let ended = world.end_at(&ended, at(1)).await;
        let put = Put::new("shelf", "key", "it").unwrap();
        assert!(matches!(store.write(vec![put]).await, Ok(Written::Applied(_))));
        store.roll_up(1000).await.unwrap();
        let ends = store.ends(Timestamp::MAX).await.unwrap();
        assert_eq!(ends.len(), 1, "it has events");
        Self { database, store, world, live, ended, ends }
    }

    /// The node hangs, and the store is left.
    async fn left() -> Self {
        let behind = Self::new().await;
        behind.leave().await;
        behind
    }

    async fn content(&self) -> PostgresContent {
        PostgresContent::look(&self.database.url()).await.unwrap()
    }

    async fn leave(&self) {
        let content = self.content().await;
        loop {
            self.database.bury().await;
            match content.leave(COPY).await {
                // It said just now that it lives.
                Err(TransferError::InUse(_)) => {}
                left => return left.unwrap(),
            }
        }
    }

    async fn all(&self) -> String {
        let mut connection = self.database.connect().await;
        sqlx::query_scalar(ALL).fetch_one(&mut connection).await.unwrap()
    }

    /// Refused, and nothing is otherwise than before.
    async fn refuses<T: Debug>(&self, act: impl Future<Output = Result<T, StoreError>>) {
        let before = self.all().await;
        let answer = act.await;
        let Err(StoreError::Unavailable(why)) = answer else { panic!("{answer:?}") };
        assert!(why.to_string().contains("no longer"), "{why}");
        assert_eq!(self.all().await, before);
    }
}

/// A session with an event that has a personal part.
async fn begin(world: &World) -> Record {
    let record = world.record(&subject("alice"));
    let event = sample::event_of(&record, Action::SessionStarted, at(1));
    world.one(Group { events: vec![event], ..sample::insert(&record) }).await;
    world.get(record.id).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_left_behind_keeps_and_removes_no_document() {
    let behind = Behind::left().await;
    let put = Put::new("shelf", "new", "it").unwrap();
    behind.refuses(behind.store.write(vec![put])).await;
    behind.refuses(behind.store.write(vec![Put::removal("shelf", "key")])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_left_behind_notes_no_activity() {
    let behind = Behind::left().await;
    let later = behind.live.last_seen.plus(SECOND);
    behind.refuses(behind.store.touch(&[(behind.live.id, later)])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_left_behind_purges_nothing() {
    let behind = Behind::left().await;
    assert!(behind.ended.is_tombstone());
    behind.refuses(behind.store.purge(Timestamp::MAX, 10)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_left_behind_erases_nobody_and_cuts_no_chain() {
    let behind = Behind::left().await;
    let (store, ends) = (&behind.store, &behind.ends);
    behind.refuses(store.erase(Some(&subject("alice")), ends)).await;
    behind.refuses(store.erase(None, ends)).await;
    behind.refuses(store.cut(ends, &behind.world.sealer)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_left_behind_adds_nothing_up() {
    let behind = Behind::left().await;
    behind.refuses(behind.store.roll_up(1000)).await;
    behind.refuses(behind.store.forget(&subject("alice"))).await;
    behind.refuses(behind.store.trim(Timestamp::MAX)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_left_behind_binds_no_device() {
    let behind = Behind::left().await;
    behind.refuses(behind.store.bind(behind.live.id, None, Some(vec![1]))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_left_behind_changes_no_session_and_adds_no_event() {
    let behind = Behind::left().await;
    let (store, sealer) = (&behind.store, &behind.world.sealer);
    let group = sample::replace(&behind.live);
    behind.refuses(store.commit(Batch::new(vec![group], sealer.clone()))).await;
    let event = sample::event(Action::SignInFailed, at(2));
    behind.refuses(store.append(vec![event], sealer)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_left_behind_is_told_so_by_what_it_asks_of_sessions() {
    let behind = Behind::left().await;
    let store = &behind.store;
    behind.refuses(store.load(&[])).await;
    behind.refuses(store.load(&[behind.live.id])).await;
    behind.refuses(store.load(&[behind.live.id, behind.ended.id])).await;
    behind.refuses(store.heads(&[subject("alice")])).await;
    behind.refuses(store.changes(&Cursor::default(), 10)).await;
    behind.refuses(store.cursor()).await;
    behind.content().await.stay().await.unwrap();
    let found = store.load(&[behind.live.id]).await.unwrap().found;
    assert_eq!(found.len(), 1);
    assert!(behind.world.touch(behind.live.id, behind.live.last_seen.plus(SECOND)).await);
    begin(&behind.world).await;
}

/// Whatever is being written when the store is left is in it before, and so is taken along.
#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_a_store_waits_for_what_is_being_written() {
    let behind = Behind::new().await;
    let mut other = behind.database.connect().await;
    let hold = "BEGIN; SELECT 1 FROM handstamp.sessions FOR UPDATE";
    sqlx::raw_sql(hold).execute(&mut other).await.unwrap();
    let (store, id) = (Arc::clone(&behind.store), behind.live.id);
    let later = behind.live.last_seen.plus(SECOND);
    let touch = tokio::spawn(async move { store.touch(&[(id, later)]).await });
    waits(&behind.database, "transactionid").await;
    behind.database.bury().await;
    let content = behind.content().await;
    let leave = tokio::spawn(async move { content.leave(COPY).await });
    waits(&behind.database, "advisory").await;
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    assert_eq!(touch.await.unwrap().unwrap(), 1);
    leave.await.unwrap().unwrap();
    behind.refuses(behind.store.touch(&[(id, later.plus(SECOND))])).await;
}

/// Returns once somebody waits for a lock of this kind.
async fn waits(database: &Database, kind: &str) {
    let waiting = format!(
        "pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
         AND wait_event = '{kind}'"
    );
    for _ in 0..6000 {
        if database.count(&waiting).await > 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("nobody waits for {kind}");
}

/// A check is answered from what the node holds for as long as its lease lasts, and from a store that
/// was left never.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_left_behind_takes_no_session_beyond_its_lease() {
    let behind = Behind::new().await;
    let clock = ManualClock::at(Timestamp::from_millis(1_800_000_000_000));
    let keys = KeyRing::generate().unwrap();
    let store = behind.database.open().await;
    let builder = SessionManager::builder(store, SessionConfig::default(), keys);
    let sessions = builder.clock(Arc::clone(&clock)).maintenance(false).build();
    sessions.catch_up().await.unwrap();
    let cookie = sessions.begin("ada").await.unwrap().token.to_text().to_string();
    behind.store.roll_up(1000).await.unwrap();
    behind.leave().await;
    assert!(matches!(sessions.catch_up().await, Err(SessionError::Unavailable(_))));
    assert!(sessions.load(&cookie).await.is_ok(), "for as long as the lease lasts");
    clock.advance(sessions.config().lease());
    assert!(matches!(sessions.load(&cookie).await, Err(SessionError::Unavailable(_))));
    assert!(!sessions.following().unwrap().is_trusted);
    behind.content().await.stay().await.unwrap();
    assert!(sessions.load(&cookie).await.is_ok());
}

/// A database that was left by a version that knew of no such column is still left once it is brought up.
#[tokio::test]
async fn a_store_that_was_left_before_it_was_brought_up_is_left_afterwards() {
    let database = of_the_first_version().await;
    let left = Standing::Left(COPY).to_text().unwrap();
    let mark = format!("INSERT INTO handstamp.ledger VALUES ('store', 'standing', 1, '{left}')");
    database.run(&mark).await;
    let refused = database.builder().open().await.expect_err("it was left");
    assert!(matches!(refused, PostgresError::Left), "{refused:?}");
}
