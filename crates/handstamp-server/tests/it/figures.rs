//! The figures of `GET /metrics`: each moves by what it tells of.

use std::time::Duration;

use handstamp_core::SessionId;
use reqwest::Method;

use crate::world::{World, send};

/// What a series shows now; `None` where there is none.
async fn figure(world: &World, series: &str) -> Option<f64> {
    let answer = send(world.get("/metrics").bearer_auth(&world.admin)).await;
    assert_eq!(answer.status, 200, "{:?}", answer.json);
    let text = answer.json.as_str().unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    Some(line.parse().unwrap())
}

async fn count(world: &World, series: &str) -> f64 {
    figure(world, series).await.unwrap_or_default()
}

/// Waits, for at most a second or two, for what the background does at once.
async fn reaches(world: &World, series: &str, wanted: impl Fn(f64) -> bool) {
    for _ in 0..200 {
        if figure(world, series).await.is_some_and(&wanted) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{series} is {:?}", figure(world, series).await);
}

#[tokio::test]
async fn live_sessions_and_dead_rows_are_counted_as_sessions_begin_and_end() {
    let world = World::new().await;
    assert_eq!(count(&world, "handstamp_live_sessions").await, 0.0);
    let begun = world.begin("ada").await;
    world.begin("ada").await;
    assert_eq!(count(&world, "handstamp_live_sessions").await, 2.0);
    assert_eq!(count(&world, "handstamp_dead_rows").await, 0.0);
    send(world.post("/sessions/logout").bearer_auth(begun.access_token.expose())).await;
    assert_eq!(count(&world, "handstamp_live_sessions").await, 1.0);
    assert_eq!(count(&world, "handstamp_dead_rows").await, 1.0);
}

#[tokio::test]
async fn batches_of_the_committer_and_calls_of_the_store_are_counted() {
    let world = World::new().await;
    let (batches, changes) =
        ("handstamp_commit_batch_size_count", "handstamp_commit_batch_size_sum");
    let commits = "handstamp_store_call_duration_seconds_count{call=\"commit\"}";
    let before = (count(&world, batches).await, count(&world, changes).await);
    let took = count(&world, commits).await;
    world.begin("ada").await;
    world.begin("grace").await;
    let after = (count(&world, batches).await, count(&world, changes).await);
    assert_eq!((after.0 - before.0, after.1 - before.1), (2.0, 2.0), "one after the other");
    assert_eq!(count(&world, commits).await - took, 2.0);
    let seconds = "handstamp_store_call_duration_seconds_sum{call=\"commit\"}";
    assert!(count(&world, seconds).await > 0.0);
    assert_eq!(figure(&world, "handstamp_store_call_errors_total{call=\"commit\"}").await, None);
}

#[tokio::test]
async fn a_look_that_the_cache_answers_is_a_hit() {
    let world = World::new().await;
    let cookie = world.begin_cookie("ada").await;
    let hits = count(&world, "handstamp_cache_hits_total").await;
    let loads = count(&world, "handstamp_cache_loads_total").await;
    for _ in 0..5 {
        let answer = send(world.get("/sessions/status").header("cookie", &cookie)).await;
        assert_eq!(answer.json["is_active"], true);
    }
    assert!(count(&world, "handstamp_cache_hits_total").await >= hits + 5.0);
    assert_eq!(count(&world, "handstamp_cache_loads_total").await, loads);
    // An id that nobody has is looked for in the store.
    let unknown = world.sessions.record(SessionId::from_bytes([7; 18])).await;
    assert!(unknown.unwrap().is_none());
    assert_eq!(count(&world, "handstamp_cache_loads_total").await, loads + 1.0);
}

#[tokio::test]
async fn the_feed_says_how_far_behind_it_is() {
    let world = World::new().await;
    world.begin("ada").await;
    reaches(&world, "handstamp_feed_untold_commits", |untold| untold == 0.0).await;
    reaches(&world, "handstamp_feed_lag_seconds", |lag| (0.0..2.0).contains(&lag)).await;
}

#[tokio::test]
async fn requests_and_events_are_counted_by_what_they_are() {
    let world = World::new().await;
    world.begin("ada").await;
    let requests = "handstamp_requests_total{method=\"POST\",route=\"/sessions\",status=\"201\"}";
    assert_eq!(count(&world, requests).await, 1.0);
    let seconds = "handstamp_request_duration_seconds_count{route=\"/sessions\"}";
    assert_eq!(count(&world, seconds).await, 1.0);
    let begun = "handstamp_events_total{action=\"session.started\"}";
    reaches(&world, begun, |events| events == 1.0).await;
}

#[tokio::test]
async fn figures_are_for_operators() {
    let world = World::new().await;
    assert_eq!(send(world.request(Method::GET, "/metrics")).await.status, 401);
    assert_eq!(send(world.get("/metrics").bearer_auth(&world.key)).await.status, 403);
}
