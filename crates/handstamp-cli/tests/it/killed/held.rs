//! What the database of a service that was killed holds, against what its clients know.

use std::collections::BTreeMap;
use std::path::Path;

use handstamp_core::SessionId;
use handstamp_core::event::{Action, Event};
use handstamp_core::record::Record;
use handstamp_core::store::{Filter, Page, SessionStore};
use handstamp_sqlite::SqliteStore;

use super::clients::{Act, Client, Known};

/// Compares the database with what was acknowledged, and what was under way.
pub(super) fn agrees(database: &Path, clients: &[Client]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = SqliteStore::open(database).await.unwrap();
        holds(&store, clients).await;
    });
}

/// Compares what a store holds, whoever wrote it, with what was acknowledged, and what was under way.
pub(crate) async fn holds(store: &dyn SessionStore, clients: &[Client]) {
    let (records, events) = read(store).await;
    told_exactly(&records, &events);
    for client in clients {
        let of_client = records.values().filter(|record| {
            record.subject.as_ref().is_some_and(|subject| subject.as_str() == client.subject)
        });
        // A client does one thing at a time, so that one begin may have been under way at each kill.
        let unknown = of_client.filter(|record| !client.knows(record.id)).count();
        assert!(unknown <= client.kills(), "{unknown} sessions of {}", client.subject);
        for (id, known) in &client.sessions {
            let record = records.get(&id.parse().unwrap());
            let record =
                record.unwrap_or_else(|| panic!("session {id} was acknowledged and is lost"));
            is_as_known(record, known);
        }
    }
}

fn is_as_known(record: &Record, known: &Known) {
    let told = format!("{}: {known:?}", record.id);
    assert!(!known.is_ended || record.is_tombstone(), "it was ended and lives: {told}");
    let may_have_ended = known.is_ended || known.under_way == Some(Act::End);
    assert!(may_have_ended || !record.is_tombstone(), "nobody ended it: {told}");
    let refreshes = record.lineage.generation - 1;
    let at_most = known.refreshes + u32::from(known.under_way.is_some());
    assert!((known.refreshes..=at_most).contains(&refreshes), "{refreshes} refreshes: {told}");
}

/// The log tells each begin, each refresh and each end once, and of nothing else.
fn told_exactly(records: &BTreeMap<SessionId, Record>, events: &[Event]) {
    let mut told: BTreeMap<SessionId, (u32, u32, bool)> = BTreeMap::new();
    for event in events {
        let Some(id) = event.session else { continue };
        let (started, refreshed, ended) = told.entry(id).or_default();
        match event.action {
            Action::SessionStarted => *started += 1,
            Action::SessionRefreshed => *refreshed += 1,
            Action::SessionEnded => {
                assert!(!*ended, "{id} ended twice");
                *ended = true;
            }
            _ => {}
        }
    }
    let happened = records
        .values()
        .map(|record| (record.id, (1, record.lineage.generation - 1, record.is_tombstone())));
    assert_eq!(told, happened.collect());
}

async fn read(store: &dyn SessionStore) -> (BTreeMap<SessionId, Record>, Vec<Event>) {
    let mut events = Vec::new();
    for writer in store.writers().await.unwrap() {
        let batches = store.sealed(writer, 0, usize::MAX >> 1).await.unwrap();
        events.extend(batches.into_iter().flat_map(|batch| batch.events));
    }
    (records(store, &Filter::default()).await, events)
}

/// All records that a filter takes.
pub(crate) async fn records(
    store: &dyn SessionStore,
    filter: &Filter,
) -> BTreeMap<SessionId, Record> {
    let (mut records, mut page) = (BTreeMap::new(), Page::first(1000));
    loop {
        let found = store.scan(filter, &page).await.unwrap();
        records.extend(found.records.into_iter().map(|record| (record.id, record)));
        match found.next {
            Some(next) => page.after = Some(next),
            None => return records,
        }
    }
}
