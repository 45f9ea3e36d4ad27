//! What one node does is known on the other: after its next read, at the latest with its lease.

use std::time::Duration;

use super::two::{Nodes, all_at_once};
use crate::conformance::engine::id_of;
use crate::error::SessionError;
use crate::record::EndReason;
use crate::session::Ending;
use crate::testing::{Call, When};

const MILLI: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);

/// An end on one node is refused on the other after its next complete read; until it ends, a check
/// costs the other nothing.
pub async fn an_end_elsewhere_bites_at_the_next_read(nodes: Nodes) {
    let cookie = nodes.a.cookie("ada").await;
    nodes.b.warm(&cookie).await;
    nodes.a.sign_out(&cookie).await;
    nodes.b.catch_up().await;
    nodes.b.assert_ended(&cookie, EndReason::Logout).await;
    nodes.a.assert_ended(&cookie, EndReason::Logout).await;
}

/// A node that reads nothing any more refuses at the latest when its lease lapses.
pub async fn an_end_elsewhere_bites_when_the_lease_lapses(nodes: Nodes) {
    let cookie = nodes.a.cookie("ada").await;
    nodes.b.warm(&cookie).await;
    nodes.a.sign_out(&cookie).await;
    nodes.clock.advance(nodes.lease());
    nodes.b.assert_ended(&cookie, EndReason::Logout).await;
}

/// What is committed while the answer of a read is on its way was not read: the lease counts from
/// the start.
pub async fn a_lease_counts_from_the_start_of_the_read(nodes: Nodes) {
    let cookie = nodes.a.cookie("ada").await;
    nodes.b.warm(&cookie).await;
    let held = nodes.b.gate.hold(Call::Changes, When::After);
    let reading = nodes.b.sessions.clone();
    let read = tokio::spawn(async move { reading.catch_up().await });
    held.arrived().await;
    nodes.a.sign_out(&cookie).await;
    nodes.clock.advance(nodes.lease() - MILLI);
    held.release();
    read.await.unwrap().unwrap();
    assert_eq!(nodes.b.costs(&cookie).await, 0, "the lease is good for a moment");
    nodes.clock.advance(MILLI);
    nodes.b.assert_ended(&cookie, EndReason::Logout).await;
}

/// A machine that was suspended trusts nothing when it wakes.
pub async fn time_spent_suspended_counts_against_the_lease(nodes: Nodes) {
    let (ended, other) = (nodes.a.cookie("ada").await, nodes.a.cookie("bob").await);
    nodes.b.warm(&ended).await;
    nodes.b.warm(&other).await;
    nodes.clock.advance(MINUTE * 30);
    nodes.a.sign_out(&ended).await;
    nodes.b.assert_ended(&ended, EndReason::Logout).await;
    assert!(nodes.b.costs(&other).await > 0, "the store was asked");
    nodes.b.catch_up().await;
    nodes.b.load(&other).await;
    assert_eq!(nodes.b.costs(&other).await, 0);
}

/// A load that had the session before it ended brings nothing into the cache and is no answer.
pub async fn a_load_that_races_an_end_elsewhere_is_thrown_away(nodes: Nodes) {
    let cookie = nodes.a.cookie("ada").await;
    nodes.b.catch_up().await;
    let held = nodes.b.gate.hold(Call::Load, When::After);
    let (sessions, asked) = (nodes.b.sessions.clone(), cookie.clone());
    let load = tokio::spawn(async move { sessions.load(&asked).await });
    held.arrived().await;
    nodes.a.sign_out(&cookie).await;
    nodes.b.catch_up().await;
    held.release();
    let refused = load.await.unwrap().err();
    assert!(matches!(refused, Some(SessionError::Ended { .. })), "{refused:?}");
    nodes.b.assert_ended(&cookie, EndReason::Logout).await;
}

/// A commit whose answer comes after a later one of another node was heard of leaves nothing in the
/// cache.
pub async fn a_commit_that_races_one_elsewhere_is_not_held(nodes: Nodes) {
    let cookie = nodes.a.cookie("ada").await;
    nodes.b.warm(&cookie).await;
    let session = nodes.b.load(&cookie).await;
    session.set("n", &1).unwrap();
    let held = nodes.b.gate.hold(Call::Commit, When::After);
    let commit = tokio::spawn(async move { session.commit().await });
    held.arrived().await;
    nodes.a.sign_out(&cookie).await;
    nodes.b.catch_up().await;
    held.release();
    commit.await.unwrap().unwrap();
    nodes.b.assert_ended(&cookie, EndReason::Logout).await;
}

/// Streams on any node close when a session ends on one, by its own end or by that of its subject's.
pub async fn whoever_waits_for_the_end_hears_of_one_elsewhere(nodes: Nodes) {
    let (one, all) = (nodes.a.cookie("ada").await, nodes.a.cookie("bob").await);
    nodes.b.catch_up().await;
    let waiting = [nodes.b.load(&one).await.ended(), nodes.b.load(&all).await.ended()];
    let waiting = waiting.map(tokio::spawn);
    nodes.a.sign_out(&one).await;
    let bob = nodes.a.load(&all).await.record().unwrap().subject.clone().unwrap();
    nodes.a.sessions.end_all(&bob, None, EndReason::LogoutAll, None).await.unwrap();
    nodes.b.catch_up().await;
    for (waiting, expected) in waiting.into_iter().zip([EndReason::Logout, EndReason::LogoutAll]) {
        let ending = tokio::time::timeout(Duration::from_secs(20), waiting).await;
        let ending = ending.expect("it is told within 20 s").unwrap();
        assert!(matches!(ending, Ending::Ended { reason, .. } if reason == expected), "{ending:?}");
    }
}

/// A cache may only say yes: what it still holds as set aside is looked up.
pub async fn what_was_set_aside_and_taken_back_elsewhere_is_no_longer_refused(nodes: Nodes) {
    let cookie = nodes.a.cookie("ada").await;
    let id = id_of(&cookie);
    nodes.a.sessions.suspend(id, None, None).await.unwrap();
    nodes.b.catch_up().await;
    assert!(matches!(nodes.b.refusal(&cookie).await, Some(SessionError::Suspended)));
    nodes.a.sessions.resume(id, None).await.unwrap();
    let session = nodes.b.load(&cookie).await;
    session.set("n", &1).unwrap();
    nodes.a.sessions.suspend(id, None, None).await.unwrap();
    nodes.a.sessions.resume(id, None).await.unwrap();
    session.commit().await.unwrap();
    assert_eq!(nodes.a.load(&cookie).await.get::<u8>("n").unwrap(), Some(1));
}

/// A value that the cache of one node has already is written all the same, if another node has put
/// something else in its place.
pub async fn a_change_that_only_seems_to_change_nothing_is_made(nodes: Nodes) {
    let cookie = nodes.a.cookie("ada").await;
    let set = async |node: &super::Node, value: u8| {
        let session = node.load(&cookie).await;
        session.set("n", &value).unwrap();
        session.commit().await.unwrap();
    };
    set(&nodes.b, 1).await;
    nodes.b.warm(&cookie).await;
    set(&nodes.a, 2).await;
    set(&nodes.b, 1).await;
    nodes.a.catch_up().await;
    assert_eq!(nodes.a.load(&cookie).await.get::<u8>("n").unwrap(), Some(1));
}

/// Whoever is active on one node is not idle on another, told yet or not.
pub async fn activity_on_any_node_counts_on_all(nodes: Nodes) {
    let cookie = nodes.a.cookie("ada").await;
    nodes.b.warm(&cookie).await;
    let idle = nodes.config.idle().unwrap();
    let leave = async |node: &super::Node| {
        let session = node.load(&cookie).await;
        crate::conformance::engine::finish(&session).await.unwrap();
    };
    for _ in 0..3 {
        nodes.clock.advance(idle - MINUTE);
        leave(&nodes.a).await;
        nodes.a.sessions.shutdown().await.unwrap();
    }
    // Too little for the store to be told of.
    nodes.clock.advance(MINUTE / 2);
    leave(&nodes.a).await;
    nodes.clock.advance(idle - MINUTE / 4);
    nodes.b.load(&cookie).await;
    nodes.clock.advance(MINUTE * 2);
    assert!(nodes.b.refusal(&cookie).await.is_some_and(|it| !it.is_fault()), "late by the slack");
}

/// A hundred who demand the latest state at once do not read the log a hundred times.
pub async fn many_who_catch_up_share_a_read(nodes: Nodes) {
    nodes.b.catch_up().await;
    let before = nodes.b.gate.counts().changes;
    let held = nodes.b.gate.hold(Call::Changes, When::Before);
    let sessions = nodes.b.sessions.clone();
    let first = tokio::spawn(async move { sessions.catch_up().await });
    held.arrived().await;
    let others = (0..100).map(|_| {
        let sessions = nodes.b.sessions.clone();
        async move { sessions.catch_up().await }
    });
    let others = all_at_once(others).await;
    held.release();
    first.await.unwrap().unwrap();
    for other in others {
        other.await.unwrap().unwrap();
    }
    let reads = nodes.b.gate.counts().changes - before;
    assert_eq!(reads, 2, "those who came while the first was under way share one");
}
