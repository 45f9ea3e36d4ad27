//! Both nodes at once on one session or subject.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::two::{Node, Nodes};
use crate::config::LimitStrategy;
use crate::conformance::engine::id_of;
use crate::conformance::recorded;
use crate::error::SessionError;
use crate::record::EndReason;

fn either(nodes: &Nodes, n: usize) -> &Node {
    if n.is_multiple_of(2) { &nodes.a } else { &nodes.b }
}

/// 200 refreshes at once with one token, spread over both nodes: all are answered with one successor,
/// after one bump.
pub async fn n200_refreshes_over_two_nodes_get_one_successor(nodes: Nodes) {
    let token = nodes.a.refresh_token("ada").await;
    let refreshes: Vec<_> = (0..200)
        .map(|n| {
            let (sessions, token) = (either(&nodes, n).sessions.clone(), token.clone());
            tokio::spawn(async move { sessions.refresh(&token, None).await })
        })
        .collect();
    let mut successors = Vec::new();
    for refresh in refreshes {
        successors.push(refresh.await.unwrap().unwrap().token.to_text().to_string());
    }
    successors.dedup();
    assert_eq!(successors.len(), 1, "one successor for all");
    let record = nodes.b.sessions.record(id_of(&token)).await.unwrap().unwrap();
    assert_eq!(record.lineage.generation, 2, "one bump");
}

/// 32 updates on each node at once: the sum is 64.
pub async fn updates_over_two_nodes_all_count(nodes: Nodes) {
    let cookie = nodes.a.cookie("ada").await;
    nodes.catch_up().await;
    let updates: Vec<_> = (0..64)
        .map(|n| {
            let (sessions, cookie) = (either(&nodes, n).sessions.clone(), cookie.clone());
            tokio::spawn(async move {
                let session = sessions.load(&cookie).await?;
                session.update("n", |n: &mut Option<u64>| *n.get_or_insert(0) += 1)?;
                session.commit().await
            })
        })
        .collect();
    for update in updates {
        update.await.unwrap().unwrap();
    }
    nodes.b.catch_up().await;
    assert_eq!(nodes.b.load(&cookie).await.get::<u64>("n").unwrap(), Some(64));
}

/// Saves on one node while the other signs out: whatever was first, the session stays ended, and
/// nothing that was asked for after the end is done.
pub async fn no_save_on_another_node_undoes_a_sign_out(nodes: Nodes) {
    let nodes = Arc::new(nodes);
    for _ in 0..20 {
        let cookie = nodes.a.cookie("ada").await;
        nodes.b.warm(&cookie).await;
        let is_out = Arc::new(AtomicBool::new(false));
        let savers: Vec<_> = (0..6)
            .map(|_| {
                let (nodes, cookie) = (Arc::clone(&nodes), cookie.clone());
                let is_out = Arc::clone(&is_out);
                tokio::spawn(async move { save_until_refused(&nodes.b, &cookie, &is_out).await })
            })
            .collect();
        nodes.a.sign_out(&cookie).await;
        is_out.store(true, Ordering::SeqCst);
        for saver in savers {
            saver.await.unwrap();
        }
        nodes.b.catch_up().await;
        nodes.b.assert_ended(&cookie, EndReason::Logout).await;
        let record = nodes.b.sessions.record(id_of(&cookie)).await.unwrap().unwrap();
        assert!(record.is_tombstone() && record.data.is_empty());
    }
}

/// While one node writes a session without a pause, the other changes and ends it as if it were alone:
/// each time with a commit or two, where a race for versions could be lost for ever.
pub async fn a_node_that_writes_without_a_pause_outruns_nobody(nodes: Nodes) {
    const COMMITS: u64 = 3;
    let nodes = Arc::new(nodes);
    for _ in 0..20 {
        let cookie = nodes.a.cookie("ada").await;
        nodes.b.warm(&cookie).await;
        let begun = nodes.a.gate.counts().commit;
        let writers: Vec<_> = (0..4)
            .map(|_| {
                let (nodes, cookie) = (Arc::clone(&nodes), cookie.clone());
                let is_out = AtomicBool::new(false);
                tokio::spawn(async move { save_until_refused(&nodes.a, &cookie, &is_out).await })
            })
            .collect();
        while nodes.a.gate.counts().commit < begun + 10 {
            tokio::task::yield_now().await;
        }
        let before = nodes.b.gate.counts().commit;
        let session = nodes.b.load(&cookie).await;
        session.set("b", &1).unwrap();
        session.commit().await.unwrap();
        let between = nodes.b.gate.counts().commit;
        nodes.b.sign_out(&cookie).await;
        let after = nodes.b.gate.counts().commit;
        assert!(between - before <= COMMITS && after - between <= COMMITS);
        for writer in writers {
            writer.await.unwrap();
        }
        nodes.b.assert_ended(&cookie, EndReason::Logout).await;
    }
}

async fn save_until_refused(node: &Node, cookie: &str, is_out: &AtomicBool) {
    loop {
        let Ok(session) = node.sessions.load(cookie).await else { return };
        let was_out = is_out.load(Ordering::SeqCst);
        session.update("n", |n: &mut Option<u64>| *n.get_or_insert(0) += 1).unwrap();
        match session.commit().await {
            Ok(()) => assert!(!was_out, "a save was acknowledged that began after the sign-out"),
            Err(SessionError::Ended { reason: EndReason::Logout, .. }) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

/// 55 sign-ins at once over both nodes where five are allowed: five are in.
pub async fn never_more_than_the_limit_over_two_nodes(nodes: Nodes) {
    const LIMIT: usize = 5;
    let config = nodes.config.clone().edit().limit(Some(5));
    let config = config.limit_strategy(LimitStrategy::Deny).build().unwrap();
    let nodes = nodes.configured(config);
    let sign_ins: Vec<_> = (0..LIMIT + 50)
        .map(|n| {
            let sessions = either(&nodes, n).sessions.clone();
            tokio::spawn(async move { sessions.begin("ada").await })
        })
        .collect();
    let mut begun = 0;
    for sign_in in sign_ins {
        match sign_in.await.unwrap() {
            Ok(_) => begun += 1,
            Err(SessionError::LimitReached { limit: 5 }) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(begun, LIMIT);
    let ada = crate::id::Subject::new("ada").unwrap();
    let head = nodes.a.gate.inner().heads(&[ada]).await.unwrap().remove(0);
    assert_eq!(head.live, 5);
}

/// While sessions of four people begin and end on both nodes at once, and afterwards: what either node
/// lists of each is what a scan finds, and as many as the head counts.
pub async fn lists_of_both_nodes_equal_a_scan(nodes: Nodes) {
    const PEOPLE: [&str; 4] = ["ada", "bob", "eve", "joe"];
    let tasks: Vec<_> = (0..32)
        .map(|n| {
            let (here, there) = (either(&nodes, n), either(&nodes, n + 1));
            let (here, there) = (here.sessions.clone(), there.sessions.clone());
            tokio::spawn(async move {
                let begun = here.begin(PEOPLE[n / 2 % 4]).await.unwrap();
                if n % 3 != 0 {
                    let (id, why) = (begun.record.id, EndReason::Revoked);
                    there.end(id, why, None).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    for who in PEOPLE {
        let subject = crate::id::Subject::new(who).unwrap();
        for node in [&nodes.a, &nodes.b] {
            let store = node.gate.inner();
            let page = crate::store::Page::first(100);
            let listed = store.by_subject(&subject, false, &page).await.unwrap().records;
            let filter = crate::store::Filter {
                subject: Some(subject.clone()),
                is_live: Some(true),
                ..crate::store::Filter::default()
            };
            let scanned = store.scan(&filter, &page).await.unwrap().records;
            assert_eq!(listed, scanned, "{who}");
            let head = store.heads(std::slice::from_ref(&subject)).await.unwrap().remove(0);
            assert_eq!(head.live as usize, listed.len(), "{who}");
        }
    }
}

/// Clients of both nodes, whose caches are not trusted, see one order of what happens to a session.
pub async fn histories_over_two_nodes_are_linearizable(nodes: Nodes) {
    recorded::histories_of(&stores(&nodes), 1, 12, false).await;
}

/// So do clients of nodes whose caches are trusted, if each demands the state of its call.
pub async fn histories_of_those_who_catch_up_are_linearizable(nodes: Nodes) {
    recorded::histories_of(&stores(&nodes), 1_000, 12, true).await;
}

fn stores(nodes: &Nodes) -> [crate::conformance::engine::Store; 2] {
    [Arc::clone(nodes.a.gate.inner()), Arc::clone(nodes.b.gate.inner())]
}
