//! Refresh tokens exchanged.

use std::collections::HashSet;

use serde_json::json;

use crate::world::{World, send};

#[tokio::test]
async fn f03_a_refresh_answers_the_successor_and_a_new_access_token() {
    let world = World::new().await;
    let begun = world.begin("ada").await;
    let first = world.refresh(begun.refresh_token.expose()).await;
    assert_eq!((first.status, first.header("handstamp-refresh")), (200, "rotated"));
    assert_ne!(first.json["refresh_token"], json!(begun.refresh_token));
    assert_ne!(first.json["access_token"], json!(begun.access_token));
    let access = first.json["access_token"].as_str().unwrap();
    assert_eq!(world.status(access).await.json["is_active"], true);
    // A routine rotation does not kill the access token of a request that is on its way.
    assert_eq!(world.status(begun.access_token.expose()).await.json["is_active"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s75_200_refreshes_of_one_token_at_once_are_one_rotation_with_one_successor() {
    let world = World::with(&[("limits.refresh", "none")]).await;
    let begun = world.begin("ada").await;
    let calls = (0..200).map(|_| world.refresh(begun.refresh_token.expose()));
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    let successors: HashSet<_> =
        answers.iter().map(|answer| answer.json["refresh_token"].to_string()).collect();
    assert_eq!(successors.len(), 1);
    let rotated =
        answers.iter().filter(|answer| answer.header("handstamp-refresh") == "rotated").count();
    assert_eq!(rotated, 1);
    let record = world.sessions.record(begun.session.id.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(record.lineage.generation, 2, "one bump");
}

#[tokio::test]
async fn s74_a_token_that_was_used_before_ends_the_session_for_good_and_says_reuse_ever_after() {
    let world = World::new().await;
    let begun = world.begin("ada").await;
    let other = world.begin("ada").await;
    let second = world.refresh(begun.refresh_token.expose()).await;
    let second = second.json["refresh_token"].as_str().unwrap().to_owned();
    let third = world.refresh(&second).await;
    world.advance(31);
    for _ in 0..2 {
        let reuse = world.refresh(begun.refresh_token.expose()).await;
        assert_eq!(reuse.problem(), (401, "SESSION_ENDED"));
        assert_eq!(reuse.json["reason"], "reuse");
    }
    let leaf = world.refresh(third.json["refresh_token"].as_str().unwrap()).await;
    assert_eq!(leaf.problem(), (401, "SESSION_ENDED"));
    assert_eq!(world.refresh(other.refresh_token.expose()).await.status, 200, "others live");
}

/// Holders behind one address, or a server that refreshes for all of its users, do not use up each
/// other's quota; nor does whoever knows no more of a session than its id.
#[tokio::test]
async fn s93_refreshes_are_limited_by_session_and_not_by_address() {
    let world = World::with(&[("limits.refresh", "2/60s")]).await;
    // Each service counts for itself.
    world.on_one_node();
    let (ada, bob) = (world.begin("ada").await, world.begin("bob").await);
    for _ in 0..2 {
        assert_eq!(world.refresh(ada.refresh_token.expose()).await.status, 200);
    }
    let refused = world.refresh(ada.refresh_token.expose()).await;
    assert_eq!(refused.problem(), (429, "RATE_LIMITED"));
    let mut forged = bob.refresh_token.expose().to_owned();
    let within_the_check = 40..41;
    let other = if &forged[within_the_check.clone()] == "A" { "B" } else { "A" };
    forged.replace_range(within_the_check, other);
    for _ in 0..5 {
        assert_eq!(world.refresh(&forged).await.problem(), (401, "SESSION_INVALID"));
    }
    assert_eq!(world.refresh(bob.refresh_token.expose()).await.status, 200);
    let cookie = world.begin_cookie("cleo").await;
    for status in [200, 200, 429] {
        let request = world.post("/sessions/refresh").header("cookie", &cookie);
        assert_eq!(send(request.header("sec-fetch-site", "same-origin")).await.status, status);
    }
}

#[tokio::test]
async fn b01_a_lost_answer_is_given_again_to_the_same_attempt() {
    let world = World::new().await;
    let begun = world.begin("ada").await;
    let ask = |attempt: &str| {
        let body = json!({ "refresh_token": begun.refresh_token, "attempt_id": attempt });
        send(world.post("/sessions/refresh").json(&body))
    };
    let attempt = "0123456789abcdefghijklmn";
    let lost = ask(attempt).await;
    world.advance(600);
    let again = ask(attempt).await;
    assert_eq!((again.status, again.header("handstamp-refresh")), (200, "retried"));
    assert_eq!(lost.json["refresh_token"], again.json["refresh_token"]);
    assert_eq!(ask("short").await.problem(), (422, "BAD_REQUEST"));
}

#[tokio::test]
async fn f08_a_refresh_alone_is_no_activity_and_what_the_client_reports_is() {
    let world = World::with(&[("sessions.idle_seconds", "3600")]).await;
    let begun = world.begin("ada").await;
    world.advance(3000);
    let quiet = world.refresh(begun.refresh_token.expose()).await;
    let token = quiet.json["refresh_token"].as_str().unwrap();
    assert_eq!(quiet.json["session"]["last_activity"], json!(begun.session.last_activity));
    let now = handstamp_protocol::Time::from_millis(world.sessions.now().as_millis());
    let body = json!({ "refresh_token": token, "last_active_at": now });
    let busy = send(world.post("/sessions/refresh").json(&body)).await;
    assert_eq!(busy.json["session"]["last_activity"], json!(now));
    world.advance(3599);
    let token = busy.json["refresh_token"].as_str().unwrap();
    assert_eq!(world.refresh(token).await.status, 200);
    world.advance(100);
    let over = world.refresh(token).await;
    assert_eq!(over.problem(), (401, "SESSION_EXPIRED"));
    assert_eq!(over.json["reason"], "idle");
}

#[tokio::test]
async fn f08_activity_before_the_idle_limit_counts_though_it_is_told_after_it() {
    let world = World::with(&[("sessions.idle_seconds", "3600")]).await;
    let begun = world.begin("ada").await;
    let now = || handstamp_protocol::Time::from_millis(world.sessions.now().as_millis());
    let refresh = async |token: &str, at| {
        let body = json!({ "refresh_token": token, "last_active_at": at });
        send(world.post("/sessions/refresh").json(&body)).await
    };
    world.advance(3500);
    let used_at = now();
    world.advance(3000);
    let late = refresh(begun.refresh_token.expose(), used_at).await;
    assert_eq!(late.status, 200, "{:?}", late.json);
    assert_eq!(late.json["session"]["last_activity"], json!(used_at));
    // The limit runs from that activity, and not from the refresh; several nodes are a little late.
    world.advance(700);
    let token = late.json["refresh_token"].as_str().unwrap();
    assert_eq!(refresh(token, used_at).await.problem(), (401, "SESSION_EXPIRED"));
}

#[tokio::test]
async fn f08_activity_after_the_idle_limit_brings_nothing_back() {
    let world = World::with(&[("sessions.idle_seconds", "3600")]).await;
    let refresh = async |token: &str, at| {
        let body = json!({ "refresh_token": token, "last_active_at": at });
        send(world.post("/sessions/refresh").json(&body)).await
    };
    let now = || handstamp_protocol::Time::from_millis(world.sessions.now().as_millis());
    let [late, future, buried] =
        [world.begin("ada").await, world.begin("bert").await, world.begin("cleo").await];
    world.advance(3000);
    let in_time = now();
    world.advance(700);
    let over = (401, "SESSION_EXPIRED");
    assert_eq!(refresh(late.refresh_token.expose(), now()).await.problem(), over);
    let tomorrow = handstamp_protocol::Time::from_millis(now().as_millis() + 86_400_000);
    assert_eq!(refresh(future.refresh_token.expose(), tomorrow).await.problem(), over);
    // What was refused once is over, whatever is told of it afterwards; so is what a cleanup ended.
    assert_eq!(refresh(late.refresh_token.expose(), in_time).await.problem(), over);
    world.sessions.cleanup().await.unwrap();
    assert_eq!(refresh(buried.refresh_token.expose(), in_time).await.problem(), over);
}

#[tokio::test]
async fn a_cookie_extends_its_session_without_any_token_in_the_body() {
    let world = World::with(&[("sessions.idle_seconds", "3600")]).await;
    // What one service has seen is written within a minute, of which this clock knows nothing.
    world.on_one_node();
    let cookie = world.begin_cookie("ada").await;
    let refresh = || {
        let request = world.post("/sessions/refresh").header("cookie", &cookie);
        send(request.header("sec-fetch-site", "same-origin"))
    };
    for _ in 0..3 {
        world.advance(3000);
        let answer = refresh().await;
        assert_eq!(answer.status, 200, "{:?}", answer.json);
        assert_eq!(answer.json["session"]["subject"], "ada");
        assert!(answer.json.get("access_token").is_none());
    }
    let foreign = world.post("/sessions/refresh").header("cookie", &cookie);
    let foreign = send(foreign.header("sec-fetch-site", "cross-site")).await;
    assert_eq!(foreign.problem(), (403, "CSRF_INVALID"));
}
