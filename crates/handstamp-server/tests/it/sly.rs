//! What a sly caller tries: filters that mean more than they say, authorities that are not theirs,
//! sign-outs that sign nobody out.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::world::{World, send};

/// Regression: the list showed who had ended, and the end took everybody who had not.
#[tokio::test]
async fn s38_a_filter_that_leaves_nobody_out_ends_nobody() {
    let world = World::new().await;
    let ada = world.begin("ada").await;
    for (filter, problem) in [
        (json!({ "active": false }), (422, "BAD_REQUEST")),
        (json!({ "active": false, "subject": "ada" }), (422, "BAD_REQUEST")),
        (json!({ "active": true }), (400, "BAD_REQUEST")),
        (json!({}), (400, "BAD_REQUEST")),
    ] {
        let ask = world.post("/admin/sessions/end").bearer_auth(&world.admin);
        let answer = send(ask.json(&json!({ "filter": filter }))).await;
        assert_eq!(answer.problem(), problem, "{filter}");
    }
    assert_eq!(world.status(ada.access_token.expose()).await.json["is_active"], true);
}

#[tokio::test]
async fn s38_a_dry_run_counts_whom_the_end_would_end() {
    let world = World::new().await;
    let (live, over) = (world.begin("ada").await, world.begin("ada").await);
    send(world.post("/sessions/logout").bearer_auth(over.access_token.expose())).await;
    let unknown = "A".repeat(24);
    let ids = [&live.session.id, &live.session.id, &over.session.id, &unknown];
    let mut processed = Vec::new();
    for dry_run in [true, false] {
        let ask = world.post("/admin/sessions/end").bearer_auth(&world.admin);
        let answer = send(ask.json(&json!({ "ids": ids, "dry_run": dry_run }))).await;
        processed.push(answer.json["processed"].clone());
    }
    assert_eq!(processed, [1, 1]);
}

/// Regression: what a rule had set aside was passed over, and came back by a step-up.
#[tokio::test]
async fn b07_what_was_set_aside_before_ends_with_the_others_and_stays_aside_if_taken_back() {
    let world = World::new().await;
    let (live, aside) = (world.begin("ada").await, world.begin("ada").await);
    let path = format!("/admin/sessions/{}/suspend", aside.session.id);
    send(world.post(&path).bearer_auth(&world.admin)).await;
    let end = async || {
        let body = json!({ "filter": { "subject": "ada" }, "undo_seconds": 60 });
        send(world.post("/admin/sessions/end").bearer_auth(&world.admin).json(&body)).await.json
    };

    let first = end().await;
    assert_eq!(first["processed"], 2);
    let path = format!("/admin/undo/{}", first["undo_id"].as_str().unwrap());
    let taken_back = send(world.post(&path).bearer_auth(&world.admin)).await;
    assert_eq!(taken_back.json["resumed"], 1);
    assert_eq!(world.status(live.access_token.expose()).await.json["is_active"], true);
    assert_eq!(world.status(aside.access_token.expose()).await.json["is_active"], false);

    end().await;
    world.advance(61);
    for session in [&live, &aside] {
        assert!(ends(&world, &session.session.id).await, "{}", session.session.id);
    }
}

/// Whether a session that is to end does, within seconds.
async fn ends(world: &World, id: &str) -> bool {
    for _ in 0..100 {
        let record = world.sessions.record(id.parse().unwrap()).await.unwrap().unwrap();
        if record.is_tombstone() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

/// Regression: with another name for it, a service key that may grant the role made operators.
#[tokio::test]
async fn the_role_of_operators_is_granted_by_no_service_whatever_it_is_called() {
    let world = World::with(&[("admin.role", "editor")]).await;
    for (roles, status) in [(json!(["editor"]), 403), (json!(["reader"]), 201)] {
        let body = json!({ "subject": "ada", "roles": roles });
        let answer = send(world.post("/sessions").bearer_auth(&world.key).json(&body)).await;
        assert_eq!(answer.status, status, "{:?}", answer.json);
    }
    let reserved = ["handstamp:admin".to_owned()];
    assert!(world.service.service_keys().create("x", &[], &reserved).await.is_err());
}

/// Regression: the answer holds the session's new token, and the session is the operator's.
#[tokio::test]
async fn b08_no_service_steps_up_the_session_of_an_operator() {
    let world = World::new().await;
    let mut operator = Browser::operator(&world).await;
    let list = world.get("/admin/sessions?subject=handstamp:operator").bearer_auth(&world.admin);
    let id = send(list).await.json["sessions"][0]["id"].clone();
    let body = json!({ "session_id": id, "amr": ["pwd"] });
    let answer = send(world.post("/sessions/step-up").bearer_auth(&world.key).json(&body)).await;
    assert_eq!(answer.problem(), (403, "FORBIDDEN"), "{:?}", answer.json);
    assert_eq!(operator.get("/admin").await.status, 200, "it is the operator's still");
}

#[tokio::test]
async fn no_application_signs_anybody_in_as_the_service_itself() {
    let world = World::new().await;
    let body = json!({ "subject": "handstamp:operator" });
    let answer = send(world.post("/sessions").bearer_auth(&world.key).json(&body)).await;
    assert_eq!(answer.problem(), (422, "BAD_REQUEST"));
    assert_eq!(answer.json["errors"][0]["field"], "subject");
}

/// Regression: it answered that the session had ended, and it had not.
#[tokio::test]
async fn s42_who_is_set_aside_signs_out_by_access_token_for_good() {
    let world = World::new().await;
    let ada = world.begin("ada").await;
    let act = async |what: &str| {
        let path = format!("/admin/sessions/{}/{what}", ada.session.id);
        send(world.post(&path).bearer_auth(&world.admin)).await.status
    };
    assert_eq!(act("suspend").await, 200);
    let logout = world.post("/sessions/logout").bearer_auth(ada.access_token.expose());
    assert_eq!(send(logout).await.json, json!({ "ended": true }));
    assert_eq!(act("resume").await, 409, "it is over, which is no word about the caller");
    assert_eq!(world.refresh(ada.refresh_token.expose()).await.json["reason"], "logout");
}

/// Regression: a dead access token ended the session of the cookie that came along.
#[tokio::test]
async fn s72_a_dead_access_token_signs_nobody_out_by_the_cookie_beside_it() {
    let world = World::new().await;
    let (dead, cookie) = (world.begin("ada").await, world.begin_cookie("ada").await);
    let out = |token: &str| world.post("/sessions/logout").bearer_auth(token);
    send(out(dead.access_token.expose())).await;
    let again = out(dead.access_token.expose()).header("cookie", &cookie);
    let answer = send(again).await;
    assert_eq!(answer.json, json!({ "ended": false }));
    assert!(answer.headers.get("set-cookie").is_none());
    let status = send(world.get("/sessions/status").header("cookie", &cookie)).await;
    assert_eq!(status.json["is_active"], true);
}

/// Regression: it stayed in the browser, good for as long as its token.
#[tokio::test]
async fn s41_the_access_cookie_goes_with_the_session_s_own() {
    let world = World::with(&[("cookies.access_token", "true")]).await;
    for path in ["/sessions/logout", "/sessions/logout-all"] {
        let cookie = world.begin_cookie("ada").await;
        let ask = world.post(path).header("cookie", &cookie).header("origin", &world.url);
        let answer = send(ask).await;
        assert_eq!(answer.status, 200, "{:?}", answer.json);
        let set = answer.headers.get_all("set-cookie").iter();
        let removed: Vec<_> =
            set.filter(|value| value.to_str().unwrap().contains("Max-Age=0")).collect();
        let names = ["handstamp-dev=;", "handstamp-access=;"];
        assert_eq!(removed.len(), 2, "{path}: {removed:?}");
        for (value, name) in removed.iter().zip(names) {
            assert!(value.to_str().unwrap().starts_with(name), "{path}: {value:?}");
        }
    }
}

#[tokio::test]
async fn s63_what_is_done_to_a_webhook_is_in_the_log_with_who_did_it() {
    let world = World::with(&[("webhooks.allow_private_networks", "true")]).await;
    let hook = json!({ "url": "http://127.0.0.1:9/", "events": ["*"] });
    let made = send(world.post("/admin/webhooks").bearer_auth(&world.admin).json(&hook)).await;
    let path = format!("/admin/webhooks/{}", made.json["id"].as_str().unwrap());
    let change = world.request(Method::PATCH, &path).bearer_auth(&world.admin);
    send(change.json(&json!({ "is_enabled": false }))).await;
    send(world.post(&format!("{path}/secret")).bearer_auth(&world.admin)).await;
    send(world.request(Method::DELETE, &path).bearer_auth(&world.admin)).await;
    let logs = send(world.get("/admin/logs?limit=200").bearer_auth(&world.admin)).await;
    let told = logs.json["logs"].as_array().unwrap().iter().rev();
    let told: Vec<&Value> =
        told.filter(|line| line["action"].as_str().unwrap().contains("webhook")).collect();
    let names: Vec<_> = told.iter().map(|line| line["action"].as_str().unwrap()).collect();
    let expected = ["created", "changed", "secret_changed", "removed"];
    assert_eq!(names, expected.map(|what| format!("admin.webhook_{what}")));
    assert!(told.iter().all(|line| line["actor"].as_str().unwrap().starts_with("service:")));
}

#[tokio::test]
async fn a_cursor_that_is_none_is_the_fault_of_whoever_sent_it_on_the_pages_too() {
    let world = World::new().await;
    let mut operator = Browser::operator(&world).await;
    for page in ["/admin/ui/sessions", "/admin/ui/logs"] {
        assert_eq!(operator.get(&format!("{page}?cursor=junk")).await.status, 422, "{page}");
    }
}
