//! Which headers leave: those of one list, whatever is asked and however it ends.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::callers::calls;
use crate::world::{Answer, World, send};

/// Every header that an answer may carry.
const ALLOWED: [&str; 32] = [
    "allow",
    "cache-control",
    "clear-site-data",
    "content-length",
    "content-security-policy",
    "content-type",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "date",
    "handstamp-cursor",
    "handstamp-refresh",
    "location",
    "ratelimit",
    "ratelimit-policy",
    "referrer-policy",
    "retry-after",
    "set-cookie",
    "strict-transport-security",
    "transfer-encoding",
    "vary",
    "www-authenticate",
    "x-accel-buffering",
    "x-content-type-options",
    "x-handstamp-assertion",
    "x-handstamp-kind",
    "x-handstamp-roles",
    "x-handstamp-session",
    "x-handstamp-subject",
    "x-request-id",
    "etag",
    "permissions-policy",
    "last-modified",
];

/// What every answer carries.
const ALWAYS: [&str; 7] = [
    "cache-control",
    "content-security-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "referrer-policy",
    "x-content-type-options",
    "x-request-id",
];

/// Fails for a header that is not on the list.
pub(crate) fn refuse_others(answer: &Answer) {
    for name in answer.headers.keys() {
        assert!(ALLOWED.contains(&name.as_str()), "{name} leaves with {}", answer.status);
    }
    for name in ALWAYS {
        assert!(answer.headers.contains_key(name), "{name} is missing with {}", answer.status);
    }
}

/// Whoever may call, and nobody.
async fn callers(world: &World, who: &str) -> Vec<Option<String>> {
    let holder = world.begin(who).await.access_token.expose().to_owned();
    vec![
        None,
        Some("hsk_x".into()),
        Some(holder),
        Some(world.key.clone()),
        Some(world.admin.clone()),
    ]
}

fn ask(world: &World, method: &Method, path: &str, body: &str) -> reqwest::RequestBuilder {
    let request = world.request(method.clone(), path);
    match *method {
        Method::GET | Method::HEAD | Method::DELETE => request,
        _ => request.header("content-type", "application/json").body(body.to_owned()),
    }
}

/// Only the head of the answer: streams have no end.
async fn head(request: reqwest::RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    Answer { status, headers, json: Value::Null }
}

#[tokio::test]
async fn s55_s92_only_headers_of_one_list_leave_whoever_asks_whatever() {
    let world = World::with(&[("guests.enabled", "true")]).await;
    let document: Value = serde_json::from_str(world.service.openapi()).unwrap();
    let mut statuses = BTreeSet::new();
    for (number, (method, path, schemes)) in calls(&document).into_iter().enumerate() {
        for caller in callers(&world, &format!("user-{number}")).await {
            for body in ["{}", "{", r#"{"unknown":1}"#] {
                for method in [&method, &Method::HEAD, &Method::OPTIONS, &Method::TRACE] {
                    let request = ask(&world, method, &path, body);
                    let request = caller.iter().fold(request, |it, token| it.bearer_auth(token));
                    let answer = head(request).await;
                    refuse_others(&answer);
                    assert!(
                        schemes.is_empty() || answer.header("cache-control") == "no-store",
                        "{method} {path}: {}",
                        answer.header("cache-control")
                    );
                    statuses.insert(answer.status);
                }
            }
        }
    }
    println!("{statuses:?}");
    for status in [200, 201, 400, 401, 403, 404, 405, 422] {
        assert!(statuses.contains(&status), "no answer was {status}: {statuses:?}");
    }
}

#[tokio::test]
async fn s55_answers_that_set_cookies_or_lead_away_carry_no_other_headers_either() {
    let settings = [
        ("guests.enabled", "true"),
        ("cookies.access_token", "true"),
        ("cookies.clear_site_data", "true"),
        ("forward.redirect_allow", "https://shop.example"),
        ("forward.sign_in_url", "https://shop.example/sign-in"),
    ];
    let world = World::with(&settings).await;
    let own = |request: reqwest::RequestBuilder| request.header("sec-fetch-site", "same-origin");
    let guest = own(world.post("/sessions/guest")).json(&json!({ "transport": "cookie" }));
    let guest = send(guest).await;
    assert_eq!(guest.headers.get_all("set-cookie").iter().count(), 2);
    let cookie = world.begin_cookie("ada").await;
    let with = |request: reqwest::RequestBuilder| own(request).header("cookie", &cookie);
    let back = "/sessions/verify?redirect=https://shop.example/";
    let answers = [
        guest,
        send(with(world.post("/sessions/refresh"))).await,
        send(with(world.get("/sessions/verify"))).await,
        send(with(world.get("/sessions/csrf"))).await,
        send(with(world.get("/account/sessions"))).await,
        send(with(world.post("/sessions/logout"))).await,
        send(with(world.get("/sessions/status"))).await,
        send(own(world.get(back))).await,
        send(world.get("/admin")).await,
        send(world.get("/docs")).await,
    ];
    answers.iter().for_each(refuse_others);
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses[..8], [201, 200, 200, 200, 200, 200, 200, 302]);
    assert_eq!(answers[5].header("clear-site-data"), r#""cache", "cookies", "storage""#);
}
