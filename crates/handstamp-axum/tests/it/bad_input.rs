//! Cookies that no browser got from us.

use axum::body::Body;
use axum::http::header::COOKIE;
use axum::http::{HeaderValue, Request, StatusCode};
use handstamp_core::key::KeyRing;

use crate::browser::{Answer, answer};
use crate::world::World;

async fn with_cookies(world: &World, path: &str, lines: &[&[u8]]) -> Answer {
    let mut request = Request::get(path).body(Body::empty()).unwrap();
    for line in lines {
        request.headers_mut().append(COOKIE, HeaderValue::from_bytes(line).unwrap());
    }
    answer(&world.app, request).await
}

fn line(value: &[u8]) -> Vec<u8> {
    [b"__Host-handstamp=", value].concat()
}

#[tokio::test]
async fn s08_a_cookie_that_is_no_token_is_a_visitor_and_costs_no_store_call() {
    let world = World::new();
    let long = vec![b'A'; 10_240];
    let values: [&[u8]; 14] = [
        b"",
        b"x",
        &long,
        b"\xff\xfe",
        b"'",
        b"<script>",
        b"\"AAAA\"",
        b"a b",
        b"%00",
        b"..",
        b"=",
        b"null",
        &[b'A'; 75],
        &[b'A'; 76],
    ];
    for value in values {
        let answer = with_cookies(&world, "/whoami", &[&line(value)]).await;
        assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "nobody"), "{value:?}");
        let answer = with_cookies(&world, "/account", &[&line(value)]).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{value:?}");
        assert!(!answer.body.contains("script"), "nothing is reflected");
    }
    assert_eq!(world.calls(), 0);
    assert_eq!(world.rows().await, 0);
}

#[tokio::test]
async fn a_forged_cookie_costs_no_store_call() {
    let world = World::new();
    let mut browser = world.browser();
    browser.post("/login/alice").await;
    let good = browser.cookie().unwrap().to_owned();
    world.settle().await;
    let before = world.calls();
    for at in 0..good.len() {
        let mut forged = good.clone().into_bytes();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        let answer = with_cookies(&world, "/whoami", &[&line(&forged)]).await;
        assert_eq!(answer.body, "nobody", "byte {at}");
        assert!(answer.set_cookies().is_empty(), "byte {at}");
    }
    assert_eq!(world.calls(), before);
}

#[tokio::test]
async fn s06_a_token_of_another_deployment_is_never_adopted() {
    let world = World::new();
    let elsewhere = World::with_keys(KeyRing::generate().unwrap());
    let mut browser = elsewhere.browser();
    browser.get("/visit").await;
    let foreign = browser.cookie().unwrap().to_owned();
    let answer = with_cookies(&world, "/visit", &[&line(foreign.as_bytes())]).await;
    assert_eq!(answer.body, "1");
    assert!(!answer.set_cookies()[0].contains(&foreign), "a fresh one is given");
}

#[tokio::test]
async fn s06_a_token_whose_record_is_gone_is_never_adopted() {
    let keys = KeyRing::generate().unwrap();
    let (gone, here) = (World::with_keys(keys.clone()), World::with_keys(keys));
    let mut browser = gone.browser();
    browser.get("/visit").await;
    let orphan = browser.cookie().unwrap().to_owned();
    let answer = with_cookies(&here, "/visit", &[&line(orphan.as_bytes())]).await;
    assert_eq!(answer.body, "1");
    assert!(!answer.set_cookies()[0].contains(&orphan));
}

#[tokio::test]
async fn s09_two_session_cookies_are_nobody_and_nothing_is_set() {
    let world = World::new();
    let mut browser = world.browser();
    browser.post("/login/alice").await;
    let good = line(browser.cookie().unwrap().as_bytes());
    let both = [good.as_slice(), b"; ", &good].concat();
    for lines in [vec![both.as_slice()], vec![&good, &good], vec![&good, b"__Host-handstamp="]] {
        for path in ["/whoami", "/visit", "/token"] {
            let answer = with_cookies(&world, path, &lines).await;
            assert!(answer.set_cookies().is_empty(), "{path}: {answer:?}");
        }
        let answer = with_cookies(&world, "/whoami", &lines).await;
        assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "nobody"));
    }
    assert_eq!(with_cookies(&world, "/whoami", &[b"a=1", &good]).await.body, "alice");
}

#[tokio::test]
async fn s20_the_prefix_is_read_by_its_case() {
    let world = World::new();
    let mut browser = world.browser();
    browser.post("/login/alice").await;
    let token = browser.cookie().unwrap();
    for name in ["__hOsT-handstamp", "__host-handstamp", "__HOST-handstamp", "handstamp"] {
        let answer = with_cookies(&world, "/whoami", &[format!("{name}={token}").as_bytes()]).await;
        assert_eq!(answer.body, "nobody", "{name}");
    }
}

#[tokio::test]
async fn s07_a_token_in_query_or_form_is_nothing() {
    let world = World::new();
    let mut browser = world.browser();
    browser.post("/login/alice").await;
    let token = browser.cookie().unwrap().to_owned();
    let path = format!("/whoami?__Host-handstamp={token}&token={token}");
    assert_eq!(world.browser().get(&path).await.body, "nobody");
}

#[tokio::test]
async fn s105_a_hostile_user_agent_is_kept_as_one_harmless_line() {
    let world = World::new();
    let agent = HeaderValue::from_bytes("a\u{2028}b\u{9b}31mc".as_bytes()).unwrap();
    let request = Request::post("/login/alice").header("sec-fetch-site", "same-origin");
    let request = request.header("user-agent", agent).body(Body::empty()).unwrap();
    answer(&world.app, request).await;
    let page = handstamp_core::store::Page::default();
    let list = world.sessions.sessions_of(&"alice".parse().unwrap(), false, &page).await.unwrap();
    assert_eq!(list.records[0].client.user_agent.as_deref(), Some("ab31mc"));
    assert_eq!(list.records[0].client.ip, Some([192, 0, 2, 7].into()));
}
