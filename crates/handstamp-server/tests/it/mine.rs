//! What holders see.

use std::collections::HashSet;

use serde_json::json;

use crate::world::{World, send};

/// Shows F05, X03.
#[tokio::test]
async fn f03_status_says_how_long_and_what_ends_first() {
    let world = World::with(&[("sessions.idle_seconds", "3600")]).await;
    let begun =
        world.begin_with(json!({ "subject": "ada", "name": "Ada", "email": "a@b.c" })).await;
    let status = world.status(begun.access_token.expose()).await;
    assert_eq!(status.header("cache-control"), "no-store");
    let json = &status.json;
    assert_eq!((&json["user_id"], &json["username"]), (&json!("ada"), &json!("Ada")));
    assert_eq!(json["first_to_expire"], "token");
    assert_eq!(json["needs_refresh"], false);
    assert_eq!(json["remaining_seconds"], begun.expires_in);
    world.advance(begun.expires_in - 300);
    let status = world.status(begun.access_token.expose()).await;
    assert_eq!(status.json["needs_refresh"], true, "f05: 5 minutes before");
    let cookie = world.begin_cookie("bob").await;
    let status = send(world.get("/sessions/status").header("cookie", &cookie)).await;
    assert_eq!(status.json["first_to_expire"], "idle");
    assert_eq!(status.json["remaining_seconds"], 3600);
}

#[tokio::test]
async fn status_is_not_activity_and_tells_why_there_is_none() {
    let world = World::with(&[("sessions.idle_seconds", "600")]).await;
    let cookie = world.begin_cookie("ada").await;
    let status = || send(world.get("/sessions/status").header("cookie", &cookie));
    for _ in 0..5 {
        world.advance(119);
        assert_eq!(status().await.json["is_active"], true);
    }
    world.advance(60);
    let over = status().await;
    assert_eq!((over.status, &over.json["is_active"]), (200, &json!(false)));
    assert_eq!(over.json["reason"], "idle");
    assert!(over.json["ended_at"].is_string());
    let nobody = send(world.get("/sessions/status")).await;
    assert_eq!(nobody.json, json!({ "is_active": false, "message": nobody.json["message"] }));
    let foreign = world.get("/sessions/status").header("cookie", &cookie);
    let foreign = send(foreign.header("sec-fetch-site", "cross-site")).await;
    assert_eq!(foreign.problem(), (403, "CSRF_INVALID"));
}

/// Shows X04.
#[tokio::test]
async fn f02_my_sessions_are_listed_page_by_page_and_exactly_one_is_current() {
    let world = World::new().await;
    let mine = world.begin("ada").await;
    for _ in 0..4 {
        world.advance(1);
        world.begin("ada").await;
    }
    world.begin("bob").await;
    let list = |query: String| {
        let request = world.get(&format!("/sessions/my-sessions{query}"));
        send(request.bearer_auth(mine.access_token.expose()))
    };
    let whole = list(String::new()).await;
    let sessions = whole.json["sessions"].as_array().unwrap();
    assert_eq!((sessions.len(), &whole.json["next"]), (5, &json!(null)));
    let current: Vec<_> = sessions.iter().filter(|one| one["is_current"] == true).collect();
    assert_eq!((current.len(), &current[0]["id"]), (1, &json!(mine.session.id)));
    assert!(sessions.iter().all(|one| one["subject"] == "ada"));
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = list(format!("?limit=2{cursor}")).await;
        seen.extend(page.json["sessions"].as_array().unwrap().iter().map(|it| it["id"].clone()));
        match page.json["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let ids: Vec<_> = sessions.iter().map(|one| one["id"].clone()).collect();
    assert_eq!(seen, ids);
    for query in ["?limit=0", "?limit=201", "?cursor=nonsense"] {
        assert_eq!(list(query.into()).await.problem(), (422, "BAD_REQUEST"), "{query}");
    }
    for query in ["?limit=x", "?unknown=1", "?limit=1&limit=2"] {
        assert_eq!(list(query.into()).await.problem(), (400, "BAD_REQUEST"), "{query}");
    }
}

#[tokio::test]
async fn f02_the_first_page_of_my_sessions_holds_the_current_one_however_short_or_old() {
    let world = World::new().await;
    let mine = world.begin("ada").await;
    for _ in 0..3 {
        world.advance(1);
        let other = world.begin("ada").await;
        send(world.post("/sessions/logout").bearer_auth(other.access_token.expose())).await;
        world.begin("ada").await;
    }
    for (query, expected) in [("", 4), ("&include=ended", 7)] {
        for limit in [1, 2, 3, 4, 5, 200] {
            let (mut pages, mut cursor) = (Vec::new(), String::new());
            loop {
                let path = format!("/sessions/my-sessions?limit={limit}{query}{cursor}");
                let page = world.get(&path).bearer_auth(mine.access_token.expose());
                let page = send(page).await.json;
                pages.push(page["sessions"].as_array().unwrap().clone());
                assert!(pages.last().unwrap().len() <= limit);
                match page["next"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => break,
                }
            }
            assert_eq!(pages[0][0]["id"], json!(mine.session.id), "{limit}{query}");
            let all = pages.concat();
            let ids: HashSet<_> = all.iter().map(|one| one["id"].to_string()).collect();
            assert_eq!((all.len(), ids.len()), (expected, expected), "{limit}{query}");
            assert_eq!(all.iter().filter(|one| one["is_current"] == true).count(), 1);
        }
    }
}

#[tokio::test]
async fn b05_ended_sessions_are_listed_with_their_reasons_and_why_answers_for_one() {
    let world = World::new().await;
    let (mine, other) = (world.begin("ada").await, world.begin("ada").await);
    let access = mine.access_token.expose();
    let path = format!("/sessions/{}", other.session.id);
    send(world.request(reqwest::Method::DELETE, &path).bearer_auth(access)).await;
    let list = send(world.get("/sessions/my-sessions?include=ended").bearer_auth(access)).await;
    let ended =
        list.json["sessions"].as_array().unwrap().iter().find(|it| it["is_active"] == false);
    assert_eq!(ended.unwrap()["ended"]["reason"], "revoked");
    assert_eq!(ended.unwrap()["ended"]["by"], "ada");
    let why = send(world.get(&format!("{path}/why")).bearer_auth(access)).await;
    assert_eq!((&why.json["is_active"], &why.json["reason"]), (&json!(false), &json!("revoked")));
    let body = json!({ "token": other.refresh_token });
    let why = send(world.post("/sessions/why").json(&body)).await;
    assert_eq!(why.json["reason"], "revoked");
    let body = json!({ "token": mine.refresh_token });
    let why = send(world.post("/sessions/why").json(&body)).await;
    assert_eq!(
        (&why.json["is_active"], &why.json["first_to_expire"]),
        (&json!(true), &json!("idle"))
    );
    let forged = send(world.post("/sessions/why").json(&json!({ "token": "hsr_x" }))).await;
    assert_eq!(forged.problem(), (401, "SESSION_INVALID"));
    let bob = world.begin("bob").await;
    let foreign = world.get(&format!("{path}/why")).bearer_auth(bob.access_token.expose());
    assert_eq!(send(foreign).await.problem(), (404, "SESSION_NOT_FOUND"));
}

#[tokio::test]
async fn f01_my_logs_tell_of_sign_in_refresh_and_sign_out_and_of_nobody_else() {
    let world = World::new().await;
    let gone = world
        .begin_with(json!({ "subject": "ada", "client": { "ip_address": "192.0.2.9" } }))
        .await;
    let refreshed = world.refresh(gone.refresh_token.expose()).await;
    let access = refreshed.json["access_token"].as_str().unwrap();
    send(world.post("/sessions/logout").bearer_auth(access)).await;
    world.begin("bob").await;
    let mine = world.begin("ada").await;
    let logs = send(world.get("/sessions/my-session-logs").bearer_auth(mine.access_token.expose()));
    let logs = logs.await;
    let told: Vec<_> = logs.json["logs"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["session_id"] == json!(gone.session.id))
        .map(|line| line["action"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(told, ["logout", "token_refresh", "login"], "newest first");
    let first = logs.json["logs"].as_array().unwrap().last().unwrap();
    assert_eq!((&first["ip_address"], &first["success"]), (&json!("192.0.2.9"), &json!(true)));
    assert!(first.get("actor").is_none() && first.get("details").is_none());
    assert!(!logs.json.to_string().contains("bob"));
}
