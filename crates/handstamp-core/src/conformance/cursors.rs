//! C38: the end of the change log.

use super::fixture::Fixture;
use super::sample;
use super::world::World;
use crate::store::Cursor;

/// **C38** The cursor is at the end of the change log, and tells how far it has come.
pub async fn c38_the_cursor_is_at_the_end_of_the_log(fixture: &dyn Fixture) {
    let world = World::open(fixture).await;
    let mut record = world.insert(&world.anonymous()).await;
    for _ in 0..3 {
        let cursor = world.store.cursor().await.expect("a cursor is answered");
        let (all, end) = world.changes(&Cursor::default()).await;
        assert!(
            !all.is_empty() && world.changes(&cursor).await.0.is_empty(),
            "nothing is left out"
        );
        assert_eq!(cursor, end, "it is where a reader of all has come to");
        let before = positions(&cursor);
        record.version = world.one(sample::replace(&record)).await.version;
        let (later, end) = world.changes(&cursor).await;
        assert_eq!(later.len(), 1, "what is applied later comes after it");
        assert!(is_further(&positions(&end), &before), "{end:?} is after {cursor:?}");
    }
}

/// The positions that a cursor is written of, whatever a store has added to each.
fn positions(cursor: &Cursor) -> Vec<(u64, u64)> {
    let bare = |text: &str| text.splitn(3, '-').take(2).collect::<Vec<_>>().join("-");
    let positions = cursor.0.split('.').map(|text| Cursor(bare(text)).position());
    positions.collect::<Option<_>>().expect("a cursor is written as positions")
}

fn is_further(one: &[(u64, u64)], other: &[(u64, u64)]) -> bool {
    let number = |log| one.iter().find(|(at, _)| at == log).map_or(0, |(_, number)| *number);
    one != other && other.iter().all(|(log, before)| number(log) >= *before)
}
