//! Flash messages.

use axum::response::Redirect;
use handstamp_axum::{Flashes, Session};

use crate::browser::Browser;
use crate::world::World;

#[tokio::test]
async fn n05_flash_is_read_once_and_survives_a_redirect() {
    let world = World::new();
    let app = world.routes(|router| {
        let save = |session: Session| async move {
            session.flash("success", "saved").unwrap();
            Redirect::to("/flashes")
        };
        router.route("/save", axum::routing::post(save))
    });
    let mut browser = Browser::new(&app);
    let answer = browser.post("/save").await;
    assert_eq!(answer.header("location"), "/flashes");
    assert_eq!(browser.get(answer.header("location")).await.body, "success=saved;");
    assert_eq!(browser.get("/flashes").await.body, "");
}

#[tokio::test]
async fn n05_has_flash_does_not_consume_and_get_flash_does() {
    let world = World::new();
    let app = world.routes(|router| {
        let look = |session: Session| async move {
            let (before, got) = (session.has_flash("a"), session.get_flash::<String>("a"));
            format!("{before} {got:?} {}", session.has_flash("a"))
        };
        router.route("/look", axum::routing::get(look))
    });
    let mut browser = Browser::new(&app);
    browser.post("/flash/a/x").await;
    assert_eq!(browser.get("/look").await.body, r#"true Some("x") false"#);
    assert_eq!(browser.get("/look").await.body, "false None false");
}

#[tokio::test]
async fn n05_several_keys_and_several_of_one_key_are_kept_apart() {
    let world = World::new();
    let mut browser = world.browser();
    for path in ["/flash/error/1", "/flash/success/2", "/flash/error/3"] {
        browser.post(path).await;
    }
    let shown = browser.get("/flashes").await.body;
    assert_eq!(shown, "error=1;success=2;error=3;", "in the order of their arrival");
}

#[tokio::test]
async fn a_flash_whose_page_failed_is_shown_on_the_next() {
    let world = World::new();
    let app = world.routes(|router| {
        let fail = |_flashes: Flashes| async { axum::http::StatusCode::BAD_GATEWAY };
        router.route("/fail", axum::routing::get(fail))
    });
    let mut browser = Browser::new(&app);
    browser.post("/flash/success/saved").await;
    browser.get("/fail").await;
    assert_eq!(browser.get("/flashes").await.body, "success=saved;");
}

#[tokio::test]
async fn two_tabs_show_a_flash_once() {
    let world = World::new();
    let mut browser = world.browser();
    browser.post("/flash/success/once").await;
    let mut other = browser.clone();
    let first = browser.get("/flashes").await.body;
    let second = other.get("/flashes").await.body;
    assert_eq!((first.as_str(), second.as_str()), ("success=once;", ""));
}
