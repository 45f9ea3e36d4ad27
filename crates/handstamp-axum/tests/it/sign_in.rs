//! Signing in and out, and what becomes of the session before and after.

use std::sync::Arc;

use axum::http::StatusCode;
use handstamp_axum::{Session, SessionRejection};
use handstamp_core::SessionConfig;
use tokio::sync::Notify;

use crate::browser::Browser;
use crate::world::World;

#[tokio::test]
async fn n03_the_layer_gives_the_session_to_handlers() {
    let world = World::new();
    let mut browser = world.browser();
    assert_eq!(browser.get("/visit").await.body, "1");
    assert_eq!(browser.get("/visit").await.body, "2");
    assert_eq!(world.browser().get("/visit").await.body, "1", "another browser, another session");
}

#[tokio::test]
async fn n06_login_and_logout_decide_who_somebody_is() {
    let world = World::new();
    let mut browser = world.browser();
    assert_eq!(browser.get("/whoami").await.body, "nobody");
    assert_eq!(browser.post("/login/alice").await.status, StatusCode::OK);
    assert_eq!(browser.get("/whoami").await.body, "alice");
    assert_eq!(browser.post("/logout").await.status, StatusCode::OK);
    assert_eq!(browser.get("/whoami").await.body, "nobody");
    assert_eq!(browser.cookie(), None, "the cookie is gone from the browser");
}

#[tokio::test]
async fn n06_the_old_cookie_is_dead_after_logout() {
    let world = World::new();
    let mut browser = world.browser();
    browser.post("/login/alice").await;
    let mut thief = browser.clone();
    browser.post("/logout").await;
    let answer = thief.get("/whoami").await;
    assert_eq!(answer.body, "nobody");
    assert_eq!(thief.get("/account").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn n06_data_flash_and_csrf_do_not_survive_logout() {
    let world = World::new();
    let mut browser = world.browser();
    browser.post("/login/alice").await;
    browser.post("/set/note/private").await;
    browser.post("/flash/success/hello").await;
    let token = browser.get("/token").await.body;
    browser.post("/logout").await;
    assert_eq!(browser.get("/read/note").await.body, "");
    assert_eq!(browser.get("/flashes").await.body, "");
    let answer = browser.submit("/order", &format!("_csrf={token}&item=a")).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn n07_csrf_tokens_change_at_login() {
    let world = World::new();
    let mut browser = world.browser();
    browser.get("/visit").await;
    let token = browser.get("/token").await.body;
    browser.post("/login/alice").await;
    let answer = browser.submit("/order", &format!("_csrf={token}&item=a")).await;
    assert_eq!(answer.code(), "CSRF_INVALID");
}

#[tokio::test]
async fn s05_login_renews_and_the_cookie_before_it_is_dead() {
    let world = World::new();
    let mut browser = world.browser();
    browser.get("/visit").await;
    let mut before = browser.clone();
    browser.post("/login/alice").await;
    assert_ne!(before.cookie(), browser.cookie());
    assert_eq!(browser.get("/visit").await.body, "2", "the data came along");
    assert_eq!(before.get("/whoami").await.body, "nobody");
}

#[tokio::test]
async fn a_request_on_a_replaced_session_sets_no_cookie_and_creates_nothing() {
    let world = World::new();
    let mut browser = world.browser();
    browser.get("/visit").await;
    let mut before = browser.clone();
    browser.post("/login/alice").await;
    let rows = world.rows().await;
    for path in ["/whoami", "/read/n", "/visit"] {
        let answer = before.get(path).await;
        assert_eq!(answer.set_cookies(), Vec::<&str>::new(), "{path}");
        assert!(!answer.status.is_server_error(), "{path}: {answer:?}");
    }
    assert_eq!(world.rows().await, rows);
    assert_eq!(browser.get("/whoami").await.body, "alice");
}

#[tokio::test]
async fn n08_regenerate_kills_the_old_cookie_and_keeps_the_session() {
    let world = World::new();
    let mut browser = world.browser();
    browser.post("/login/alice").await;
    let mut before = browser.clone();
    let answer = browser.post("/regenerate").await;
    assert_eq!(answer.set_cookies().len(), 1);
    assert_eq!(browser.get("/whoami").await.body, "alice");
    let late = before.get("/whoami").await;
    assert_eq!(late.body, "nobody");
    assert!(late.set_cookies().is_empty(), "a losing request never takes the cookie away");
}

#[tokio::test]
async fn n08_destroy_ends_the_session_data_and_all() {
    let world = World::new();
    let mut browser = world.browser();
    browser.post("/set/note/x").await;
    let mut copy = browser.clone();
    assert_eq!(browser.post("/destroy").await.body, "destroyed: true");
    assert_eq!(copy.get("/read/note").await.body, "");
}

#[tokio::test]
async fn n08_a_handler_that_regenerates_and_then_answers_500_leaves_a_usable_session() {
    let world = World::new();
    let mut browser = world.browser();
    browser.post("/login/alice").await;
    let answer = browser.post("/regenerate/then/500").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.set_cookies().len(), 1, "the new cookie is sent all the same");
    assert_eq!(browser.get("/whoami").await.body, "alice");
    assert_eq!(browser.get("/read/note").await.body, "", "what it stored is dropped");
}

#[tokio::test]
async fn what_login_committed_stands_when_the_handler_then_answers_500() {
    let world = World::new();
    let mut browser = world.browser();
    let answer = browser.post("/login/then/500").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(browser.get("/whoami").await.body, "alice");
}

#[tokio::test]
async fn s37_ending_all_others_keeps_this_one() {
    let world = World::new();
    let (mut here, mut there) = (world.browser(), world.browser());
    here.post("/login/alice").await;
    there.post("/login/alice").await;
    assert_eq!(here.post("/end-others").await.body, "1");
    assert_eq!(here.get("/whoami").await.body, "alice");
    assert_eq!(there.get("/whoami").await.body, "nobody");
}

/// Shows B10.
#[tokio::test]
async fn a_limit_is_an_error_before_welcome_is_rendered() {
    use handstamp_core::config::LimitStrategy;
    let config = SessionConfig::default().edit().limit(Some(1)).limit_strategy(LimitStrategy::Deny);
    let world = World::with(config.build().unwrap());
    assert_eq!(world.browser().post("/login/alice").await.status, StatusCode::OK);
    let mut second = world.browser();
    let answer = second.post("/login/alice").await;
    assert_eq!((answer.status, answer.code()), (StatusCode::CONFLICT, "LIMIT_REACHED".into()));
    assert_eq!(second.get("/whoami").await.body, "nobody");
}

#[tokio::test]
async fn a_disabled_subject_cannot_sign_in() {
    let world = World::new();
    world.sessions.disable(&"alice".parse().unwrap(), None).await.unwrap();
    let answer = world.browser().post("/login/alice").await;
    assert_eq!((answer.status, answer.code()), (StatusCode::FORBIDDEN, "SUBJECT_DISABLED".into()));
}

#[tokio::test]
async fn s22_a_cookie_kept_past_the_lifetime_is_refused() {
    let world = World::new();
    let mut browser = world.browser();
    browser.post("/login/alice").await;
    world.clock.advance(std::time::Duration::from_secs(25 * 3600));
    let answer = browser.call(axum::http::Method::GET, "/account").await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::UNAUTHORIZED, "SESSION_EXPIRED".into())
    );
}

#[tokio::test]
async fn remembered_sessions_have_a_max_age_of_what_is_left() {
    let world = World::new();
    let mut browser = world.browser();
    let answer = browser.post("/remember/alice").await;
    assert!(answer.set_cookies()[0].contains("; Max-Age=2592000;"), "{answer:?}");
    world.clock.advance(std::time::Duration::from_secs(100));
    let later = browser.post("/regenerate").await;
    assert!(later.set_cookies()[0].contains("; Max-Age=2591900;"), "{later:?}");
}

#[tokio::test]
async fn n08_is_destroyed_says_so_to_every_clone() {
    let world = World::new();
    let app = world.route("/x", |session: Session| async move {
        let clone = session.clone();
        session.destroy().await.unwrap();
        format!("{} {}", session.is_destroyed(), clone.is_destroyed())
    });
    assert_eq!(Browser::new(&app).get("/x").await.body, "true true");
}

#[tokio::test]
async fn s42_signing_out_again_or_with_a_dead_cookie_is_no_error() {
    let world = World::new();
    let mut browser = world.browser();
    browser.post("/login/alice").await;
    let mut copy = browser.clone();
    assert_eq!(browser.post("/logout").await.status, StatusCode::OK);
    assert_eq!(browser.post("/logout").await.status, StatusCode::OK);
    assert_eq!(copy.post("/logout").await.status, StatusCode::OK);
    let get = browser.get("/logout").await;
    assert_eq!(get.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_request_in_flight_cannot_undo_a_logout() {
    let world = World::new();
    let (loaded, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, wait) = (Arc::clone(&loaded), Arc::clone(&go));
    let app = world.route("/slow", |session: Session| async move {
        session.id();
        told.notify_one();
        wait.notified().await;
        session.set("note", &"late")?;
        Ok::<_, SessionRejection>("")
    });
    let mut browser = Browser::new(&app);
    browser.post("/login/alice").await;
    let mut slow = browser.clone();
    let late = tokio::spawn(async move { slow.get("/slow").await });
    loaded.notified().await;
    browser.post("/logout").await;
    let rows = world.rows().await;
    go.notify_one();
    let answer = late.await.unwrap();
    assert_eq!((answer.status, answer.code()), (StatusCode::UNAUTHORIZED, "SESSION_ENDED".into()));
    assert!(answer.set_cookies().is_empty(), "a losing request takes nothing away");
    assert_eq!(world.rows().await, rows);
}

#[tokio::test]
async fn a_restart_keeps_everybody_signed_in() {
    let world = World::new();
    let mut browser = world.browser();
    browser.post("/login/alice").await;
    let after = world.restarted();
    browser.app = after.app.clone();
    assert_eq!(browser.get("/guarded").await.body, "in");
    assert_eq!(browser.get("/whoami").await.body, "alice");
}
