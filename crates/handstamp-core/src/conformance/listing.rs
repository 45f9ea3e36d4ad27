//! C20, C21, C23: lists.

use super::fixture::Fixture;
use super::sample::{self, at, subject};
use super::world::World;
use crate::id::{SessionId, Subject};
use crate::record::{Kind, Record};
use crate::roles::Roles;
use crate::store::{Census, Cursor, EventFilter, Filter, Page, StoreError};

/// **C20** A subject's sessions are listed newest first, each once, also while others begin.
pub async fn c20_a_subjects_sessions_are_listed_once_each(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let alice = subject("alice");
    world.begin(&subject("bob")).await;
    let mut records = Vec::new();
    // Not in the order in which they are inserted, and several of one time.
    for seconds in [30, 10, 20, 20, 20, 50, 40] {
        records.push(world.begin_at(&alice, at(seconds)).await);
    }
    let mut all = newest_first(&records);
    let tombstone = world.end_at(&records[2], at(60)).await.id;
    assert_eq!(world.listed(&alice, true).await, all);
    all.retain(|id| *id != tombstone);
    assert_eq!(world.listed(&alice, false).await, all, "tombstones only if asked for");
    assert!(world.listed(&subject("eve"), true).await.is_empty());
    let none = world.store.by_subject(&alice, true, &Page::first(0)).await;
    assert_eq!(none.expect("a list is answered").records.len(), 1, "a limit is at least 1");
    pages_while_others_begin(&world, &alice, &all).await;
}

pub(super) fn newest_first(records: &[Record]) -> Vec<SessionId> {
    let mut keys: Vec<_> = records.iter().map(|record| (record.created_at, record.id)).collect();
    keys.sort_unstable();
    keys.into_iter().rev().map(|(_, id)| id).collect()
}

async fn pages_while_others_begin(world: &World, subject: &Subject, all: &[SessionId]) {
    let (mut seen, mut page) = (Vec::new(), Page::first(2));
    loop {
        let answer = world.store.by_subject(subject, false, &page).await;
        let answer = answer.expect("a list is answered");
        seen.extend(answer.records.iter().map(|record| record.id));
        let Some(next) = answer.next else { break };
        page.after = Some(next);
        world.begin_at(subject, at(1000)).await;
    }
    assert_eq!(seen, all, "whoever was there at the start is listed once");
}

/// **C21** A scan lets through what its filter says; a filter not declared is refused.
pub async fn c21_a_scan_filters_as_declared(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let records = varied(&world).await;
    for filter in simple_filters(&records) {
        agrees(&world, &records, &filter).await;
    }
    for filter in further_filters() {
        if world.store.capabilities().has_filters {
            agrees(&world, &records, &filter).await;
            let both = Filter { subject: Some(subject("alice")), ..filter };
            agrees(&world, &records, &both).await;
        } else {
            let answer = world.store.scan(&filter, &Page::default()).await;
            assert!(matches!(answer, Err(StoreError::Unsupported(_))), "{filter:?}: {answer:?}");
        }
    }
}

async fn agrees(world: &World, records: &[Record], filter: &Filter) {
    let wanted: Vec<_> = records.iter().filter(|record| filter.accepts(record)).cloned().collect();
    let seen: Vec<_> = world.scanned(filter).await.iter().map(|record| record.id).collect();
    assert_eq!(seen, newest_first(&wanted), "{filter:?}");
}

async fn varied(world: &World) -> Vec<Record> {
    let (alice, bob) = (subject("alice"), subject("bob"));
    let roles = Roles::new(["editor"]).expect("a role");
    let meta = world.store.meta();
    let samples = [
        Record { created_at: at(1), ..world.record(&alice) },
        Record { created_at: at(2), roles, last_seen: at(20), ..world.record(&alice) },
        Record { created_at: at(3), ..sample::full_record(meta, &alice) },
        Record { created_at: at(3), client: sample::client(), ..world.record(&bob) },
        Record { created_at: at(4), last_seen: at(30), ..world.anonymous() },
        Record { created_at: at(5), ..sample::full_record(meta, &bob) },
    ];
    let mut records = Vec::new();
    for record in samples {
        records.push(world.insert(&record).await);
    }
    records[5] = world.end_at(&records[5], at(60)).await;
    records
}

fn simple_filters(records: &[Record]) -> [Filter; 6] {
    let nothing = Filter::default;
    [
        nothing(),
        Filter { subject: Some(subject("alice")), ..nothing() },
        Filter { id: Some(records[3].id), ..nothing() },
        Filter { is_live: Some(true), ..nothing() },
        Filter { is_live: Some(false), ..nothing() },
        Filter { id: Some(records[3].id), subject: Some(subject("alice")), ..nothing() },
    ]
}

fn further_filters() -> Vec<Filter> {
    let nothing = Filter::default;
    let client = sample::client();
    vec![
        Filter { kind: Some(Kind::Guest), ..nothing() },
        Filter { kind: Some(Kind::Anonymous), ..nothing() },
        Filter { ip: client.ip, ..nothing() },
        Filter { device: client.device.clone(), ..nothing() },
        Filter { device: Some("Sample".into()), ..nothing() },
        Filter { country: Some("NZ".into()), ..nothing() },
        Filter { role: Some("editor".into()), ..nothing() },
        Filter { role: Some("edit".into()), ..nothing() },
        Filter { created_after: Some(at(3)), ..nothing() },
        Filter { created_before: Some(at(3)), ..nothing() },
        Filter { seen_after: Some(at(20)), ..nothing() },
        Filter { seen_before: Some(at(20)), ..nothing() },
        Filter { kind: Some(Kind::Guest), is_live: Some(true), ..nothing() },
    ]
}

/// **C23** A cursor that the store did not give is refused, wherever there is one.
pub async fn c23_a_foreign_cursor_is_refused(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let alice = subject("alice");
    world.begin(&alice).await;
    for text in ["not a cursor", "-", "\u{1f36a}", "' OR 1=1 --"] {
        let page = Page { limit: 10, after: Some(text.into()) };
        let listed = world.store.by_subject(&alice, true, &page).await.map(|_| ());
        let scanned = world.store.scan(&Filter::default(), &page).await.map(|_| ());
        let events = world.store.events(&EventFilter::default(), &page).await.map(|_| ());
        let changes = world.store.changes(&Cursor(text.into()), 10).await.map(|_| ());
        for (what, answer) in
            [("list", listed), ("scan", scanned), ("events", events), ("changes", changes)]
        {
            assert!(matches!(answer, Err(StoreError::BadCursor)), "{what} by {text:?}: {answer:?}");
        }
    }
}

/// **C43** `census` counts all records, the live and the tombstones.
pub async fn c43_a_census_counts_the_live_and_the_ended(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let census = async || world.store.census().await.expect("a census is answered");
    assert_eq!(census().await, Census::default());
    let alice = subject("alice");
    let mut begun = Vec::new();
    for _ in 0..3 {
        begun.push(world.begin(&alice).await);
    }
    world.insert(&world.anonymous()).await;
    assert_eq!(census().await, Census { live: 4, ended: 0 });
    world.end_at(&begun[0], at(10)).await;
    world.end_at(&begun[1], at(20)).await;
    assert_eq!(census().await, Census { live: 2, ended: 2 });
    world.store.purge(at(10), 10).await.expect("a purge is answered");
    assert_eq!(census().await, Census { live: 2, ended: 1 });
}
