//! Several nodes on one memory: the whole suite, and what only a store shows that a test can bend.

use std::sync::Arc;
use std::time::Duration;

use handstamp_core::conformance::Fixture;
use handstamp_core::record::EndReason;
use handstamp_core::store::{BoxFuture, SessionStore};
use handstamp_core::testing::{ManualClock, MemoryNode, SharedMemory};
use handstamp_core::time::Timestamp;
use handstamp_core::{KeyRing, SessionConfig, SessionError, SessionManager};

/// Data that several nodes share, for one test.
#[derive(Default)]
struct Shared {
    memory: std::sync::Mutex<SharedMemory>,
}

impl Fixture for Shared {
    fn open(&self) -> BoxFuture<'_, Arc<dyn SessionStore>> {
        let memory = SharedMemory::new();
        *self.memory.lock().unwrap() = memory.clone();
        Box::pin(async move { Arc::new(memory.node().await) as _ })
    }

    fn another<'a>(
        &'a self,
        _: &'a Arc<dyn SessionStore>,
    ) -> BoxFuture<'a, Option<Arc<dyn SessionStore>>> {
        let memory = self.memory.lock().unwrap().clone();
        Box::pin(async move { Some(Arc::new(memory.node().await) as _) })
    }
}

mod contract {
    handstamp_core::conformance_suite!(super::Shared::default);
}

handstamp_core::nodes_suite!(Shared::default);

/// Two nodes whose stores a test can bend.
struct Bent {
    clock: Arc<ManualClock>,
    nodes: [MemoryNode; 2],
    sessions: [SessionManager; 2],
}

impl Bent {
    async fn new(runs_by_itself: bool) -> Self {
        let (memory, clock) =
            (SharedMemory::new(), ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let keys = KeyRing::generate().unwrap();
        let nodes = [memory.node().await, memory.node().await];
        let sessions = nodes.clone().map(|node| {
            let config = SessionConfig::default();
            let builder = SessionManager::builder(node, config, keys.clone());
            builder.clock(Arc::clone(&clock)).maintenance(runs_by_itself).build()
        });
        Self { clock, nodes, sessions }
    }

    async fn cookie(&self) -> String {
        let begun = self.sessions[0].begin("ada").await.unwrap();
        begun.token.to_text().to_string()
    }

    async fn is_good(&self, node: usize, cookie: &str) -> bool {
        match self.sessions[node].load(cookie).await {
            Ok(_) => true,
            Err(SessionError::Ended { reason: EndReason::Logout, .. }) => false,
            Err(error) => panic!("{error}"),
        }
    }

    async fn sign_out(&self, node: usize, cookie: &str) {
        self.sessions[node].load(cookie).await.unwrap().logout().await.unwrap();
    }

    async fn catch_up(&self, node: usize) {
        self.sessions[node].catch_up().await.unwrap();
    }
}

/// Commits of two writers become visible in either order: what appears late is not skipped.
#[tokio::test]
async fn what_another_writer_committed_earlier_and_appears_later_is_not_skipped() {
    let bent = Bent::new(false).await;
    let (early, late) = (bent.cookie().await, bent.cookie().await);
    bent.catch_up(1).await;
    assert!(bent.is_good(1, &early).await && bent.is_good(1, &late).await);
    bent.nodes[0].hold_changes(true).await;
    bent.sign_out(0, &late).await;
    bent.sign_out(1, &early).await;
    bent.catch_up(1).await;
    bent.nodes[0].hold_changes(false).await;
    bent.catch_up(1).await;
    assert!(!bent.is_good(1, &late).await);
    bent.catch_up(0).await;
    assert!(!bent.is_good(0, &early).await);
}

/// What is heard of late and is older than what is held takes nothing away and brings nothing back.
#[tokio::test]
async fn an_older_change_that_is_heard_of_later_is_no_news() {
    let bent = Bent::new(false).await;
    let cookie = bent.cookie().await;
    bent.catch_up(1).await;
    bent.nodes[0].hold_changes(true).await;
    let session = bent.sessions[0].load(&cookie).await.unwrap();
    session.set("n", &1).unwrap();
    session.commit().await.unwrap();
    bent.sign_out(1, &cookie).await;
    bent.catch_up(1).await;
    bent.nodes[0].hold_changes(false).await;
    bent.catch_up(1).await;
    assert!(!bent.is_good(1, &cookie).await);
    bent.catch_up(0).await;
    assert!(!bent.is_good(0, &cookie).await);
}

/// A log that does not reach back makes a node forget all it holds.
#[tokio::test]
async fn a_gap_in_the_log_drops_the_cache() {
    let bent = Bent::new(false).await;
    let (ended, other) = (bent.cookie().await, bent.cookie().await);
    bent.catch_up(1).await;
    assert!(bent.is_good(1, &ended).await && bent.is_good(1, &other).await);
    let waiting = tokio::spawn(bent.sessions[1].load(&ended).await.unwrap().ended());
    bent.sign_out(0, &ended).await;
    bent.nodes[0].shared().forget_changes().await;
    bent.catch_up(1).await;
    assert_eq!(bent.sessions[1].following().unwrap().gaps, 1);
    assert!(!bent.is_good(1, &ended).await);
    assert!(bent.is_good(1, &other).await);
    waiting.await.unwrap();
}

/// Nobody calls anything: a wake-up, or else the next look, tells the other node.
#[tokio::test(start_paused = true)]
async fn a_node_follows_by_itself() {
    let bent = Bent::new(true).await;
    let cookie = bent.cookie().await;
    assert!(bent.is_good(1, &cookie).await);
    tokio::time::sleep(Duration::from_millis(20)).await;
    bent.sign_out(0, &cookie).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(bent.sessions[1].following().unwrap().is_trusted);
    assert!(!bent.is_good(1, &cookie).await, "a wake-up told");
    let cookie = bent.cookie().await;
    assert!(bent.is_good(1, &cookie).await);
    bent.nodes[0].hold_changes(true).await;
    bent.sign_out(0, &cookie).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(bent.is_good(1, &cookie).await, "nothing is told yet");
    bent.clock.advance(Duration::from_secs(10));
    assert!(!bent.is_good(1, &cookie).await, "the lease has lapsed");
}

/// A node that nobody holds any more stops to follow.
#[tokio::test(start_paused = true)]
async fn a_node_that_nobody_holds_stops_to_follow() {
    let bent = Bent::new(true).await;
    bent.cookie().await;
    let Bent { sessions: [a, b], .. } = bent;
    b.catch_up().await.unwrap();
    let before = b.following().unwrap().reads;
    drop(a);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(b.following().unwrap().reads > before);
    let engine = Arc::downgrade(b.engine());
    drop(b);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(engine.upgrade().is_none());
}

const TEN_MINUTES: i64 = 10 * 60 * 1000;

/// A node whose machine is ten minutes off goes by the store's clock, like all others, and can say so.
#[tokio::test]
async fn a_node_whose_clock_is_off_goes_by_the_clock_of_the_store() {
    for ahead in [TEN_MINUTES, -TEN_MINUTES] {
        let keys = KeyRing::generate().unwrap();
        let node = SharedMemory::ahead_by(ahead).node().await;
        let store = node.clone();
        let sessions = SessionManager::new(node, SessionConfig::default(), keys);
        let begun = sessions.begin("ada").await.unwrap();
        let there = store.time().await.unwrap().unwrap();
        let apart = there.as_millis() - begun.record.created_at.as_millis();
        assert!(apart.abs() < TEN_MINUTES / 2, "sessions begin by the store's clock: {apart} ms");
        let offset = sessions.clock_offset().await.unwrap().unwrap();
        assert!((offset.machine + ahead).abs() < TEN_MINUTES / 2, "{offset:?}");
        assert!(offset.sessions.abs() < TEN_MINUTES / 2, "{offset:?}");
    }
}

#[tokio::test]
async fn a_store_without_a_clock_of_its_own_is_no_measure() {
    let keys = KeyRing::generate().unwrap();
    let node = SharedMemory::new().node().await;
    let sessions = SessionManager::new(node, SessionConfig::default(), keys);
    assert_eq!(sessions.clock_offset().await.unwrap(), None);
}
