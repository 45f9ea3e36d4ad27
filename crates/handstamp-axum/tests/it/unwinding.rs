//! Handlers that panic, connections that break off.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::post;
use handstamp_axum::Session;
use tokio::sync::Notify;
use tower::ServiceExt;

use crate::browser::Browser;
use crate::world::World;

fn request(browser: &Browser, path: &str) -> Request<Body> {
    let request = Request::post(path).header("sec-fetch-site", "same-origin");
    browser.with_cookies(request.body(Body::empty()).unwrap())
}

/// Sends a request whose handler panics, as a server that catches panics does.
async fn panicking(browser: &Browser, path: &str) {
    let answer = browser.app.clone().oneshot(request(browser, path));
    let task = tokio::spawn(answer);
    assert!(task.await.unwrap_err().is_panic());
}

/// Starts a request and drops it as soon as its handler waits.
async fn dropped(browser: &Browser, path: &str, reached: &Notify) {
    let mut answer = Box::pin(browser.app.clone().oneshot(request(browser, path)));
    let wait = reached.notified();
    tokio::select! {
        _ = &mut answer => panic!("the handler answered"),
        () = wait => {}
    }
    drop(answer);
}

async fn out_panic(session: Session) {
    session.logout().await.unwrap();
    panic!("after logout");
}

async fn set_panic(session: Session) {
    session.set("note", &"x").unwrap();
    panic!("after set");
}

fn app(world: &World, reached: &Arc<Notify>) -> Router {
    let (one, other) = (Arc::clone(reached), Arc::clone(reached));
    world.routes(|router| {
        let out_wait = |session: Session| async move {
            session.logout().await.unwrap();
            one.notify_one();
            std::future::pending::<()>().await;
        };
        let set_wait = |session: Session| async move {
            session.set("note", &"x").unwrap();
            other.notify_one();
            std::future::pending::<()>().await;
        };
        router
            .route("/out/panic", post(out_panic))
            .route("/set/panic", post(set_panic))
            .route("/out/wait", post(out_wait))
            .route("/set/wait", post(set_wait))
    })
}

#[tokio::test]
async fn a_panic_after_logout_leaves_it_signed_out() {
    let world = World::new();
    let mut browser = Browser::new(&app(&world, &Arc::default()));
    browser.post("/login/alice").await;
    panicking(&browser, "/out/panic").await;
    assert_eq!(browser.get("/whoami").await.body, "nobody");
}

#[tokio::test]
async fn a_panic_drops_changes_of_data() {
    let world = World::new();
    let mut browser = Browser::new(&app(&world, &Arc::default()));
    browser.post("/login/alice").await;
    panicking(&browser, "/set/panic").await;
    assert_eq!(browser.get("/read/note").await.body, "");
    assert_eq!(browser.get("/whoami").await.body, "alice");
}

#[tokio::test]
async fn a_connection_dropped_after_logout_leaves_it_signed_out() {
    let world = World::new();
    let reached = Arc::default();
    let mut browser = Browser::new(&app(&world, &reached));
    browser.post("/login/alice").await;
    dropped(&browser, "/out/wait", &reached).await;
    assert_eq!(browser.get("/whoami").await.body, "nobody");
}

#[tokio::test]
async fn a_connection_dropped_before_the_answer_drops_changes_of_data() {
    let world = World::new();
    let reached = Arc::default();
    let mut browser = Browser::new(&app(&world, &reached));
    browser.post("/login/alice").await;
    dropped(&browser, "/set/wait", &reached).await;
    assert_eq!(browser.get("/read/note").await.body, "");
    assert_eq!(browser.get("/whoami").await.body, "alice");
}

#[tokio::test]
async fn a_connection_dropped_while_logout_is_in_the_store_leaves_it_signed_out() {
    let world = World::new();
    let mut browser = world.browser();
    browser.post("/login/alice").await;
    let held = world.hold_commits();
    let mut answer = Box::pin(browser.app.clone().oneshot(request(&browser, "/logout")));
    tokio::select! {
        _ = &mut answer => panic!("the commit was not held"),
        () = held.reached.notified() => {}
    }
    drop(answer);
    held.holds_commits.store(false, std::sync::atomic::Ordering::SeqCst);
    held.released.notify_waiters();
    held.released.notify_one();
    world.settle().await;
    assert_eq!(browser.get("/whoami").await.body, "nobody");
}
