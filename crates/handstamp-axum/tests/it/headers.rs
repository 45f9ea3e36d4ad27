//! What the layer says in the head of an answer.

use axum::http::header::{CACHE_CONTROL, SET_COOKIE, VARY};
use axum::response::AppendHeaders;
use handstamp_axum::{Session, SessionLayer};
use handstamp_core::SessionConfig;

use crate::browser::Browser;
use crate::world::World;

#[tokio::test]
async fn s13_the_cookie_is_host_prefixed_secure_http_only_lax_and_of_the_browser_session() {
    let world = World::new();
    let answer = world.browser().get("/visit").await;
    let lines = answer.set_cookies();
    let (value, attributes) = lines[0].split_once(';').unwrap();
    assert!(value.starts_with("__Host-handstamp="), "{value}");
    assert_eq!(attributes, " Path=/; HttpOnly; Secure; SameSite=Lax");
}

#[tokio::test]
async fn s18_never_two_set_cookie_of_one_name() {
    let world = World::new();
    let app = world.routes(|router| {
        let many = |session: Session| async move {
            session.set("n", &1).unwrap();
            session.login("alice").await.unwrap();
            session.regenerate().await.unwrap();
            session.set("n", &2).unwrap();
            session.regenerate().await.unwrap();
            let own = [
                (SET_COOKIE, "__Host-handstamp=planted; Path=/"),
                (SET_COOKIE, "theme=dark"),
                (SET_COOKIE, "__Host-handstampx=other"),
            ];
            AppendHeaders(own)
        };
        router.route("/many", axum::routing::get(many))
    });
    let mut browser = Browser::new(&app);
    let answer = browser.get("/many").await;
    let mut names: Vec<_> = answer
        .set_cookies()
        .iter()
        .map(|line| line.split_once('=').unwrap().0.to_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["__Host-handstamp", "__Host-handstampx", "theme"]);
    assert_eq!(browser.get("/whoami").await.body, "alice");
}

#[tokio::test]
async fn set_cookie_comes_only_when_something_changes() {
    let world = World::new();
    let mut browser = world.browser();
    assert_eq!(browser.get("/visit").await.set_cookies().len(), 1);
    for path in ["/visit", "/whoami", "/read/visits", "/public"] {
        assert!(browser.get(path).await.set_cookies().is_empty(), "{path}");
    }
}

#[tokio::test]
async fn s23_what_read_or_set_a_session_is_not_cached() {
    let world = World::new();
    let mut browser = world.browser();
    for path in ["/visit", "/whoami", "/read/visits", "/token", "/cached"] {
        let answer = browser.get(path).await;
        assert_eq!(answer.all(CACHE_CONTROL.as_str()), ["no-store"], "{path}");
        let vary = answer.all(VARY.as_str()).join(",").to_lowercase();
        assert_eq!(vary.matches("cookie").count(), 1, "{path}: {vary}");
    }
}

#[tokio::test]
async fn what_did_not_ask_for_the_session_is_left_alone() {
    let world = World::new();
    let mut browser = world.browser();
    browser.get("/visit").await;
    let answer = browser.get("/public").await;
    assert_eq!(answer.body, "public");
    assert_eq!(answer.all(CACHE_CONTROL.as_str()), Vec::<&str>::new());
    assert_eq!(answer.all(VARY.as_str()), Vec::<&str>::new());
}

#[tokio::test]
async fn s51_an_answer_that_depended_on_the_site_check_says_so() {
    let world = World::new();
    let mut browser = world.browser();
    let taken = browser.post("/public").await;
    assert!(taken.all(VARY.as_str()).contains(&"sec-fetch-site, origin"), "{taken:?}");
    let read = browser.get("/whoami").await;
    assert!(!read.all(VARY.as_str()).contains(&"sec-fetch-site, origin"), "{read:?}");
}

#[tokio::test]
async fn s41_clear_site_data_at_sign_out_is_opt_in() {
    let header = "clear-site-data";
    let world = World::new();
    let mut browser = world.browser();
    browser.post("/login/alice").await;
    assert_eq!(browser.post("/logout").await.header(header), "");

    let world = World::with(SessionConfig::default().edit().clear_site_data(true).build().unwrap());
    let mut browser = world.browser();
    assert_eq!(browser.post("/login/alice").await.header(header), "");
    let answer = browser.post("/logout").await;
    assert_eq!(answer.header(header), r#""cache", "cookies", "storage""#);
    assert_eq!(answer.set_cookies().len(), 1, "and the removal of the cookie");
}

#[tokio::test]
async fn s21_sign_out_removes_the_cookie_by_the_same_name_and_path() {
    let world = World::new();
    let mut browser = world.browser();
    browser.post("/login/alice").await;
    assert_eq!(
        browser.post("/logout").await.set_cookies(),
        ["__Host-handstamp=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"]
    );
}

#[tokio::test]
async fn n09_the_cookie_is_as_configured() {
    let world = World::with(SessionConfig::development());
    let answer = world.browser().get("/visit").await;
    let line = answer.set_cookies()[0].to_owned();
    assert!(line.starts_with("handstamp-dev="), "{line}");
    assert!(!line.contains("Secure"), "{line}");
}

#[tokio::test]
async fn s14_the_cookies_value_is_nowhere_but_in_its_header() {
    let world = World::new();
    let mut browser = world.browser();
    for path in ["/login/alice", "/set/note/x", "/regenerate", "/step-up"] {
        let answer = browser.post(path).await;
        let token = browser.cookie().unwrap();
        assert!(!answer.body.contains(token));
        let lines = answer.headers.iter().filter(|(name, _)| *name != SET_COOKIE);
        assert!(lines.into_iter().all(|(_, value)| !value.to_str().unwrap().contains(token)));
    }
}

#[tokio::test]
async fn two_layers_over_one_another_are_no_trouble() {
    let world = World::new();
    let app = world.app.clone().layer(SessionLayer::new(world.sessions.clone()));
    let mut browser = Browser::new(&app);
    assert_eq!(browser.get("/visit").await.set_cookies().len(), 1);
    assert_eq!(browser.get("/visit").await.body, "2");
}
