//! C38: the end of the change log.

use super::fixture::Fixture;
use super::sample;
use super::world::World;
use crate::store::Cursor;

/// **C38** The cursor is at the end of the change log.
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
        record.version = world.one(sample::replace(&record)).await.version;
        assert_eq!(world.changes(&cursor).await.0.len(), 1, "what is applied later comes after it");
    }
}
