//! The store cannot be asked.

use axum::http::{Method, StatusCode};

use handstamp_axum::{Session, SessionRejection};

use crate::browser::{Answer, Browser};
use crate::world::World;

fn check_503(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
    assert_eq!(answer.code(), "STORE_UNAVAILABLE");
    assert_eq!(answer.json()["outcome"], "none");
    assert!(!answer.header("retry-after").is_empty());
    assert!(answer.set_cookies().is_empty());
    assert!(!answer.body.contains("test"), "opaque to the outside: {}", answer.body);
}

#[tokio::test]
async fn s100_public_pages_serve_and_the_rest_is_503_never_anonymous_by_accident() {
    let before = World::new();
    let mut browser = before.browser();
    browser.post("/login/alice").await;
    let world = before.restarted();
    browser.app = world.app.clone();
    world.store_is_down(true);
    assert_eq!(browser.get("/public").await.body, "public");
    for path in ["/whoami", "/account", "/read/note", "/guarded"] {
        check_503(&browser.call(Method::GET, path).await);
    }
    world.store_is_down(false);
    assert_eq!(browser.get("/whoami").await.body, "alice");
}

#[tokio::test]
async fn a_session_in_the_near_cache_is_still_read() {
    let world = World::new();
    let mut browser = world.browser();
    browser.post("/login/alice").await;
    world.store_is_down(true);
    assert_eq!(browser.get("/whoami").await.body, "alice");
}

#[tokio::test]
async fn n11_a_failed_commit_turns_the_answer_into_503() {
    let world = World::new();
    let mut browser = world.browser();
    browser.get("/visit").await;
    world.store_is_down(true);
    check_503(&browser.get("/visit").await);
    world.store_is_down(false);
    assert_eq!(browser.get("/visit").await.body, "2", "nothing half-written");
}

#[tokio::test]
async fn n11_a_visitor_gets_no_cookie_for_what_was_not_stored() {
    let world = World::new();
    world.store_is_down(true);
    check_503(&world.browser().get("/visit").await);
    check_503(&world.browser().post("/login/alice").await);
}

#[tokio::test]
async fn a_failed_sign_out_is_told() {
    let world = World::new();
    let mut browser = world.browser();
    browser.post("/login/alice").await;
    world.store_is_down(true);
    check_503(&browser.post("/logout").await);
}

#[tokio::test]
async fn a_login_that_is_committed_keeps_its_cookie_when_a_later_commit_fails() {
    let world = std::sync::Arc::new(World::new());
    let shop = std::sync::Arc::clone(&world);
    let app = world.route("/in", |session: Session| async move {
        session.login("alice").await?;
        shop.store_is_down(true);
        session.set("note", &"x")?;
        Ok::<_, SessionRejection>("welcome")
    });
    let mut browser = Browser::new(&app);
    let answer = browser.get("/in").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    world.store_is_down(false);
    assert_eq!(browser.get("/whoami").await.body, "alice");
}
