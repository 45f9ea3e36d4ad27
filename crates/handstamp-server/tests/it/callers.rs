//! Who may call what, and what every answer carries.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{World, send};

/// Every call of the document with its path filled in, and whether anybody may make it.
pub(crate) fn calls(document: &Value) -> Vec<(Method, String, Vec<String>)> {
    let mut calls = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, call) in methods.as_object().unwrap() {
            let schemes = call["security"].as_array().unwrap().iter();
            let schemes = schemes.flat_map(|it| it.as_object().unwrap().keys().cloned()).collect();
            let path = path.replace("{id}", "AAAAAAAAAAAAAAAAAAAAAAAA").replace("{subject}", "ada");
            let path = path.replace("{series}", "logins");
            calls.push((method.to_uppercase().parse().unwrap(), path, schemes));
        }
    }
    assert!(calls.len() > 20, "{}", calls.len());
    calls
}

#[tokio::test]
async fn every_call_that_asks_for_a_caller_refuses_one_who_is_none_or_another() {
    let world = World::new().await;
    let document: Value = serde_json::from_str(world.service.openapi()).unwrap();
    let holder = world.begin("ada").await;
    for (method, path, schemes) in calls(&document) {
        if schemes.is_empty() {
            continue;
        }
        let body = json!({});
        let ask = |token: Option<&str>| {
            let mut request = world.request(method.clone(), &path);
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            send(match method {
                Method::GET | Method::DELETE => request,
                _ => request.json(&body),
            })
        };
        assert_eq!(ask(None).await.status, 401, "{method} {path} without a credential");
        assert_eq!(ask(Some("hsk_x")).await.status, 401, "{method} {path} with a bad key");
        assert_eq!(ask(Some("e30.e30.e30")).await.status, 401, "{method} {path} with a bad token");
        let is_operators =
            schemes.contains(&"service".into()) && schemes.contains(&"holder".into());
        if is_operators {
            let answer = ask(Some(holder.access_token.expose())).await;
            assert_eq!(answer.problem(), (403, "FORBIDDEN"), "{method} {path} by a holder");
            let answer = ask(Some(&world.key)).await;
            assert_eq!(answer.problem(), (403, "FORBIDDEN"), "{method} {path} by a service");
        } else if !schemes.contains(&"holder".into()) {
            let answer = ask(Some(holder.access_token.expose())).await;
            assert_eq!(answer.status, 401, "{method} {path} by a holder");
        } else {
            assert_eq!(ask(Some(&world.key)).await.status, 401, "{method} {path} by a service");
        }
    }
}

/// Shows X07.
#[tokio::test]
async fn with_an_authorization_header_the_cookie_is_never_a_fallback() {
    let world = World::new().await;
    let cookie = world.begin_cookie("ada").await;
    let good = send(world.get("/sessions/my-sessions").header("cookie", &cookie)).await;
    assert_eq!(good.status, 200);
    let bad = world.get("/sessions/my-sessions").header("cookie", &cookie).bearer_auth("nonsense");
    assert_eq!(send(bad).await.problem(), (401, "JWT_INVALID"));
}

#[tokio::test]
async fn s07_a_token_in_a_url_is_never_read() {
    let world = World::new().await;
    let begun = world.begin("ada").await;
    let path = format!("/sessions/my-sessions?access_token={}", begun.access_token.expose());
    assert!(matches!(send(world.get(&path)).await.status, 400 | 401));
}

#[tokio::test]
async fn s91_s92_problems_have_their_members_and_methods_their_answers() {
    let world = World::new().await;
    let nobody = send(world.get("/sessions/my-sessions")).await;
    assert_eq!(nobody.header("content-type"), "application/problem+json");
    for member in ["type", "title", "status", "detail", "code", "timestamp", "request_id"] {
        assert!(nobody.json.get(member).is_some(), "{member}");
    }
    assert_eq!(nobody.json["request_id"], nobody.header("x-request-id"));
    let nowhere = send(world.get("/nowhere")).await;
    assert_eq!((nowhere.status, nowhere.code()), (404, "BAD_REQUEST"));
    let wrong = send(world.request(Method::PUT, "/sessions/status")).await;
    assert_eq!(wrong.status, 405);
    assert!(wrong.header("allow").contains("GET"), "{}", wrong.header("allow"));
    assert_eq!(send(world.request(Method::TRACE, "/sessions/status")).await.status, 405);
    let head = world.request(Method::HEAD, "/healthz").send().await.unwrap();
    assert_eq!(head.status(), 200);
}

#[tokio::test]
async fn s55_every_answer_carries_the_headers_that_browsers_heed() {
    let world = World::new().await;
    for path in ["/sessions/status", "/nowhere", "/openapi.json"] {
        let answer = send(world.get(path)).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"));
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
        assert!(answer.headers.get("server").is_none());
        assert!(answer.headers.get("access-control-allow-origin").is_none());
    }
}

#[tokio::test]
async fn s96_forwarded_addresses_count_only_from_proxies_of_ours() {
    let ip_of = |world: World| async move {
        let request = world.post("/sessions/guest").header("x-forwarded-for", "203.0.113.9");
        send(request).await.json["session"]["ip_address"].clone()
    };
    let open = World::with(&[("guests.enabled", "true")]).await;
    assert_eq!(ip_of(open).await, json!("127.0.0.1"));
    let behind = [("guests.enabled", "true"), ("server.trusted_proxies", "127.0.0.0/8")];
    assert_eq!(ip_of(World::with(&behind).await).await, json!("203.0.113.9"));
}

#[tokio::test]
async fn s98_bodies_that_are_too_large_or_too_deep_are_refused() {
    let world = World::new().await;
    let ask = |body: String| {
        let request = world.post("/sessions").bearer_auth(&world.key).body(body);
        send(request.header("content-type", "application/json"))
    };
    let large = format!("{{\"subject\":\"{}\"}}", "x".repeat(10 << 20));
    assert_eq!(ask(large).await.problem(), (413, "BAD_REQUEST"));
    let deep =
        format!("{{\"subject\":\"a\",\"data\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(ask(deep).await.problem(), (400, "BAD_REQUEST"));
    let twice = r#"{"subject":"a","data":{"k":1,"k":2}}"#;
    let answer = ask(twice.into()).await;
    assert_eq!(answer.json["errors"][0]["field"], "data.k");
}
