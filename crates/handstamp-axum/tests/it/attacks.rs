//! Requests that other sites make.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use handstamp_axum::SessionLayer;
use handstamp_core::SessionConfig;

use crate::browser::{Browser, answer};
use crate::world::World;

fn post(lines: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::post("/set/note/evil").header("host", "shop.example");
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn s44_a_request_of_another_site_is_refused_before_any_effect() {
    let world = World::new();
    let mut browser = world.browser();
    browser.post("/set/note/mine").await;
    let cases: [&[(&str, &str)]; 7] = [
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("referer", "https://evil.example/")],
        &[],
    ];
    for lines in cases {
        let answer = browser.send(post(lines)).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::FORBIDDEN, "CSRF_INVALID".into()));
        assert!(answer.json()["timestamp"].is_string());
        assert_eq!(answer.all("vary"), ["sec-fetch-site, origin"]);
        assert!(answer.set_cookies().is_empty());
    }
    assert_eq!(browser.get("/read/note").await.body, "\"mine\"");
}

#[tokio::test]
async fn a_request_of_our_own_passes_with_and_without_fetch_metadata() {
    let world = World::new();
    let cases: [&[(&str, &str)]; 4] = [
        &[("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")],
        &[("origin", "https://shop.example")],
        &[("referer", "https://shop.example/form")],
    ];
    for lines in cases {
        assert_eq!(answer(&world.app, post(lines)).await.status, StatusCode::OK, "{lines:?}");
    }
}

#[tokio::test]
async fn trusted_origins_are_taken_from_the_configuration() {
    let config = SessionConfig::default().edit();
    let config = config.trusted_origins(["https://app.example".to_owned()]).build().unwrap();
    let world = World::with(config);
    let trusted = [("sec-fetch-site", "same-site"), ("origin", "https://app.example")];
    assert_eq!(answer(&world.app, post(&trusted)).await.status, StatusCode::OK);
    let other = [("sec-fetch-site", "same-site"), ("origin", "https://b.example")];
    assert_eq!(answer(&world.app, post(&other)).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn s51_a_log_only_check_lets_pass() {
    let world = World::new();
    let layer = SessionLayer::new(world.sessions.clone()).log_only_site_check();
    let app = World::router().layer(layer);
    let answer = answer(&app, post(&[("sec-fetch-site", "cross-site")])).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn only_what_the_layer_exempts_passes_from_another_site() {
    let world = World::new();
    let layer = SessionLayer::new(world.sessions.clone())
        .exempt(|head| head.headers.contains_key("authorization"));
    let app = World::router().layer(layer);
    let elsewhere = ("sec-fetch-site", "cross-site");
    let bearer = [elsewhere, ("authorization", "Bearer x")];
    assert_eq!(answer(&app, post(&bearer)).await.status, StatusCode::OK);
    assert_eq!(answer(&app, post(&[elsewhere])).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn s46_reading_writes_nothing() {
    let world = World::new();
    let mut browser = world.browser();
    browser.post("/login/alice").await;
    browser.get("/whoami").await;
    world.settle().await;
    let before = world.commits();
    for path in ["/whoami", "/read/note", "/account", "/token", "/field", "/public", "/flashes"] {
        browser.get(path).await;
    }
    world.settle().await;
    assert_eq!(world.commits(), before);
}

#[tokio::test]
async fn s10_a_get_never_signs_anybody_in() {
    let world = World::new();
    let mut browser = world.browser();
    assert_eq!(browser.get("/login/alice").await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(browser.get("/whoami").await.body, "nobody");
}

#[tokio::test]
async fn fixation_a_cookie_planted_before_sign_in_is_worth_nothing_after() {
    let world = World::new();
    let mut mallory = world.browser();
    mallory.get("/visit").await;
    let mut victim = Browser::new(&world.app);
    victim.jar.clone_from(&mallory.jar);
    victim.post("/login/alice").await;
    assert_eq!(victim.get("/whoami").await.body, "alice");
    assert_eq!(mallory.get("/whoami").await.body, "nobody");
}
