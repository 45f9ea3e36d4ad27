//! Scripts of a cookie's holder, where the configuration wants a token beside the site check.

use serde_json::json;

use crate::world::{Answer, World, send};

/// Asks for the token as a script on the service's own pages does.
async fn token(world: &World, cookie: &str) -> String {
    let asked = world.get("/sessions/csrf").header("cookie", cookie);
    let answer = send(asked.header("sec-fetch-site", "same-origin")).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"));
    answer.json["csrf_token"].as_str().unwrap().to_owned()
}

/// Signs out everywhere else, as a script of `site` that knows this token.
async fn post(world: &World, cookie: &str, site: &str, token: Option<&str>) -> Answer {
    let request = world.post("/sessions/logout-all").header("cookie", cookie);
    let request = request.header("sec-fetch-site", site).json(&json!({ "except_current": true }));
    send(token.into_iter().fold(request, |request, token| request.header("x-csrf-token", token)))
        .await
}

#[tokio::test]
async fn a_script_brings_the_token_of_its_own_session_where_the_configuration_wants_one() {
    let world = World::with(&[("cookies.csrf_token_required", "true")]).await;
    let (ada, bob) = (world.begin_cookie("ada").await, world.begin_cookie("bob").await);
    let (hers, his) = (token(&world, &ada).await, token(&world, &bob).await);
    assert_ne!(token(&world, &ada).await, hers, "masked anew for each answer");

    let refused = (403, "CSRF_INVALID");
    assert_eq!(post(&world, &ada, "same-origin", None).await.problem(), refused);
    assert_eq!(post(&world, &ada, "same-origin", Some("made up")).await.problem(), refused);
    assert_eq!(post(&world, &ada, "same-origin", Some(&his)).await.problem(), refused);
    assert_eq!(post(&world, &ada, "same-origin", Some(&hers)).await.status, 200);
    let from_elsewhere = post(&world, &ada, "cross-site", Some(&hers)).await;
    assert_eq!(from_elsewhere.problem(), refused, "a token never overrides the site check");
}

#[tokio::test]
async fn bearers_of_an_access_token_need_no_token_against_cross_site_requests() {
    let world = World::with(&[("cookies.csrf_token_required", "true")]).await;
    let ada = world.begin("ada").await;
    let request = world.post("/sessions/logout").bearer_auth(ada.access_token.expose());
    assert_eq!(send(request).await.status, 200);
}

#[tokio::test]
async fn the_token_is_for_a_holder_only() {
    let world = World::new().await;
    let answer = send(world.get("/sessions/csrf")).await;
    assert_eq!(answer.problem(), (401, "SESSION_NOT_FOUND"));
}
