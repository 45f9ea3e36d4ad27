//! Sessions end.

use serde_json::json;

use crate::world::{World, send};

#[tokio::test]
async fn f03_logout_ends_the_session_and_its_tokens_at_once() {
    let world = World::new().await;
    let begun = world.begin("ada").await;
    let access = begun.access_token.expose();
    let answer = send(world.post("/sessions/logout").bearer_auth(access)).await;
    assert_eq!((answer.status, &answer.json["ended"]), (200, &json!(true)));
    assert!(!answer.header("handstamp-cursor").is_empty());
    let status = world.status(access).await;
    assert_eq!(status.json["is_active"], false);
    assert_eq!(status.json["reason"], "logout");
    let refused = send(world.get("/sessions/my-sessions").bearer_auth(access)).await;
    assert_eq!(refused.problem(), (401, "SESSION_ENDED"));
    assert!(refused.header("www-authenticate").starts_with("Bearer error="));
    let refresh = world.refresh(begun.refresh_token.expose()).await;
    assert_eq!((refresh.code(), &refresh.json["reason"]), ("SESSION_ENDED", &json!("logout")));
    let again = send(world.post("/sessions/logout").bearer_auth(access)).await;
    assert_eq!((again.status, &again.json["ended"]), (200, &json!(false)), "s42: no error");
}

#[tokio::test]
async fn a_refresh_token_is_authority_enough_to_sign_out() {
    let world = World::new().await;
    let begun = world.begin("ada").await;
    world.advance(1801);
    let body = json!({ "refresh_token": begun.refresh_token });
    let answer = send(world.post("/sessions/logout").json(&body)).await;
    assert_eq!((answer.status, &answer.json["ended"]), (200, &json!(true)));
    let forged = json!({ "refresh_token": "hsr_nonsense" });
    let answer = send(world.post("/sessions/logout").json(&forged)).await;
    assert_eq!(answer.problem(), (401, "SESSION_INVALID"));
}

#[tokio::test]
async fn f03_logout_all_ends_every_session_or_all_but_this_one() {
    let world = World::new().await;
    let (a, b, c) = (world.begin("ada").await, world.begin("ada").await, world.begin("ada").await);
    let bob = world.begin("bob").await;
    let body = json!({ "except_current": true });
    let access = a.access_token.expose();
    let answer = send(world.post("/sessions/logout-all").bearer_auth(access).json(&body)).await;
    assert_eq!((answer.status, &answer.json["ended"]), (200, &json!(2)));
    assert_eq!(world.refresh(b.refresh_token.expose()).await.json["reason"], "logout_all");
    assert_eq!(world.status(c.access_token.expose()).await.json["is_active"], false);
    assert_eq!(world.status(access).await.json["is_active"], true);
    assert_eq!(world.refresh(a.refresh_token.expose()).await.status, 200);
    let answer = send(world.post("/sessions/logout-all").bearer_auth(access)).await;
    assert_eq!(answer.json["ended"], 1);
    assert_eq!(world.status(access).await.json["is_active"], false);
    assert_eq!(world.status(bob.access_token.expose()).await.json["is_active"], true);
}

#[tokio::test]
async fn f02_one_of_mine_is_ended_and_named_and_somebody_elses_is_not_found() {
    let world = World::new().await;
    let (mine, other) = (world.begin("ada").await, world.begin("ada").await);
    let bob = world.begin("bob").await;
    let access = mine.access_token.expose();
    let path = |id: &str| format!("/sessions/{id}");
    let name = |id: &str, label: serde_json::Value| {
        let request = world.request(reqwest::Method::PATCH, &path(id)).bearer_auth(access);
        send(request.json(&json!({ "label": label })))
    };
    assert_eq!(name(&other.session.id, json!("the old\r\nlaptop")).await.status, 204);
    let list = send(world.get("/sessions/my-sessions").bearer_auth(access)).await;
    let named =
        list.json["sessions"].as_array().unwrap().iter().find(|it| it["label"] != json!(null));
    assert_eq!(named.unwrap()["id"], json!(other.session.id));
    assert!(!named.unwrap()["label"].as_str().unwrap().contains('\n'));
    let end =
        |id: &str| send(world.request(reqwest::Method::DELETE, &path(id)).bearer_auth(access));
    assert_eq!(end(&other.session.id).await.json["ended"], true);
    assert_eq!(end(&other.session.id).await.json["ended"], false);
    assert_eq!(world.refresh(other.refresh_token.expose()).await.json["reason"], "revoked");
    for id in [&*bob.session.id, "AAAAAAAAAAAAAAAAAAAAAAAA", "x", "%00", "'%20OR%201=1"] {
        assert_eq!(end(id).await.problem(), (404, "SESSION_NOT_FOUND"), "{id}");
        assert_eq!(name(id, json!("x")).await.problem(), (404, "SESSION_NOT_FOUND"), "{id}");
    }
    assert_eq!(world.status(bob.access_token.expose()).await.json["is_active"], true);
}

#[tokio::test]
async fn s87_revoking_answers_the_same_for_good_dead_and_unknown_tokens() {
    let world = World::new().await;
    let begun = world.begin("ada").await;
    let revoke = |token: String| {
        let form = format!("token={token}&token_type_hint=nonsense");
        let request = world.post("/sessions/revoke").body(form);
        send(request.header("content-type", "application/x-www-form-urlencoded"))
    };
    let token = begun.refresh_token.expose().to_owned();
    let good = revoke(token.clone()).await;
    let dead = revoke(token).await;
    let unknown = revoke("hsr_unknown".into()).await;
    for answer in [&good, &dead, &unknown] {
        assert_eq!((answer.status, &answer.json), (200, &json!({})));
    }
    assert_eq!(world.status(begun.access_token.expose()).await.json["is_active"], false);
    let missing = world.post("/sessions/revoke").body("x=y");
    let missing = missing.header("content-type", "application/x-www-form-urlencoded");
    let missing = send(missing).await;
    assert_eq!((missing.status, &missing.json["error"]), (400, &json!("invalid_request")));
}
