//! A damaged row concerns its own session only.

use handstamp_core::id::Subject;
use handstamp_core::store::{Batch, Found, Outcome, Page, RecordChange, SessionStore, StoreError};

use crate::fixture::{Place, find, group, id, load, record};

#[tokio::test]
async fn a_damaged_record_is_refused_and_all_others_are_served() {
    let damages = [
        "body = '{'",
        "data = 'not JSON'",
        "kind = 'dreamer'",
        "version = -1",
        "roles = 'a,b,' || char(10)",
        "subject = ''",
        "ip = 'somewhere'",
        "ended_at = 5",
    ];
    for damage in damages {
        let place = Place::new();
        let store = place.open().await;
        place.insert(&store, 1).await.unwrap();
        place.insert(&store, 2).await.unwrap();
        let broken = format!("UPDATE sessions SET {damage} WHERE id = x'{}'", hex(1));
        assert_eq!(place.meddle(&broken), 1, "{damage}");
        let found = load(&store, id(1)).await;
        assert!(matches!(found, Found::Corrupt(_)), "{damage}: {found:?}");
        assert_eq!(find(&store, id(2)).await, record(2));
    }
}

#[tokio::test]
async fn a_list_leaves_a_damaged_record_out() {
    let place = Place::new();
    let store = place.open().await;
    for n in 1..=3 {
        place.insert(&store, n).await.unwrap();
    }
    place.meddle(&format!("UPDATE sessions SET body = '{{' WHERE id = x'{}'", hex(2)));
    let alice = Subject::new("alice").unwrap();
    let page = store.by_subject(&alice, true, &Page::first(10)).await.unwrap();
    assert_eq!(page.records, [record(3), record(1)]);
}

#[tokio::test]
async fn a_change_of_a_damaged_record_is_invalid_and_its_batch_mates_are_applied() {
    let place = Place::new();
    let store = place.open().await;
    place.insert(&store, 1).await.unwrap();
    place.meddle("UPDATE sessions SET version = -1");
    let change = RecordChange::Replace {
        record: Box::new(record(1)),
        expected: 1,
        epoch: handstamp_core::store::EpochRule::Keep,
    };
    let mate = RecordChange::Insert { record: Box::new(record(2)), limit: None };
    let groups = vec![group(change), group(mate)];
    let outcomes = store.commit(Batch::new(groups, place.sealer.clone())).await.unwrap();
    assert!(matches!(&outcomes[..], [Outcome::Invalid(_), Outcome::Applied(_)]), "{outcomes:?}");
}

#[tokio::test]
async fn a_group_that_the_database_refuses_is_invalid_and_its_batch_mates_are_applied() {
    let place = Place::new();
    let store = place.open().await;
    let refuse = format!(
        "CREATE TRIGGER no BEFORE INSERT ON events WHEN new.session = x'{}'
         BEGIN SELECT raise(ABORT, 'no'); END",
        hex(2)
    );
    store.on_writer(move |connection| connection.execute_batch(&refuse)).await.unwrap();
    let insert = |n| group(RecordChange::Insert { record: Box::new(record(n)), limit: None });
    let groups = vec![insert(1), insert(2), insert(3)];
    let outcomes = store.commit(Batch::new(groups, place.sealer.clone())).await.unwrap();
    assert!(
        matches!(&outcomes[..], [Outcome::Applied(_), Outcome::Invalid(_), Outcome::Applied(_)]),
        "{outcomes:?}"
    );
    assert_eq!(load(&store, id(2)).await, Found::Missing, "its record is taken back");
    let heads = store.heads(&[Subject::new("alice").unwrap()]).await.unwrap();
    assert_eq!(heads[0].live, 2, "its head is taken back");
    assert_eq!(place.events(&store).await, 2, "its events are taken back");
}

#[tokio::test]
async fn a_cursor_that_was_tampered_with_is_refused() {
    let place = Place::new();
    let store = place.open().await;
    place.insert(&store, 1).await.unwrap();
    place.insert(&store, 2).await.unwrap();
    let page = store.scan(&Default::default(), &Page::first(1)).await.unwrap();
    let cursor = page.next.unwrap();
    let flipped = if cursor.starts_with('A') { "B" } else { "A" }.to_owned() + &cursor[1..];
    for bad in [flipped.as_str(), "", "x", "AAAA", &cursor[..cursor.len() - 4]] {
        let page = Page { limit: 1, after: Some(bad.to_owned()) };
        let error = store.scan(&Default::default(), &page).await.expect_err(bad);
        assert!(matches!(error, StoreError::BadCursor), "{error:?}");
    }
    let other = Page { limit: 1, after: Some(cursor) };
    let error = store.events(&Default::default(), &other).await.expect_err("of another list");
    assert!(matches!(error, StoreError::BadCursor), "{error:?}");
}

fn hex(n: u8) -> String {
    format!("{n:02x}").repeat(18)
}
