//! Answers that are lost, and a server that stops.

use std::sync::Arc;
use std::time::Duration;

use handstamp_core::chain::{Link, verify_chain};
use handstamp_core::conformance::World;
use handstamp_core::conformance::sample::{self, at, subject};
use handstamp_core::event::Action;
use handstamp_core::id::SessionId;
use handstamp_core::store::{Batch, Durability, Found, Group, Outcome, SessionStore, StoreError};
use handstamp_postgres::PostgresStore;

use handstamp_postgres::testing::{Database, Server, shared_folder};
use handstamp_postgres::testing::{Loses, Proxy};

async fn through(proxy: &Proxy, database: &Database) -> World {
    let builder = PostgresStore::builder(&proxy.url(&database.url()));
    let store = builder.connections(4).patience(Duration::from_millis(500)).open().await.unwrap();
    World::of(Arc::new(store))
}

fn told(world: &World) -> Group {
    let record = world.record(&subject("alice"));
    let event = sample::event_of(&record, Action::SessionStarted, at(1));
    Group { events: vec![event], ..sample::insert(&record) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_request_or_answer_is_lost_is_applied_once() {
    let database = Database::new().await;
    let proxy = Proxy::before(shared_folder());
    let world = through(&proxy, &database).await;
    for (turn, loses) in [Loses::Answer, Loses::Request, Loses::Answer].into_iter().enumerate() {
        proxy.loses(loses);
        let applied = world.one(told(&world)).await;
        assert_eq!(applied.head.unwrap().live as usize, turn + 1, "{loses:?}");
        assert_eq!(proxy.lost() as usize, turn + 1);
    }
    let batches = world.store.sealed(1, 0, 10).await.unwrap();
    verify_chain(&world.sealer, 0, Link::START, &batches).unwrap();
    assert_eq!(batches.len(), 3, "each once");
    assert_eq!(world.listed(&subject("alice"), true).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_can_tell_the_answer_is_unknown_and_the_change_can_be_found_out() {
    let database = Database::new().await;
    let proxy = Proxy::before(shared_folder());
    let world = through(&proxy, &database).await;
    // From here on the process knows where its chain ends.
    world.one(told(&world)).await;
    proxy.loses(Loses::AnswerAndWay);
    let group = told(&world);
    let (id, change) = (group.record.as_ref().unwrap().record().id, group.change_id);
    let batch = Batch::new(vec![group], world.sealer.clone());
    let lost = world.store.commit(batch).await;
    assert!(matches!(lost, Err(StoreError::Unknown(_))), "{lost:?}");
    assert!(matches!(world.store.load(&[id]).await, Err(StoreError::Unavailable(_))));
    proxy.loses(Loses::Nothing);
    assert_eq!(world.get(id).await.change_id, change, "it was applied");
    world.one(told(&world)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_server_that_stops_at_once() {
    let server = tokio::task::spawn_blocking(|| Server::start(&[])).await.unwrap();
    server.create("shop", "template0").await;
    let store = PostgresStore::open(&server.url("shop")).await.unwrap();
    assert_eq!(store.capabilities().durability, Durability::Synced);
    let world = World::of(Arc::new(store));
    let tasks: Vec<_> = (0..8).map(|turn| tokio::spawn(load(world.clone(), turn))).collect();
    let server = tokio::task::spawn_blocking(move || {
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(300));
            server.crash();
        }
        server
    });
    let _server = server.await.unwrap();
    let mut acknowledged = Vec::new();
    for task in tasks {
        acknowledged.extend(task.await.unwrap());
    }
    let found = world.load(&acknowledged).await.found;
    let is_there = |found: &Found| matches!(found, Found::Record(_));
    assert!(found.iter().all(is_there), "of {} some are lost", found.len());
    let mut events = 0;
    for writer in world.store.writers().await.unwrap() {
        let batches = world.store.sealed(writer, 0, 100_000).await.unwrap();
        verify_chain(&world.sealer, 0, Link::START, &batches).unwrap();
        events += batches.iter().map(|batch| batch.events.len()).sum::<usize>();
    }
    assert!(events >= acknowledged.len(), "every change has its event");
}

/// Begins sessions, whatever comes of it; answers which of them were acknowledged.
async fn load(world: World, turn: u64) -> Vec<SessionId> {
    let mut acknowledged = Vec::new();
    for round in 0..60_u64 {
        let record = world.record(&subject(&format!("{turn}-{round}")));
        let event = sample::event_of(&record, Action::SessionStarted, at(round));
        let group = Group { events: vec![event], ..sample::insert(&record) };
        let batch = Batch::new(vec![group], world.sealer.clone());
        match world.store.commit(batch).await.as_deref() {
            Ok([Outcome::Applied(_)]) => acknowledged.push(record.id),
            Ok(other) => panic!("nothing stands in its way: {other:?}"),
            Err(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    acknowledged
}
