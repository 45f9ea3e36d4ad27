//! What a manager does by itself while the hours go by.

use std::sync::Arc;
use std::time::Duration;

use handstamp_core::record::EndReason;
use handstamp_core::store::{Found, MemoryStore, SessionStore};
use handstamp_core::testing::ManualClock;
use handstamp_core::time::Timestamp;
use handstamp_core::{KeyRing, SessionConfig, SessionId, SessionManager};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

struct World {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    sessions: SessionManager,
}

impl World {
    fn new(has_maintenance: bool) -> Self {
        let store = Arc::new(MemoryStore::new());
        let clock = ManualClock::at(Timestamp::from_millis(1_700_000_000_000));
        let config = SessionConfig::default().edit().cleanup_every(5 * MINUTE).build().unwrap();
        let keys = KeyRing::generate().unwrap();
        let sessions = SessionManager::builder(Arc::clone(&store), config, keys)
            .clock(Arc::clone(&clock))
            .maintenance(has_maintenance)
            .build();
        Self { store, clock, sessions }
    }

    /// What the store, and no cache, knows of a session.
    async fn stored(&self, id: SessionId) -> Stored {
        match self.store.load(&[id]).await.unwrap().found.pop() {
            Some(Found::Record(loaded)) => match &loaded.record.ended {
                Some(ended) => Stored::Ended(ended.reason),
                None => Stored::Open,
            },
            _ => Stored::Nothing,
        }
    }
}

#[derive(PartialEq, Debug)]
enum Stored {
    Open,
    Ended(EndReason),
    Nothing,
}

#[tokio::test(start_paused = true)]
async fn n10_what_is_due_ends_at_the_next_cleanup_and_goes_when_its_tombstone_is_old() {
    let world = World::new(true);
    let id = world.sessions.begin("ann").await.unwrap().record.id;

    world.clock.advance(25 * HOUR);
    tokio::time::sleep(4 * MINUTE).await;
    assert_eq!(world.stored(id).await, Stored::Open, "five minutes have not passed");
    tokio::time::sleep(MINUTE + 10 * SECOND).await;
    assert_eq!(world.stored(id).await, Stored::Ended(EndReason::Idle));

    world.clock.advance(31 * 24 * HOUR);
    tokio::time::sleep(5 * MINUTE).await;
    assert_eq!(world.stored(id).await, Stored::Nothing, "its tombstone went");
}

#[tokio::test(start_paused = true)]
async fn n10_a_manager_without_maintenance_cleans_up_when_it_is_asked_only() {
    let world = World::new(false);
    let id = world.sessions.begin("ann").await.unwrap().record.id;
    world.clock.advance(25 * HOUR);
    tokio::time::sleep(HOUR).await;
    assert_eq!(world.stored(id).await, Stored::Open);
    assert_eq!(world.sessions.cleanup().await.unwrap().ended, 1);
    assert_eq!(world.stored(id).await, Stored::Ended(EndReason::Idle));
}
