//! What services ask and tell.

use serde_json::json;

use crate::world::{World, send};

#[tokio::test]
async fn s88_introspection_tells_all_of_a_live_token_and_nothing_of_any_other() {
    let world = World::new().await;
    let begun = world.begin_with(json!({ "subject": "ada", "roles": ["editor"] })).await;
    let ask = |token: String, key: String| {
        let form = format!("token={token}");
        let request = world.post("/sessions/introspect").bearer_auth(key).body(form);
        send(request.header("content-type", "application/x-www-form-urlencoded"))
    };
    let access = begun.access_token.expose().to_owned();
    let refresh = begun.refresh_token.expose().to_owned();
    let told = ask(access.clone(), world.key.clone()).await;
    assert_eq!(told.header("cache-control"), "no-store");
    assert_eq!((&told.json["active"], &told.json["sub"]), (&json!(true), &json!("ada")));
    assert_eq!(told.json["sid"], json!(begun.session.id));
    assert_eq!((&told.json["roles"], &told.json["kind"]), (&json!(["editor"]), &json!("user")));
    assert_eq!(told.json["iss"], json!(world.url));
    for name in ["exp", "iat", "aud", "jti", "client_id", "auth_time"] {
        assert!(told.json.get(name).is_some(), "{name}");
    }
    assert_eq!(ask(refresh.clone(), world.key.clone()).await.json["token_type"], "refresh_token");
    send(world.post("/sessions/logout").bearer_auth(&access)).await;
    for token in [access, refresh, "nonsense".into()] {
        assert_eq!(ask(token, world.key.clone()).await.json, json!({ "active": false }));
    }
    assert_eq!(ask("x".into(), world.admin.clone()).await.problem(), (403, "FORBIDDEN"));
    let nobody = send(world.post("/sessions/introspect").json(&json!({ "token": "x" }))).await;
    assert_eq!(nobody.status, 401);
}

#[tokio::test]
async fn b08_a_step_up_renews_the_sign_in_and_kills_the_old_tokens_at_once() {
    let world = World::new().await;
    let begun = world.begin_with(json!({ "subject": "ada", "amr": ["pwd"] })).await;
    world.advance(900);
    let body = json!({ "session_id": begun.session.id, "amr": ["otp"] });
    let answer = send(world.post("/sessions/step-up").bearer_auth(&world.key).json(&body)).await;
    assert_eq!(answer.status, 200, "{:?}", answer.json);
    assert_eq!(answer.json["session"]["amr"], json!(["pwd", "otp"]));
    assert_ne!(answer.json["session"]["authenticated_at"], json!(begun.session.authenticated_at));
    let old = world.status(begun.access_token.expose()).await;
    assert_eq!(old.json["is_active"], false, "s05");
    assert_eq!(world.refresh(begun.refresh_token.expose()).await.status, 401);
    let access = answer.json["access_token"].as_str().unwrap();
    assert_eq!(world.status(access).await.json["is_active"], true);
    let unknown = json!({ "session_id": "AAAAAAAAAAAAAAAAAAAAAAAA", "amr": ["otp"] });
    let answer = send(world.post("/sessions/step-up").bearer_auth(&world.key).json(&unknown)).await;
    assert_eq!(answer.problem(), (404, "SESSION_NOT_FOUND"));
}

#[tokio::test]
async fn f10_failed_sign_ins_are_noted_counted_and_answered_with_advice() {
    let world = World::with(&[("risk.block_after", "5")]).await;
    // Each service counts for itself.
    world.on_one_node();
    let fail = |subject: Option<&str>| {
        let body = json!({
            "subject": subject, "identifier": "Ada@Example.org", "reason": "bad_password",
            "client": { "ip_address": "192.0.2.66" },
        });
        send(world.post("/sessions/failures").bearer_auth(&world.key).json(&body))
    };
    let first = fail(Some("ada")).await;
    assert_eq!((first.status, &first.json["advice"]), (202, &json!("allow")));
    assert_eq!(first.json["failures_recent"], 1);
    let mut last = first;
    for _ in 0..4 {
        last = fail(Some("ada")).await;
    }
    assert_eq!(last.json["advice"], "block");
    assert!(last.json["retry_after_seconds"].as_u64().unwrap() > 0);
    assert_eq!(fail(None).await.status, 202, "of an unknown user too");
    // Advice is about new sign-ins: whoever is signed in stays so (STANDARDS 94).
    let begun = world.begin("ada").await;
    let logs =
        send(world.get("/sessions/my-session-logs").bearer_auth(begun.access_token.expose()));
    let logs = logs.await.json;
    let failed: Vec<_> = logs["logs"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["success"] == false && line["error_message"] == "bad_password")
        .collect();
    assert_eq!(failed.len(), 5);
    assert_eq!(failed[0]["action"], "login");
    assert!(!logs.to_string().to_lowercase().contains("ada@example"), "what was typed is not kept");
}
