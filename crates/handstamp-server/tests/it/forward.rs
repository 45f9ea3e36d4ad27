//! Forward-auth, as a proxy asks.

use handstamp_protocol::verify::ASSERTION_TYPE;
use handstamp_verify::{KeySet, jws};
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::world::{Answer, World, send};

const PASSED_ON: [&str; 5] = [
    "x-handstamp-session",
    "x-handstamp-subject",
    "x-handstamp-kind",
    "x-handstamp-roles",
    "x-handstamp-assertion",
];

async fn behind_a_proxy() -> World {
    World::with(&[("server.trusted_proxies", "127.0.0.1")]).await
}

/// What a page of the same site asks, through whatever proxy.
fn by_cookie(world: &World, query: &str, cookie: &str) -> RequestBuilder {
    bare(world, query, cookie).header("sec-fetch-site", "same-origin")
}

fn bare(world: &World, query: &str, cookie: &str) -> RequestBuilder {
    world.get(&format!("/sessions/verify{query}")).header("cookie", cookie)
}

async fn cookie_with(world: &World, body: serde_json::Value) -> String {
    let answer = send(world.post("/sessions").bearer_auth(&world.key).json(&body)).await;
    let cookie = answer.json["set_cookie"][0].as_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

/// What a query must say of where it has come from the same page.
fn get(request: RequestBuilder) -> RequestBuilder {
    request.header("x-forwarded-method", "GET")
}

#[tokio::test]
async fn b13_a_good_session_passes_with_all_that_the_application_needs() {
    let world = World::new().await;
    let body = json!({ "subject": "ada, Zoë", "roles": ["editor", "reader"] });
    let begun = world.begin_with(body).await;
    let request = world.get("/sessions/verify").bearer_auth(begun.access_token.expose());
    let answer = send(request.header("host", "shop.example")).await;
    assert_eq!((answer.status, &answer.json), (200, &json!("")));
    assert_eq!(answer.header("x-handstamp-session"), begun.session.id);
    assert_eq!(answer.header("x-handstamp-subject"), "ada%2C%20Zo%C3%AB");
    assert_eq!(answer.header("x-handstamp-kind"), "user");
    assert_eq!(answer.header("x-handstamp-roles"), "editor,reader");
    assert_eq!(answer.header("cache-control"), "no-store");
    let jwks = world.get("/.well-known/jwks.json").send().await.unwrap().bytes().await.unwrap();
    let keys = KeySet::from_jwks(&jwks).unwrap();
    let assertion = answer.header("x-handstamp-assertion");
    let claims = jws::verify(assertion, ASSERTION_TYPE, &keys).unwrap();
    assert_eq!(claims["aud"], "shop.example");
    assert_eq!(claims["sub"], "ada, Zoë");
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 60);
    assert!(jws::verify(assertion, "at+jwt", &keys).is_err(), "it is no access token");
    let as_token = world.get("/sessions/status").bearer_auth(assertion);
    assert_eq!(send(as_token).await.json["is_active"], false);
}

#[tokio::test]
async fn b13_all_headers_are_there_also_where_they_have_nothing_to_say() {
    let world = World::new().await;
    let cookie = world.begin_cookie("ada").await;
    let forged = PASSED_ON
        .iter()
        .fold(by_cookie(&world, "", &cookie), |request, name| request.header(*name, "forged"));
    let answer = send(forged).await;
    for name in PASSED_ON {
        assert_eq!(answer.headers.get_all(name).iter().count(), 1, "{name}");
        assert_ne!(answer.header(name), "forged", "{name}");
    }
    assert_eq!(answer.header("x-handstamp-roles"), "");
}

#[tokio::test]
async fn b13_whoever_is_not_signed_in_or_may_not_is_refused() {
    let world = World::new().await;
    let cookie = cookie_with(
        &world,
        json!({ "subject": "ada", "roles": ["reader"], "transport": "cookie" }),
    )
    .await;
    let guest =
        cookie_with(&world, json!({ "subject": "g", "kind": "guest", "transport": "cookie" }))
            .await;
    let ask = async |query: &str, cookie: &str| send(by_cookie(&world, query, cookie)).await;
    for (query, cookie, expected) in [
        ("", &*cookie, (200, "")),
        ("?role=reader", &cookie, (200, "")),
        ("?role=editor", &cookie, (403, "FORBIDDEN")),
        ("?permission=fly", &cookie, (403, "FORBIDDEN")),
        ("?max_age_seconds=60", &cookie, (200, "")),
        ("", &guest, (401, "SESSION_NOT_FOUND")),
        ("?allow_guest=true", &guest, (200, "")),
        ("?allow_guest=true&role=reader", &guest, (403, "FORBIDDEN")),
        ("", "a=b", (401, "SESSION_NOT_FOUND")),
        ("", "handstamp-dev=nonsense", (401, "SESSION_INVALID")),
        ("?roles=reader", &cookie, (400, "BAD_REQUEST")),
        ("?role=reader&role=editor", &cookie, (400, "BAD_REQUEST")),
    ] {
        assert_eq!(ask(query, cookie).await.problem(), expected, "{query} {cookie}");
    }
    world.advance(61);
    let stale = ask("?max_age_seconds=60", &cookie).await;
    assert_eq!(stale.problem(), (403, "STEP_UP_REQUIRED"));
    assert_eq!(stale.json["max_age_seconds"], 60);
    for token in ["nonsense", &world.key] {
        let request = by_cookie(&world, "", &cookie).bearer_auth(token);
        assert_eq!(send(request).await.status, 401, "the cookie is no fallback");
    }
    let basic = by_cookie(&world, "", &cookie).header("authorization", "Basic dTpw");
    assert_eq!(send(basic).await.status, 401);
}

#[tokio::test]
async fn b13_an_end_bites_at_the_next_check_and_so_does_a_role_taken_away() {
    let world = World::new().await;
    let cookie = cookie_with(
        &world,
        json!({ "subject": "ada", "roles": ["editor"], "transport": "cookie" }),
    )
    .await;
    assert_eq!(send(by_cookie(&world, "?role=editor", &cookie)).await.status, 200);
    let narrow = world.request(Method::PUT, "/admin/subjects/ada/roles").bearer_auth(&world.admin);
    assert_eq!(send(narrow.json(&json!({ "roles": [] }))).await.status, 200);
    assert_eq!(send(by_cookie(&world, "?role=editor", &cookie)).await.status, 403);
    assert_eq!(send(by_cookie(&world, "", &cookie)).await.header("x-handstamp-roles"), "");
    let logout = world.post("/sessions/logout").header("cookie", &cookie);
    send(logout.header("sec-fetch-site", "same-origin")).await;
    let ended = send(by_cookie(&world, "", &cookie)).await;
    assert_eq!(ended.problem(), (401, "SESSION_ENDED"));
    assert!(ended.headers.get("set-cookie").is_none());
}

#[tokio::test]
async fn b13_a_check_is_activity_and_rotates_nothing() {
    let world = World::with(&[("sessions.rotate_after_seconds", "600")]).await;
    let cookie = cookie_with(
        &world,
        json!({ "subject": "ada", "transport": "cookie",
            "lifetime": { "idle_seconds": 1000 } }),
    )
    .await;
    for _ in 0..4 {
        world.advance(700);
        let answer = send(by_cookie(&world, "", &cookie)).await;
        assert_eq!(answer.status, 200, "the one before counted as activity");
        assert!(answer.headers.get("set-cookie").is_none());
    }
    let visit = send(world.get("/sessions/my-sessions").header("cookie", &cookie)).await;
    assert!(visit.header("set-cookie").starts_with("handstamp-dev="), "a visit rotates");
    assert_eq!(send(by_cookie(&world, "", &cookie)).await.status, 200, "the old one has its grace");
}

#[tokio::test]
async fn b13_an_assertion_is_signed_once_for_some_seconds_and_for_one_host() {
    let world = World::new().await;
    let cookie = world.begin_cookie("ada").await;
    let ask = async |host: &str| {
        let answer = send(by_cookie(&world, "", &cookie).header("host", host)).await;
        answer.header("x-handstamp-assertion").to_owned()
    };
    let first = ask("a.example").await;
    assert_eq!(ask("a.example").await, first);
    assert_ne!(ask("b.example").await, first);
    assert_eq!(ask("a.example").await, first);
    world.advance(11);
    assert_ne!(ask("a.example").await, first);
}

#[tokio::test]
async fn b13_s52_an_unsafe_request_of_another_site_does_not_pass() {
    let world = behind_a_proxy().await;
    let cookie = world.begin_cookie("ada").await;
    let ask = async |lines: &[(&str, &str)]| {
        let request = bare(&world, "", &cookie).header("x-forwarded-host", "shop.example");
        send(lines.iter().fold(request, |request, (name, value)| request.header(*name, *value)))
            .await
    };
    const POST: (&str, &str) = ("x-forwarded-method", "POST");
    const CROSS: (&str, &str) = ("sec-fetch-site", "cross-site");
    for (lines, expected) in [
        (vec![("x-forwarded-method", "GET"), CROSS], 200),
        (vec![POST, ("sec-fetch-site", "same-origin")], 200),
        (vec![POST, ("origin", "http://shop.example")], 200),
        (vec![POST, CROSS], 403),
        (vec![POST, ("origin", "https://evil.example")], 403),
        (vec![POST], 403),
        (vec![CROSS], 403),
        (vec![POST, ("x-original-method", "GET")], 400),
        (vec![("x-forwarded-method", "GET"), ("upgrade", "websocket"), CROSS], 403),
    ] {
        assert_eq!(ask(&lines).await.status, expected, "{lines:?}");
    }
    let begun = world.begin("ada").await;
    let bearer = world.get("/sessions/verify").bearer_auth(begun.access_token.expose());
    let bearer = bearer.header("x-forwarded-method", "POST").header("sec-fetch-site", "cross-site");
    assert_eq!(send(bearer).await.status, 200, "no browser adds an access token by itself");
}

#[tokio::test]
async fn b13_s52_a_method_that_no_trusted_proxy_tells_is_taken_for_the_worst() {
    let world = World::new().await;
    let cookie = world.begin_cookie("ada").await;
    for (site, expected) in [("same-origin", 200), ("cross-site", 403)] {
        let request = bare(&world, "", &cookie).header("sec-fetch-site", site);
        assert_eq!(send(get(request)).await.status, expected, "anybody can say GET");
    }
    assert_eq!(send(bare(&world, "", &cookie)).await.problem(), (403, "CSRF_INVALID"));
    let nobody = bare(&world, "", "a=b").header("sec-fetch-site", "cross-site");
    assert_eq!(send(nobody).await.status, 401, "whoever has no cookie is to sign in");
}

#[tokio::test]
async fn s96_what_a_stranger_says_of_the_original_request_is_not_heard() {
    let world = World::new().await;
    let cookie = world.begin_cookie("ada").await;
    let request = by_cookie(&world, "", &cookie).header("x-forwarded-host", "evil.example");
    let answer = send(request.header("host", "shop.example")).await;
    let jwks = world.get("/.well-known/jwks.json").send().await.unwrap().bytes().await.unwrap();
    let keys = KeySet::from_jwks(&jwks).unwrap();
    let claims = jws::verify(answer.header("x-handstamp-assertion"), ASSERTION_TYPE, &keys);
    assert_eq!(claims.unwrap()["aud"], "shop.example");
}

#[tokio::test]
async fn b13_whoever_is_not_signed_in_is_sent_to_a_listed_place_and_to_no_other() {
    let world = World::with(&[
        ("server.trusted_proxies", "127.0.0.1"),
        ("forward.redirect_allow", "https://app.example"),
    ])
    .await;
    let ask = async |redirect: &str, lines: &[(&str, &str)]| -> Answer {
        let query: String = form_urlencoded::byte_serialize(redirect.as_bytes()).collect();
        let request = get(world.get(&format!("/sessions/verify?redirect={query}")));
        send(lines.iter().fold(request, |request, (name, value)| request.header(*name, *value)))
            .await
    };
    let sent = ask("https://app.example/sign-in", &[]).await;
    assert_eq!((sent.status, sent.header("location")), (302, "https://app.example/sign-in"));
    let original = [
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "shop.example"),
        ("x-forwarded-uri", "/cart?item=1"),
    ];
    let sent = ask("https://app.example/sign-in?lang=en", &original).await;
    let back = "https://app.example/sign-in?lang=en\
                &return_to=https%3A%2F%2Fshop.example%2Fcart%3Fitem%3D1";
    assert_eq!((sent.status, sent.header("location")), (302, back));
    for elsewhere in [
        "https://evil.example/",
        "https://app.example.evil.example/",
        "https://app.example@evil.example/",
        "https://app.example:8443/",
        "http://app.example/",
        "//app.example/",
        "/sign-in",
        "javascript:alert(1)",
        "",
    ] {
        assert_eq!(ask(elsewhere, &[]).await.status, 401, "{elsewhere}");
    }
    let cookie = world.begin_cookie("ada").await;
    let query = "?redirect=https://app.example/&role=editor";
    let forbidden = send(get(by_cookie(&world, query, &cookie))).await;
    assert_eq!(forbidden.status, 403, "signing in again would not help");
}

#[tokio::test]
async fn b13_a_proxy_may_ask_by_any_method() {
    let world = World::new().await;
    let token = world.begin("ada").await.access_token;
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
        let request = world.request(method.parse().unwrap(), "/sessions/verify");
        let answer = send(request.bearer_auth(token.expose())).await;
        assert_eq!(answer.status, 200, "{method}");
    }
}
