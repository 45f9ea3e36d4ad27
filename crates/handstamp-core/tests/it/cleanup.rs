//! A cleanup beside requests.

use std::sync::Arc;
use std::time::Duration;

use handstamp_core::store::MemoryStore;
use handstamp_core::testing::{GateStore, ManualClock};
use handstamp_core::time::Timestamp;
use handstamp_core::{KeyRing, SessionConfig, SessionManager};

const SESSIONS: usize = 300;

/// Longer than any session here lives, and shorter than its tombstone is kept.
const DAYS: Duration = Duration::from_secs(3 * 86_400);

/// Longer than any tombstone is kept.
const LONG: Duration = Duration::from_secs(400 * 86_400);

/// Somebody signs in every millisecond, until this is aborted.
fn requests(sessions: &SessionManager) -> tokio::task::JoinHandle<()> {
    let sessions = sessions.clone();
    tokio::spawn(async move {
        for number in 0_u64.. {
            sessions.begin(format!("other-{number}")).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
}

#[tokio::test(start_paused = true)]
async fn beside_requests_all_that_is_due_ends_and_goes_in_small_steps() {
    let gate = GateStore::new(MemoryStore::new());
    let clock = ManualClock::at(Timestamp::from_millis(1_700_000_000_000));
    let keys = KeyRing::generate().unwrap();
    let sessions = SessionManager::builder(gate.clone(), SessionConfig::default(), keys);
    let sessions = sessions.clock(Arc::clone(&clock)).maintenance(false).build();
    for number in 0..SESSIONS {
        sessions.begin(format!("user-{number}")).await.unwrap();
    }
    clock.advance(DAYS);
    let others = requests(&sessions);
    let ended = sessions.cleanup().await.unwrap();
    assert_eq!((ended.ended, ended.purged), (SESSIONS, 0));
    others.abort();
    clock.advance(LONG);
    let others = requests(&sessions);
    let before = gate.counts().purge;
    assert!(sessions.cleanup().await.unwrap().purged >= SESSIONS);
    others.abort();
    assert!(gate.counts().purge - before >= SESSIONS as u64 / 16, "purged in large steps");
}
