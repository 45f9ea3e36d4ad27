//! What operators do.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Answer, World, send};

async fn post(world: &World, path: &str, body: Value) -> Answer {
    send(world.post(path).bearer_auth(&world.admin).json(&body)).await
}

async fn get(world: &World, path: &str) -> Answer {
    send(world.get(path).bearer_auth(&world.admin)).await
}

#[tokio::test]
async fn sessions_of_everybody_are_listed_by_every_filter() {
    let world = World::new().await;
    world
        .begin_with(json!({ "subject": "ada", "roles": ["editor"],
        "client": { "ip_address": "192.0.2.1", "device_info": "The till" } }))
        .await;
    world.advance(10);
    let middle = handstamp_protocol::Time::from_millis(world.sessions.now().as_millis());
    let bob = world.begin_with(json!({ "subject": "bob" })).await;
    world.refresh(bob.refresh_token.expose()).await;
    send(world.post("/sessions/logout").bearer_auth(bob.access_token.expose())).await;
    let rows = [
        ("subject=ada", vec!["ada"]),
        ("active=true", vec!["ada"]),
        ("active=false", vec!["bob"]),
        ("role=editor", vec!["ada"]),
        ("ip=192.0.2.1", vec!["ada"]),
        ("device=The%20till", vec!["ada"]),
        ("kind=guest", vec![]),
        (&format!("created_before={middle}"), vec!["ada"]),
        (&format!("created_after={middle}&active=false"), vec!["bob"]),
        ("limit=1", vec!["bob"]),
        ("", vec!["bob", "ada"]),
    ];
    for (query, expected) in rows {
        let list = get(&world, &format!("/admin/sessions?{query}")).await;
        let subjects: Vec<_> = list.json["sessions"]
            .as_array()
            .unwrap_or_else(|| panic!("{query}: {:?}", list.json))
            .iter()
            .map(|one| one["subject"].as_str().unwrap())
            .collect();
        assert_eq!(subjects, expected, "{query}");
    }
    for query in ["id=x", "kind=robot", "created_after=yesterday", "unknown=1"] {
        let status = get(&world, &format!("/admin/sessions?{query}")).await.status;
        assert!(matches!(status, 400 | 422), "{query}: {status}");
    }
}

#[tokio::test]
async fn b07_an_end_can_be_taken_back_to_its_time_and_not_until_somebody_looks() {
    let world = World::new().await;
    world.begin("ada").await;
    let body = json!({ "filter": { "subject": "ada" }, "undo_seconds": 60 });
    let ended = post(&world, "/admin/sessions/end", body).await;
    let undo = format!("/admin/undo/{}", ended.json["undo_id"].as_str().unwrap());
    world.advance(60);
    assert_eq!(post(&world, &undo, json!({})).await.problem(), (404, "SESSION_NOT_FOUND"));
}

#[tokio::test]
async fn b07_a_bulk_end_has_the_list_as_its_preview_and_can_be_taken_back() {
    let world = World::new().await;
    let (a, b) = (world.begin("ada").await, world.begin("ada").await);
    let bob = world.begin("bob").await;
    let everybody = post(&world, "/admin/sessions/end", json!({ "filter": {} })).await;
    assert_eq!(everybody.problem(), (400, "BAD_REQUEST"));
    let filter = json!({ "subject": "ada" });
    let preview =
        post(&world, "/admin/sessions/end", json!({ "filter": filter, "dry_run": true })).await;
    assert_eq!((&preview.json["processed"], &preview.json["more"]), (&json!(2), &json!(false)));
    assert_eq!(world.status(a.access_token.expose()).await.json["is_active"], true);
    let body = json!({ "filter": filter, "undo_seconds": 60, "reason": "a lost laptop" });
    let ended = post(&world, "/admin/sessions/end", body.clone()).await;
    assert_eq!(ended.json["processed"], 2);
    let refused =
        send(world.get("/sessions/my-sessions").bearer_auth(a.access_token.expose())).await;
    assert_eq!(refused.problem(), (401, "SESSION_SUSPENDED"));
    let undo = format!("/admin/undo/{}", ended.json["undo_id"].as_str().unwrap());
    assert_eq!(post(&world, &undo, json!({})).await.json["resumed"], 2);
    assert_eq!(world.status(b.access_token.expose()).await.json["is_active"], true);
    assert_eq!(post(&world, &undo, json!({})).await.problem(), (404, "SESSION_NOT_FOUND"));
    // Nobody takes the second back.
    post(&world, "/admin/sessions/end", body).await;
    world.advance(61);
    let why = json!({ "token": a.refresh_token });
    let mut told = Value::Null;
    for _ in 0..100 {
        told = send(world.post("/sessions/why").json(&why)).await.json;
        if told["reason"] == "admin" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!((&told["is_active"], &told["reason"]), (&json!(false), &json!("admin")));
    assert_eq!(world.status(bob.access_token.expose()).await.json["is_active"], true);
}

#[tokio::test]
async fn s38_an_operator_ends_one_by_its_id_and_the_log_names_who_did_it() {
    let world = World::new().await;
    let ada = world.begin("ada").await;
    let body = json!({ "ids": [ada.session.id] });
    assert_eq!(post(&world, "/admin/sessions/end", body.clone()).await.json["processed"], 1);
    assert_eq!(post(&world, "/admin/sessions/end", body).await.json["processed"], 0);
    let logs = get(&world, &format!("/admin/logs?session={}", ada.session.id)).await;
    let line = &logs.json["logs"][0];
    assert_eq!((&line["action"], &line["details"]["reason"]), (&json!("logout"), &json!("admin")));
    assert!(line["actor"].as_str().unwrap().starts_with("service:"), "{line}");
    assert_eq!(line["owasp_name"], "authn_token_revoked");
}

#[tokio::test]
async fn b07_a_session_is_set_aside_and_taken_back() {
    let world = World::new().await;
    let ada = world.begin("ada").await;
    let path = |what: &str| format!("/admin/sessions/{}/{what}", ada.session.id);
    for _ in 0..2 {
        let answer = post(&world, &path("suspend"), json!({ "reason": "odd" })).await;
        assert_eq!((answer.status, &answer.json["suspended"]), (200, &json!(true)));
    }
    let refused = world.refresh(ada.refresh_token.expose()).await;
    assert_eq!(refused.problem(), (401, "SESSION_SUSPENDED"));
    assert_eq!(post(&world, &path("resume"), json!({})).await.json["suspended"], false);
    assert_eq!(world.refresh(ada.refresh_token.expose()).await.status, 200);
    let unknown = post(&world, "/admin/sessions/AAAAAAAAAAAAAAAAAAAAAAAA/suspend", json!({})).await;
    assert_eq!(unknown.problem(), (404, "SESSION_NOT_FOUND"));
}

/// Shows X05.
#[tokio::test]
async fn b09_a_role_that_is_taken_away_bites_at_the_next_check() {
    let world = World::new().await;
    let ada = world.begin_with(json!({ "subject": "ada", "roles": ["editor", "reader"] })).await;
    let set = |roles: Value| {
        let request = world.request(Method::PUT, "/admin/subjects/ada/roles");
        send(request.bearer_auth(&world.admin).json(&json!({ "roles": roles })))
    };
    let answer = set(json!(["reader"])).await;
    assert_eq!((answer.status, &answer.json["roles"]), (200, &json!(["reader"])));
    let status = world.status(ada.access_token.expose()).await;
    assert_eq!(status.json["session"]["roles"], json!(["reader"]));
    set(Value::Null).await;
    let status = world.status(ada.access_token.expose()).await;
    assert_eq!(status.json["session"]["roles"], json!(["editor", "reader"]));
}

#[tokio::test]
async fn s36_a_disabled_subject_has_no_session_and_begins_none() {
    let world = World::new().await;
    let ada = world.begin("ada").await;
    let disabled = post(&world, "/admin/subjects/ada/disable", json!({ "reason": "left" })).await;
    assert_eq!((&disabled.json["is_disabled"], &disabled.json["ended"]), (&json!(true), &json!(1)));
    let refused = world.refresh(ada.refresh_token.expose()).await;
    assert_eq!((refused.code(), &refused.json["reason"]), ("SESSION_ENDED", &json!("disabled")));
    let body = json!({ "subject": "ada" });
    let begin = || send(world.post("/sessions").bearer_auth(&world.key).json(&body));
    assert_eq!(begin().await.problem(), (403, "SUBJECT_DISABLED"));
    assert_eq!(post(&world, "/admin/subjects/ada/enable", json!({})).await.status, 200);
    assert_eq!(begin().await.status, 201);
}

#[tokio::test]
async fn b06_the_log_is_listed_by_filter_and_its_chain_is_whole() {
    let world = World::new().await;
    let ada = world
        .begin_with(json!({ "subject": "ada", "client": { "ip_address": "192.0.2.1" } }))
        .await;
    world.begin("bob").await;
    send(world.post("/sessions/logout").bearer_auth(ada.access_token.expose())).await;
    let failed = json!({ "subject": "ada", "reason": "bad_password", "client": {} });
    send(world.post("/sessions/failures").bearer_auth(&world.key).json(&failed)).await;
    let rows = [
        ("subject=bob&action=login", 1),
        ("action=logout", 1),
        ("action=session_expired", 0),
        ("success=false", 1),
        ("action=login&success=false", 1),
        ("ip=192.0.2.1&action=login", 1),
        ("action=session.started", 2),
    ];
    for (query, count) in rows {
        let list = get(&world, &format!("/admin/logs?{query}")).await;
        assert_eq!(list.json["logs"].as_array().unwrap().len(), count, "{query}: {}", list.json);
    }
    let checked = get(&world, "/admin/logs/verify").await;
    assert_eq!(checked.json["ok"], true, "{}", checked.json);
    assert!(checked.json["checked"].as_u64().unwrap() >= 4);
}

#[tokio::test]
async fn b15_a_policy_is_tried_without_signing_anybody_out() {
    let world = World::new().await;
    let old = world.begin("ada").await;
    world.advance(1000);
    for _ in 0..2 {
        world.begin("ada").await;
        world.advance(1);
    }
    world.begin("bob").await;
    let rows = [
        (json!({ "max_sessions": 2 }), 1, 1),
        (json!({ "max_sessions": 1 }), 2, 1),
        (json!({ "absolute_seconds": 900 }), 1, 1),
        (json!({ "idle_seconds": 1 }), 3, 1),
        (json!({}), 0, 0),
    ];
    for (policy, sessions, subjects) in rows {
        let answer = post(&world, "/admin/policy/dry-run", policy.clone()).await;
        assert_eq!(answer.json["checked"], 4, "{policy}");
        assert_eq!(answer.json["sessions"], sessions, "{policy}: {}", answer.json);
        assert_eq!(answer.json["subjects"], subjects, "{policy}");
    }
    assert_eq!(world.refresh(old.refresh_token.expose()).await.status, 200);
}

#[tokio::test]
async fn b12_webhooks_are_added_tried_and_removed_and_their_secret_is_told_once() {
    let world = World::with(&[("webhooks.allow_private_networks", "true")]).await;
    let body = json!({ "url": "http://127.0.0.1:9/hook", "events": ["session.*"] });
    let made = post(&world, "/admin/webhooks", body).await;
    assert_eq!(made.status, 201, "{:?}", made.json);
    assert!(made.json["secret"].as_str().unwrap().starts_with("whsec_"));
    let list = get(&world, "/admin/webhooks").await;
    assert!(list.json["webhooks"][0].get("secret").is_none());
    let path = format!("/admin/webhooks/{}", made.json["id"].as_str().unwrap());
    let tried = post(&world, &format!("{path}/test"), json!({})).await;
    assert_eq!(tried.json["delivered"], false, "nobody listens there: {:?}", tried.json);
    let remove = || send(world.request(Method::DELETE, &path).bearer_auth(&world.admin));
    assert_eq!(remove().await.status, 204);
    assert_eq!(remove().await.problem(), (404, "SESSION_NOT_FOUND"));
    let inside = World::new().await;
    let body = json!({ "url": "http://169.254.169.254/latest" });
    assert_eq!(post(&inside, "/admin/webhooks", body).await.problem(), (422, "BAD_REQUEST"));
}

#[tokio::test]
async fn f09_figures_count_sign_ins_failures_devices_and_how_long_sessions_lasted() {
    let world = World::new().await;
    let ada = world
        .begin_with(json!({ "subject": "ada", "client": { "device_info": "The till" } }))
        .await;
    world.begin("bob").await;
    let failed = json!({ "subject": "ada", "reason": "bad_password", "client": {} });
    send(world.post("/sessions/failures").bearer_auth(&world.key).json(&failed)).await;
    world.advance(120);
    send(world.post("/sessions/logout").bearer_auth(ada.access_token.expose())).await;
    let of = async |series: &str| {
        let answer = get(&world, &format!("/admin/analytics/{series}?bucket=hour")).await;
        assert_eq!(answer.status, 200, "{series}: {:?}", answer.json);
        answer.json["points"].as_array().unwrap().clone()
    };
    let total = |points: &[Value], field: &str| -> u64 {
        points.iter().filter_map(|point| point[field].as_u64()).sum()
    };
    let logins = of("logins").await;
    assert_eq!((total(&logins, "count"), total(&logins, "failed")), (2, 1));
    let failures = of("failures").await;
    let named = failures.iter().find(|point| point["name"] == "bad_password").unwrap();
    assert_eq!(named["count"], 1);
    assert!(of("devices").await.iter().any(|point| point["name"] == "The till"));
    let lasted = of("durations").await;
    assert!(lasted.iter().any(|point| point["mean_seconds"] == 120), "{lasted:?}");
    for series in ["active", "ips", "countries"] {
        of(series).await;
    }
    assert_eq!(get(&world, "/admin/analytics/dreams").await.status, 404);
    let wrong = "/admin/analytics/logins?from=2027-01-02T00:00:00Z&to=2027-01-01T00:00:00Z";
    assert_eq!(get(&world, wrong).await.problem(), (422, "BAD_REQUEST"));
}
