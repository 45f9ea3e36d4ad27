//! Several processes on one database.

use std::sync::Arc;
use std::time::Duration;

use handstamp_core::chain::{Link, verify_chain};
use handstamp_core::conformance::World;
use handstamp_core::conformance::sample::{self, at, subject};
use handstamp_core::event::Action;
use handstamp_core::id::SessionId;
use handstamp_core::store::{
    Change, Cursor, EpochRule, Group, Outcome, RecordChange, Refusal, SessionStore,
};
use handstamp_core::time::Timestamp;
use handstamp_core::{KeyRing, SessionConfig, SessionManager};
use handstamp_postgres::PostgresStore;
use sqlx::postgres::PgPoolOptions;

use handstamp_postgres::testing::Database;

/// Two nodes, which share their keys.
struct Nodes {
    database: Database,
    worlds: [World; 2],
}

impl Nodes {
    async fn new() -> Self {
        let database = Database::new().await;
        let first = World::of(Arc::new(database.open().await));
        let second = World { store: Arc::new(database.open().await), ..first.clone() };
        Self { database, worlds: [first, second] }
    }

    /// One of them, in turn.
    fn of(&self, turn: usize) -> World {
        self.worlds[turn % 2].clone()
    }
}

/// Runs `act` so many times at once, on one node and the other in turn.
async fn at_once<F>(nodes: &Nodes, count: usize, act: impl Fn(World, usize) -> F) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let tasks: Vec<_> = (0..count).map(|turn| tokio::spawn(act(nodes.of(turn), turn))).collect();
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await.unwrap());
    }
    done
}

async fn increment(world: World, id: SessionId) {
    let mut record = world.get(id).await;
    loop {
        let n: u64 = record.data.get("n").map_or(0, |n| n.parse().unwrap());
        record.data.insert("n".into(), (n + 1).to_string().into());
        match world.try_one(sample::replace(&record)).await {
            Outcome::Applied(_) => return,
            Outcome::Conflict(current) => record = current.record,
            other => panic!("a conflict or applied: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn b02_two_nodes_lose_no_update_of_one_session() {
    let nodes = Nodes::new().await;
    let id = nodes.of(0).begin(&subject("alice")).await.id;
    at_once(&nodes, 60, |world, _| increment(world, id)).await;
    let record = nodes.of(1).get(id).await;
    assert_eq!(record.data.get("n").map(|n| &**n), Some("60"));
    assert_eq!(record.version, 61, "one version for each");
}

#[tokio::test(flavor = "multi_thread")]
async fn b10_never_more_than_the_limit_are_live_whichever_node_is_asked() {
    const LIMIT: u32 = 5;
    let nodes = Nodes::new().await;
    let come = |world: World, _| async move {
        let record = world.record(&subject("alice"));
        world.try_one(sample::insert_within(&record, Some(LIMIT))).await
    };
    let outcomes = at_once(&nodes, LIMIT as usize + 50, come).await;
    let (mut applied, mut refused) = (0, 0);
    for outcome in outcomes {
        match outcome {
            Outcome::Applied(_) => applied += 1,
            Outcome::Refused(Refusal::Limit) => refused += 1,
            other => panic!("within the limit or not: {other:?}"),
        }
    }
    assert_eq!((applied, refused), (LIMIT, 50));
    assert_eq!(nodes.of(0).head(&subject("alice")).await.live, LIMIT);
    assert_eq!(nodes.of(0).listed(&subject("alice"), true).await.len(), LIMIT as usize);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_disable_that_was_acknowledged_nobody_begins_on_any_node() {
    let nodes = Nodes::new().await;
    for round in 0..10 {
        let who = subject(&format!("user-{round}"));
        let disabled = tokio::sync::watch::Sender::new(false);
        let (world, other) = (nodes.of(0), nodes.of(1));
        let (come, heard) = (who.clone(), disabled.subscribe());
        let coming = tokio::spawn(async move {
            loop {
                let was_disabled = *heard.borrow();
                let outcome = other.try_one(sample::insert(&other.record(&come))).await;
                match outcome {
                    Outcome::Applied(_) => assert!(!was_disabled, "one began too late"),
                    Outcome::Refused(Refusal::Disabled) => return,
                    other => panic!("in time or not: {other:?}"),
                }
            }
        });
        world.change(sample::disable(&who, true)).await;
        disabled.send_replace(true);
        coming.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_has_ended_no_other_brings_back() {
    let nodes = Nodes::new().await;
    for round in 0..10_usize {
        let record = nodes.of(0).begin(&subject("alice")).await;
        let (ender, saver) = (nodes.of(round), nodes.of(round + 1));
        let id = record.id;
        let saving = tokio::spawn(async move {
            let mut record = saver.get(id).await;
            loop {
                match saver.try_one(sample::replace(&record)).await {
                    Outcome::Applied(applied) => record.version = applied.version,
                    Outcome::Conflict(current) => record = current.record,
                    Outcome::Ended(_) => return,
                    other => panic!("saved or ended: {other:?}"),
                }
            }
        });
        end(&ender, id).await;
        assert!(ender.get(id).await.is_tombstone());
        saving.await.unwrap();
        assert!(nodes.of(0).get(id).await.is_tombstone(), "for ever");
    }
    assert_eq!(nodes.of(0).head(&subject("alice")).await.live, 0);
}

async fn end(world: &World, id: SessionId) {
    let mut record = world.get(id).await;
    loop {
        record.end(sample::end(at(5)));
        match world.try_one(sample::replace(&record)).await {
            Outcome::Applied(_) => return,
            Outcome::Conflict(current) => record = current.record,
            other => panic!("it ends: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybodys_end_by_one_node_is_the_end_of_what_the_others_began() {
    let nodes = Nodes::new().await;
    let come = |world: World, turn: usize| async move {
        if turn == 20 {
            world.change(sample::bump_deployment()).await;
            return None;
        }
        let record = world.record(&subject("alice"));
        let applied = world.one(sample::insert(&record)).await;
        Some((record.id, applied.deployment_epoch))
    };
    let begun = at_once(&nodes, 40, come).await;
    let mut live = 0;
    for (id, epoch) in begun.into_iter().flatten() {
        let mut record = nodes.of(1).get(id).await;
        assert_eq!(record.deployment_epoch, epoch);
        record.label = Some("goes on".into());
        match (nodes.of(1).try_one(sample::replace(&record)).await, epoch) {
            (Outcome::Refused(Refusal::Epoch), 0) => {}
            (Outcome::Applied(_), moved) if moved == sample::moved_epoch() => live += 1,
            other => panic!("dead before, live after: {other:?}"),
        }
    }
    assert_eq!(nodes.of(0).head(&subject("alice")).await.live, live);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_node_writes_a_chain_and_a_log_of_its_own() {
    let nodes = Nodes::new().await;
    let writers = nodes.worlds.each_ref().map(|world| world.store.meta().writer);
    assert_eq!(writers, [1, 2]);
    let log = |world: World, turn: usize| async move {
        let record = world.anonymous();
        let event = sample::event_of(&record, Action::SessionStarted, at(turn as u64));
        world.one(Group { events: vec![event], ..sample::insert(&record) }).await;
    };
    at_once(&nodes, 20, log).await;
    verifies(&nodes, 20).await;
    let (changes, cursor) = nodes.of(0).changes(&Cursor::default()).await;
    assert_eq!((changes.len(), cursor.0.split('.').count()), (20, 2), "{cursor:?}");
    assert_eq!(nodes.of(1).store.cursor().await.unwrap(), cursor);
}

/// So many events are in the chains, which verify.
async fn verifies(nodes: &Nodes, events: usize) {
    let (world, mut count) = (nodes.of(0), 0);
    for writer in world.store.writers().await.unwrap() {
        let batches = world.store.sealed(writer, 0, 1000).await.unwrap();
        verify_chain(&world.sealer, 0, Link::START, &batches).unwrap();
        count += batches.iter().map(|batch| batch.events.len()).sum::<usize>();
    }
    assert_eq!(count, events);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_nodes_do_to_a_session_is_told_in_the_order_in_which_they_did_it() {
    let nodes = Nodes::new().await;
    let id = nodes.of(0).begin(&subject("alice")).await.id;
    at_once(&nodes, 40, |world, _| increment(world, id)).await;
    let (changes, _) = nodes.of(0).changes(&Cursor::default()).await;
    let versions: Vec<u64> = changes
        .iter()
        .map(|change| match change {
            Change::Session { version, .. } => *version,
            other => panic!("a session's change: {other:?}"),
        })
        .collect();
    assert_eq!(versions, (1..=41).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_among_the_writers_is_taken_over_and_the_chain_goes_on() {
    let database = Database::new().await;
    let first = World::of(Arc::new(database.open().await));
    append(&first).await;
    let second = database.open().await;
    assert_eq!(second.meta().writer, 2, "the first lives");
    second.close().await.unwrap();
    let third = World { store: Arc::new(database.open().await), ..first.clone() };
    assert_eq!(third.store.meta().writer, 2, "who closes gives it back");
    append(&third).await;
    let nodes = Nodes { database, worlds: [first, third] };
    verifies(&nodes, 2).await;
}

async fn append(world: &World) {
    let event = sample::event(Action::StepUp, at(1));
    world.store.append(vec![event], &world.sealer).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_thought_dead_writes_another_chain_and_spoils_none() {
    let nodes = Nodes::new().await;
    append(&nodes.of(0)).await;
    nodes.database.bury().await;
    let third = World { store: Arc::new(nodes.database.open().await), ..nodes.of(0) };
    assert_eq!(third.store.meta().writer, 1, "the place of the first");
    append(&third).await;
    // It does not know, and must not go on where another goes on.
    append(&nodes.of(0)).await;
    append(&third).await;
    assert!(nodes.of(0).begin(&subject("alice")).await.version == 1);
    verifies(&nodes, 4).await;
    let one = nodes.of(0).store.sealed(1, 0, 10).await.unwrap();
    assert_eq!(one.len(), 3, "its first, and both of the new one");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_purgers_share_the_work() {
    let nodes = Nodes::new().await;
    let kept = nodes.of(0).begin(&subject("alice")).await;
    let mut groups = Vec::new();
    for turn in 0..60 {
        let record = nodes.of(0).insert(&nodes.of(0).record(&subject(&turn.to_string()))).await;
        let mut ended = record.clone();
        ended.end(sample::end(at(1)));
        let (expected, epoch) = (record.version, EpochRule::Keep);
        let change = RecordChange::Replace { record: Box::new(ended), expected, epoch };
        groups.push(Group { record: Some(change), ..Group::new(sample::change_id()) });
    }
    nodes.of(0).commit(groups).await;
    let purge =
        |world: World, _| async move { world.store.purge(Timestamp::MAX, 7).await.unwrap() };
    let mut removed = 0;
    for _ in 0..10 {
        removed += at_once(&nodes, 4, purge).await.iter().sum::<usize>();
    }
    assert_eq!(removed, 60, "each once");
    assert_eq!(nodes.of(0).get(kept.id).await, kept);
    let mut connection = nodes.database.connect().await;
    let heads = sqlx::query("SELECT 1 FROM handstamp.heads").fetch_all(&mut connection).await;
    assert_eq!(heads.unwrap().len(), 1, "heads that say nothing went too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_on_one_node_wakes_the_other() {
    let nodes = Nodes::new().await;
    let mut wakes = nodes.of(1).store.wakes().unwrap();
    // It says once that it listens.
    wakes.changed().await.unwrap();
    nodes.of(0).begin(&subject("alice")).await;
    let woken = tokio::time::timeout(Duration::from_secs(30), wakes.changed()).await;
    woken.expect("it wakes").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_group_with_a_nul_or_a_long_text_fails_or_not_by_itself() {
    let database = Database::new().await;
    let world = World::of(Arc::new(database.open().await) as Arc<dyn SessionStore>);
    let long = |bytes: usize| {
        let mut record = world.record(&subject("alice"));
        record.client.user_agent = Some("x".repeat(bytes).into());
        sample::insert(&record)
    };
    let mut spoilt = world.anonymous();
    spoilt.client.device = Some("a \0 b".into());
    let mut event = sample::event(Action::StepUp, at(1));
    event.error = Some("\0".into());
    let loud = Group { events: vec![event], ..sample::insert(&world.anonymous()) };
    let fine = sample::insert(&world.anonymous());
    let groups = vec![fine, sample::insert(&spoilt), long(64 * 1024), loud, long(17 << 20)];
    let outcomes = world.commit(groups).await;
    let is_applied: Vec<bool> =
        outcomes.iter().map(|outcome| matches!(outcome, Outcome::Applied(_))).collect();
    assert_eq!(is_applied, [true, false, true, false, false], "{outcomes:?}");
    let invalid = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Invalid(_)));
    assert_eq!(invalid.count(), 3);
}

/// What the server alone finds out, as it would a fault that nobody foresaw.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_refuses_of_one_group_spoils_no_other() {
    let database = Database::new().await;
    let rule = "ALTER TABLE handstamp.sessions ADD CHECK (label <> 'refused')";
    database.run(rule).await;
    let world = World::of(Arc::new(database.open().await) as Arc<dyn SessionStore>);
    let labelled = |label: &str| {
        let mut record = world.record(&subject("alice"));
        record.label = Some(label.into());
        let event = sample::event_of(&record, Action::SessionStarted, at(1));
        Group { events: vec![event], ..sample::insert(&record) }
    };
    let depends = Group { only_if: Some(1), ..labelled("c") };
    let groups = vec![labelled("a"), labelled("refused"), labelled("b"), depends];
    let outcomes = world.commit(groups).await;
    assert!(matches!(outcomes[0], Outcome::Applied(_)), "{outcomes:?}");
    assert!(matches!(outcomes[1], Outcome::Invalid(_)), "{outcomes:?}");
    assert!(matches!(outcomes[2], Outcome::Applied(_)), "{outcomes:?}");
    assert_eq!(outcomes[3], Outcome::Skipped);
    assert_eq!(world.head(&subject("alice")).await.live, 2);
    let batches = world.store.sealed(1, 0, 10).await.unwrap();
    assert_eq!(batches.iter().map(|batch| batch.events.len()).sum::<usize>(), 2);
    verify_chain(&world.sealer, 0, Link::START, &batches).unwrap();
}

/// An address may hold a password.
#[test]
fn how_a_store_is_opened_shows_no_password() {
    let builder = PostgresStore::builder("postgres://me:hunter2@host/db");
    assert!(!format!("{builder:?}").contains("hunter2"));
}

/// The server's clock is ten minutes ahead of this machine's: the search path finds another one, that of
/// a pool which the application brings.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_clock_is_off_goes_by_the_clock_of_the_server() {
    const TEN_MINUTES: i64 = 600_000;
    let database = Database::new().await;
    let ahead = "CREATE SCHEMA ahead; CREATE FUNCTION ahead.clock_timestamp() RETURNS TIMESTAMPTZ
        LANGUAGE SQL AS $$ SELECT pg_catalog.clock_timestamp() + INTERVAL '10 minutes' $$;";
    database.run(ahead).await;
    let path = format!("ALTER DATABASE {} SET search_path = ahead, pg_catalog", database.name());
    database.run(&path).await;
    let keys = KeyRing::generate().unwrap();
    let config = SessionConfig::default();
    let pool = PgPoolOptions::new().connect(&database.url()).await.unwrap();
    let sessions = SessionManager::new(PostgresStore::on(pool).await.unwrap(), config, keys);
    let offset = sessions.clock_offset().await.unwrap().unwrap();
    assert!((offset.machine + TEN_MINUTES).abs() < TEN_MINUTES / 2, "it is noticed: {offset:?}");
    assert!(offset.sessions.abs() < TEN_MINUTES / 2, "it does no harm: {offset:?}");
    let begun = sessions.begin("ada").await.unwrap();
    let age = sessions.now().since(begun.record.created_at).as_millis();
    assert!(age < TEN_MINUTES.unsigned_abs().into(), "{age} ms");
}
