//! Many requests at once on one session.

use std::sync::Arc;

use super::stage::{Stage, id_of};
use crate::record::Record;
use crate::session::{Finish, Session};
use crate::testing::{Call, When};

/// How many requests come at once.
const AT_ONCE: usize = 64;

/// Plays one request with `cookie` for each number, all at once.
async fn requests(stage: &Stage, cookie: &str, request: impl Fn(usize, &Session) + Copy) {
    let sessions: Vec<Session> = {
        let mut sessions = Vec::new();
        for _ in 0..AT_ONCE {
            sessions.push(stage.load(cookie).await);
        }
        sessions
    };
    let commits = sessions.iter().enumerate().map(|(number, session)| {
        request(number, session);
        match session.finish(true) {
            Finish::Commit(commit) => tokio::spawn(commit),
            Finish::Nothing => panic!("there was something to commit"),
        }
    });
    for commit in commits.collect::<Vec<_>>() {
        commit.await.unwrap().unwrap();
    }
}

async fn record_of(stage: &Stage, cookie: &str) -> Record {
    stage.record(id_of(cookie)).await
}

fn add_one(count: &mut Option<u64>) {
    *count.get_or_insert(0) += 1;
}

/// 64 requests at once each add 1: the sum is 64.
pub async fn n64_updates_at_once_sum_up(stage: Stage) {
    let cookie = stage.cookie("ada").await;
    requests(&stage, &cookie, |_, session| session.update("count", add_one).unwrap()).await;
    assert_eq!(stage.load(&cookie).await.get::<u64>("count").unwrap(), Some(64));
    assert_eq!(record_of(&stage, &cookie).await.data.get("count").unwrap().as_ref(), "64");
}

/// 64 requests at once set a key each: all 64 are there.
pub async fn n64_keys_set_at_once_are_all_there(stage: Stage) {
    let cookie = stage.cookie("ada").await;
    requests(&stage, &cookie, |number, session| {
        session.set(&format!("key-{number}"), &number).unwrap();
    })
    .await;
    let data = record_of(&stage, &cookie).await.data;
    let is_there = |number: &usize| data.get(&format!("key-{number}")).is_some();
    assert_eq!((0..AT_ONCE).filter(is_there).count(), AT_ONCE);
}

/// Requests that wait together share commits: 64 writers cost a few, not 64 rounds.
pub async fn n64_writers_share_a_few_commits(stage: Stage) {
    let session = stage.load(&stage.cookie("ada").await).await;
    let before = stage.gate.counts().commit;
    let held = stage.gate.hold(Call::Commit, When::Before);
    let mut commits = Vec::new();
    for _ in 0..AT_ONCE {
        session.update("count", add_one).unwrap();
        commits.extend(match session.finish(true) {
            Finish::Commit(commit) => Some(tokio::spawn(commit)),
            Finish::Nothing => None,
        });
    }
    held.release();
    assert_eq!(commits.len(), AT_ONCE);
    for commit in commits {
        commit.await.unwrap().unwrap();
    }
    let cost = stage.gate.counts().commit - before;
    assert!(cost <= 2, "{cost} commits");
    assert_eq!(stage.record(session.id().unwrap()).await.data.get("count").unwrap().as_ref(), "64");
}

/// A committer that has just run dry takes the next job like any other: none is dropped.
pub async fn no_job_is_lost_when_the_committer_runs_dry(stage: Stage) {
    let stage = Arc::new(stage);
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let stage = Arc::clone(&stage);
            tokio::spawn(async move {
                let session = stage.load(&stage.cookie(&format!("writer-{writer}")).await).await;
                for _ in 0..3_000 {
                    session.update("count", add_one).unwrap();
                    session.commit().await.unwrap();
                }
                session.get::<u64>("count").unwrap()
            })
        })
        .collect();
    for writer in writers {
        assert_eq!(writer.await.unwrap(), Some(3_000));
    }
}
