//! Channels that stay open learn when their session ends.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use handstamp_axum::RequireUser;
use tokio::sync::Notify;

use crate::browser::{Browser, streaming};
use crate::world::World;

/// The shop with an event stream that says goodbye when the session ends.
fn with_stream(world: &World, opened: &Arc<Notify>) -> Router {
    let opened = Arc::clone(opened);
    world.route("/stream", |user: RequireUser| async move {
        user.not_activity();
        let ended = user.ended();
        streaming(async move {
            opened.notify_one();
            ended.await;
            "goodbye"
        })
    })
}

/// Opens the stream and answers when it is over.
async fn open(browser: &Browser, opened: &Notify) -> tokio::task::JoinHandle<String> {
    let mut tab = browser.clone();
    let stream = tokio::spawn(async move { tab.get("/stream").await.body });
    opened.notified().await;
    stream
}

/// Shows B04.
#[tokio::test]
async fn an_open_stream_ends_when_the_session_is_ended_from_elsewhere() {
    let (world, opened) = (World::new(), Arc::default());
    let app = with_stream(&world, &opened);
    let (mut here, mut there) = (Browser::new(&app), Browser::new(&app));
    here.post("/login/alice").await;
    there.post("/login/alice").await;
    let stream = open(&there, &opened).await;
    assert_eq!(here.post("/end-others").await.body, "1");
    assert_eq!(stream.await.unwrap(), "goodbye");
}

#[tokio::test]
async fn an_open_stream_ends_when_its_own_browser_signs_out() {
    let (world, opened) = (World::new(), Arc::default());
    let mut browser = Browser::new(&with_stream(&world, &opened));
    browser.post("/login/alice").await;
    let stream = open(&browser, &opened).await;
    browser.post("/logout").await;
    assert_eq!(stream.await.unwrap(), "goodbye");
}

#[tokio::test]
async fn rotation_does_not_end_an_open_stream() {
    let (world, opened) = (World::new(), Arc::default());
    let mut browser = Browser::new(&with_stream(&world, &opened));
    browser.post("/login/alice").await;
    let stream = open(&browser, &opened).await;
    assert_eq!(browser.post("/regenerate").await.status, StatusCode::OK);
    world.settle().await;
    assert!(!stream.is_finished());
    browser.post("/logout").await;
    assert_eq!(stream.await.unwrap(), "goodbye");
}
