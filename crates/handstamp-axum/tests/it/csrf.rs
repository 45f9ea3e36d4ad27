//! CSRF tokens: rendered, posted back, refused.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, Request, StatusCode};
use handstamp_axum::require;

use crate::browser::{Answer, Browser};
use crate::world::World;

async fn token(browser: &mut Browser) -> String {
    browser.get("/token").await.body
}

async fn order(browser: &mut Browser, token: &str) -> Answer {
    browser.submit("/order", &format!("item=tea&_csrf={token}")).await
}

#[tokio::test]
async fn n07_a_form_with_its_token_is_taken_and_one_without_is_not() {
    let world = World::new();
    let mut browser = world.browser();
    browser.post("/login/alice").await;
    let good = token(&mut browser).await;
    assert_eq!(order(&mut browser, &good).await.body, "ordered tea");
    for bad in ["", "x", &good[1..], &format!("{good}a"), &good.to_uppercase()] {
        let answer = order(&mut browser, bad).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::FORBIDDEN, "CSRF_INVALID".into()));
    }
    let without = browser.submit("/order", "item=tea").await;
    assert_eq!(without.code(), "CSRF_INVALID");
}

#[tokio::test]
async fn n07_a_token_is_masked_anew_and_every_one_is_good() {
    let world = World::new();
    let mut browser = world.browser();
    browser.post("/login/alice").await;
    let (one, other) = (token(&mut browser).await, token(&mut browser).await);
    assert_ne!(one, other);
    assert_eq!(order(&mut browser, &one).await.status, StatusCode::OK);
    assert_eq!(order(&mut browser, &other).await.status, StatusCode::OK);
}

#[tokio::test]
async fn n07_regenerate_csrf_ends_the_old_tokens() {
    let world = World::new();
    let mut browser = world.browser();
    browser.post("/login/alice").await;
    let old = token(&mut browser).await;
    browser.post("/regenerate-csrf").await;
    assert_eq!(order(&mut browser, &old).await.code(), "CSRF_INVALID");
    let new = token(&mut browser).await;
    assert_eq!(order(&mut browser, &new).await.status, StatusCode::OK);
}

#[tokio::test]
async fn s47_a_token_of_another_session_is_refused() {
    let world = World::new();
    let (mut alice, mut mallory) = (world.browser(), world.browser());
    alice.post("/login/alice").await;
    mallory.post("/login/mallory").await;
    let planted = token(&mut mallory).await;
    assert_eq!(order(&mut alice, &planted).await.code(), "CSRF_INVALID");
}

#[tokio::test]
async fn n07_the_form_helper_is_a_hidden_field() {
    let world = World::new();
    let mut browser = world.browser();
    browser.post("/login/alice").await;
    let field = browser.get("/field").await.body;
    let token = field
        .strip_prefix(r#"<input type="hidden" name="_csrf" value=""#)
        .and_then(|rest| rest.strip_suffix(r#"">"#))
        .expect(&field);
    assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)), "{token}");
    assert_eq!(order(&mut browser, token).await.status, StatusCode::OK);
}

#[tokio::test]
async fn s52_a_sign_in_form_is_guarded_before_there_is_a_session() {
    let world = World::new();
    let mut visitor = world.browser();
    let shown = token(&mut visitor).await;
    assert_eq!(world.rows().await, 0, "showing a form keeps nothing");
    assert_eq!(order(&mut visitor, &shown).await.status, StatusCode::OK);
    let mut stranger = world.browser();
    assert_eq!(order(&mut stranger, &shown).await.code(), "CSRF_INVALID");
    token(&mut stranger).await;
    assert_eq!(order(&mut stranger, &shown).await.code(), "CSRF_INVALID");
}

#[tokio::test]
async fn s48_two_cookies_planted_together_do_not_make_a_token() {
    let world = World::new();
    let (mut visitor, mut mallory) = (world.browser(), world.browser());
    visitor.post("/login/alice").await;
    let planted = token(&mut mallory).await;
    for (name, value) in &mallory.jar {
        visitor.jar.entry(name.clone()).or_insert_with(|| value.clone());
    }
    assert_eq!(order(&mut visitor, &planted).await.code(), "CSRF_INVALID");
}

#[tokio::test]
async fn scripts_send_the_token_in_a_header() {
    let world = World::new();
    let mut browser = world.browser();
    browser.post("/login/alice").await;
    let good = token(&mut browser).await;
    let with = |tokens: &[&str]| {
        let mut request = Request::post("/order").header("sec-fetch-site", "same-origin");
        for token in tokens {
            request = request.header("x-csrf-token", *token);
        }
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        request.body(Body::from("item=tea")).unwrap()
    };
    assert_eq!(browser.send(with(&[&good])).await.status, StatusCode::OK);
    assert_eq!(browser.send(with(&["wrong"])).await.code(), "CSRF_INVALID");
    assert_eq!(browser.send(with(&[&good, &good])).await.code(), "CSRF_INVALID");
}

#[tokio::test]
async fn s44_nothing_of_a_form_is_looked_at_before_its_token() {
    let world = World::new();
    let mut browser = world.browser();
    browser.post("/login/alice").await;
    for body in ["", "%%%", "item", "other=x", "_csrf"] {
        assert_eq!(browser.submit("/order", body).await.code(), "CSRF_INVALID", "{body:?}");
    }
    let good = token(&mut browser).await;
    let twice = format!("_csrf={good}&_csrf={good}&item=tea");
    assert_eq!(browser.submit("/order", &twice).await.code(), "CSRF_INVALID");
    let answer = browser.submit("/order", &format!("_csrf={good}&other=x")).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn s98_a_form_has_a_limit() {
    let world = World::new();
    let mut browser = world.browser();
    let answer = browser.submit("/order", &"x".repeat(3 << 20)).await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::PAYLOAD_TOO_LARGE, "BAD_REQUEST".into())
    );
}

#[tokio::test]
async fn s45_another_type_of_body_is_no_form() {
    let world = World::new();
    let mut browser = world.browser();
    for kind in ["text/plain", "application/json", "multipart/form-data; boundary=x"] {
        let request = Request::post("/order").header("sec-fetch-site", "same-origin");
        let request = request.header(CONTENT_TYPE, kind).body(Body::from("item=tea")).unwrap();
        assert_eq!(browser.send(request).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
}

#[tokio::test]
async fn a_route_that_asks_for_the_token_refuses_without_it() {
    let world = World::new();
    let app = world.routes(|router| {
        let inner = axum::Router::new().route("/api", axum::routing::any(|| async { "done" }));
        router.merge(inner.route_layer(require::csrf()))
    });
    let mut browser = Browser::new(&app);
    browser.post("/login/alice").await;
    assert_eq!(browser.get("/api").await.body, "done", "a GET changes nothing");
    assert_eq!(browser.post("/api").await.code(), "CSRF_INVALID");
    let good = token(&mut browser).await;
    let request = Request::builder().method(Method::DELETE).uri("/api");
    let request = request.header("sec-fetch-site", "same-origin").header("x-csrf-token", good);
    assert_eq!(browser.send(request.body(Body::empty()).unwrap()).await.body, "done");
}

#[tokio::test]
async fn a_token_never_overrides_a_cross_site_verdict() {
    let world = World::new();
    let mut browser = world.browser();
    browser.post("/login/alice").await;
    let good = token(&mut browser).await;
    let request = Request::post("/order").header("sec-fetch-site", "cross-site");
    let request = request.header("x-csrf-token", good);
    let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let answer = browser.send(request.body(Body::from("item=tea")).unwrap()).await;
    assert_eq!(answer.code(), "CSRF_INVALID");
}
