//! Rows that cannot be read stand in nobody's way.

use std::sync::Arc;

use handstamp_core::conformance::World;
use handstamp_core::conformance::sample::{self, at, subject};
use handstamp_core::store::{EpochRule, Group, RecordChange};
use handstamp_postgres::testing::Database;

/// A page of tombstones and more, and all of the page cannot be read: what is personal in those after
/// it is erased all the same.
#[tokio::test(flavor = "multi_thread")]
async fn erasing_goes_on_after_a_page_of_tombstones_that_cannot_be_read() {
    let database = Database::new().await;
    let world = World::of(Arc::new(database.open().await));
    let alice = subject("alice");
    let records: Vec<_> = (0..260)
        .map(|_| {
            let mut record = world.record(&alice);
            record.label = Some("the laptop of Alice".into());
            record
        })
        .collect();
    world.commit(records.iter().map(sample::insert).collect()).await;
    let end = |record: &handstamp_core::record::Record| {
        let mut ended = record.clone();
        ended.version = 1;
        ended.end(sample::end(at(1)));
        let change =
            RecordChange::Replace { record: Box::new(ended), expected: 1, epoch: EpochRule::Keep };
        Group { record: Some(change), ..Group::new(sample::change_id()) }
    };
    world.commit(records.iter().map(end).collect()).await;
    let spoil = "UPDATE handstamp.sessions SET body = 'spoilt' WHERE id IN
        (SELECT id FROM handstamp.sessions ORDER BY created_at, id LIMIT 256)";
    assert_eq!(database.run(spoil).await, 256);
    let labelled = "handstamp.sessions WHERE label IS NOT NULL AND body <> 'spoilt'";
    assert_eq!(database.count(labelled).await, 4);
    world.store.erase(Some(&alice), &[]).await.unwrap();
    assert_eq!(database.count(labelled).await, 0);
}
