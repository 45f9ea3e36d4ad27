//! When a node cannot reach the store, or comes back to it.

use std::time::Duration;

use super::two::{Node, Nodes, all_at_once};
use crate::error::SessionError;
use crate::record::EndReason;
use crate::session::Ending;
use crate::testing::{Call, Failure, When};

/// Within the lease a node that lost the store goes on; after it every check is an error and never a
/// yes; when the store is back, so is the answer.
pub async fn a_store_out_of_reach_is_an_error_once_the_lease_has_lapsed(nodes: Nodes) {
    let cookie = nodes.a.cookie("ada").await;
    nodes.b.warm(&cookie).await;
    nodes.b.gate.set_down(true);
    nodes.load_for_free(&cookie).await;
    nodes.clock.advance(nodes.lease());
    for _ in 0..3 {
        let refused = nodes.b.refusal(&cookie).await;
        assert!(matches!(refused, Some(SessionError::Unavailable(_))), "{refused:?}");
        assert!(nodes.b.sessions.catch_up().await.is_err());
    }
    assert!(!nodes.b.sessions.following().unwrap().is_trusted);
    nodes.b.gate.set_down(false);
    nodes.b.warm(&cookie).await;
    assert!(nodes.b.sessions.following().unwrap().is_trusted);
}

/// Streams close on a node that lost the store, and only there: "not known" is never a yes.
pub async fn what_is_open_closes_where_nobody_can_say_whether_its_session_lives(nodes: Nodes) {
    let cookie = nodes.a.cookie("ada").await;
    nodes.a.warm(&cookie).await;
    nodes.b.warm(&cookie).await;
    let on = async |node: &Node| tokio::spawn(node.load(&cookie).await.ended());
    let (on_a, on_b) = (on(&nodes.a).await, on(&nodes.b).await);
    nodes.b.gate.set_down(true);
    nodes.clock.advance(nodes.lease());
    let closed = tokio::time::timeout(Duration::from_secs(60), on_b).await;
    let ending = closed.expect("it closes within a minute").unwrap();
    assert_eq!(ending, Ending::Unconfirmed);
    assert!(!on_a.is_finished(), "the other has lost nothing");
    on_a.abort();
}

impl Nodes {
    async fn load_for_free(&self, cookie: &str) {
        assert_eq!(self.b.costs(cookie).await, 0, "within the lease the cache says yes");
    }
}

/// A node whose reads of the log fail, and nothing else, judges by the store itself.
pub async fn a_node_that_cannot_read_the_log_judges_by_the_store(nodes: Nodes) {
    let (ended, other) = (nodes.a.cookie("ada").await, nodes.a.cookie("bob").await);
    nodes.b.warm(&ended).await;
    nodes.b.gate.fail_next(Call::Changes, Failure::Unavailable);
    assert!(nodes.b.sessions.catch_up().await.is_err());
    nodes.clock.advance(nodes.lease());
    nodes.a.sign_out(&ended).await;
    nodes.b.assert_ended(&ended, EndReason::Logout).await;
    for _ in 0..2 {
        assert!(nodes.b.costs(&other).await > 0, "each check asks");
    }
    assert_eq!(nodes.b.sessions.following().unwrap().failures, 1);
}

/// When the store comes back, 400 who want 100 sessions are served by a few calls, never more than
/// four at once.
pub async fn a_store_that_comes_back_is_not_run_over(nodes: Nodes) {
    const AT_ONCE: u64 = 4;
    let mut cookies = Vec::new();
    for n in 0..100 {
        cookies.push(nodes.a.cookie(&format!("user-{n}")).await);
    }
    nodes.b.catch_up().await;
    let before = nodes.b.gate.counts().load;
    let held: Vec<_> = (0..AT_ONCE).map(|_| nodes.b.gate.hold(Call::Load, When::Before)).collect();
    let requests = (0..4).flat_map(|_| cookies.clone()).map(|cookie| {
        let sessions = nodes.b.sessions.clone();
        async move { sessions.load(&cookie).await.map(drop) }
    });
    let requests = all_at_once(requests).await;
    for held in &held {
        held.arrived().await;
    }
    assert_eq!(nodes.b.gate.counts().load - before, AT_ONCE, "never more than four at once");
    held.into_iter().for_each(crate::testing::Held::release);
    for request in requests {
        request.await.unwrap().unwrap();
    }
    let calls = nodes.b.gate.counts().load - before;
    assert!(calls <= 20, "{calls} calls for 400 requests");
}

/// Two hundred requests of one session at once cost one or two loads.
pub async fn many_who_ask_for_one_session_share_a_load(nodes: Nodes) {
    let cookie = nodes.a.cookie("ada").await;
    let before = nodes.b.gate.counts().load;
    let held = nodes.b.gate.hold(Call::Load, When::Before);
    let ask = |_| {
        let (sessions, cookie) = (nodes.b.sessions.clone(), cookie.clone());
        async move { sessions.load(&cookie).await.map(drop) }
    };
    let first = tokio::spawn(ask(0));
    held.arrived().await;
    let others = all_at_once((1..200).map(ask)).await;
    held.release();
    first.await.unwrap().unwrap();
    for other in others {
        other.await.unwrap().unwrap();
    }
    let loads = nodes.b.gate.counts().load - before;
    assert!(loads <= 5, "{loads} loads: whoever comes while one is under way shares the next");
}

/// Nobody is taken for anybody else's answer: a load that fails is an error for those who waited for
/// it, and the next succeeds.
pub async fn a_load_that_fails_is_an_error_for_all_who_wait(nodes: Nodes) {
    let cookie = nodes.a.cookie("ada").await;
    nodes.b.gate.fail_next(Call::Load, Failure::Unavailable);
    let refused = nodes.b.refusal(&cookie).await;
    assert!(matches!(refused, Some(SessionError::Unavailable(_))), "{refused:?}");
    nodes.b.load(&cookie).await;
}
