//! Guards as extractors and as layers.

use std::time::Duration;

use axum::Router;
use axum::http::{Method, StatusCode};
use axum::routing::get;
use handstamp_axum::{RequireFresh, RequireRole, RequireUser, RoleName, require};

use crate::browser::Browser;
use crate::world::World;

struct Editor;

impl RoleName for Editor {
    const NAME: &'static str = "editor";
}

fn guarded(world: &World) -> Router {
    world.routes(|router| {
        let done = || get(|| async { "in" });
        router
            .route("/x/user", get(|user: RequireUser| async move { user.id().to_string() }))
            .route("/x/role", get(|_editor: RequireRole<Editor>| async { "in" }))
            .route("/x/fresh", get(|_fresh: RequireFresh<300>| async { "in" }))
            .route(
                "/x/maybe",
                get(|user: Option<RequireUser>| async move { user.is_some().to_string() }),
            )
            .merge(Router::new().route("/l/user", done()).route_layer(require::user()))
            .merge(Router::new().route("/l/role", done()).route_layer(require::role("editor")))
            .merge(Router::new().route("/l/fresh", done()).route_layer(require::fresh(300)))
            .merge(
                Router::new()
                    .route("/l/permission", done())
                    .route_layer(require::permission("orders.refund")),
            )
    })
}

#[tokio::test]
async fn a_visitor_passes_no_guard() {
    let world = World::new();
    let mut browser = Browser::new(&guarded(&world));
    for path in
        ["/x/user", "/x/role", "/x/fresh", "/l/user", "/l/role", "/l/fresh", "/l/permission"]
    {
        let page = browser.get(path).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{path}");
        let back = path.replace('/', "%2F");
        assert_eq!(page.header("location"), format!("/login?return_to={back}"));
        assert_eq!(page.header("cache-control"), "no-store");
        let script = browser.call(Method::GET, path).await;
        assert_eq!(script.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(script.code(), "SESSION_NOT_FOUND");
        assert!(script.header("www-authenticate").starts_with("Bearer error="));
        assert_eq!(script.header("content-type"), "application/problem+json");
    }
    assert_eq!(world.rows().await, 0);
}

#[tokio::test]
async fn the_way_back_carries_the_query_and_never_another_host() {
    let world = World::new();
    let mut browser = Browser::new(&guarded(&world));
    let answer = browser.get("/x/user?a=b&c=d").await;
    assert_eq!(answer.header("location"), "/login?return_to=%2Fx%2Fuser%3Fa%3Db%26c%3Dd");
    let app = world.routes(|router| router.fallback(|_user: RequireUser| async {}));
    let answer = Browser::new(&app).get("//evil.example/x").await;
    assert_eq!(answer.header("location"), "/login");
}

#[tokio::test]
async fn a_guarded_route_inside_a_nest_leads_back_to_its_whole_path() {
    let world = World::new();
    let app = world.routes(|router| {
        let inner = Router::new()
            .route("/x", get(|_user: RequireUser| async {}))
            .route("/l", get(|| async {}).route_layer(require::user()));
        router.nest("/shop", inner)
    });
    for (path, back) in [("/shop/x", "%2Fshop%2Fx"), ("/shop/l", "%2Fshop%2Fl")] {
        let answer = Browser::new(&app).get(path).await;
        assert_eq!(answer.header("location"), format!("/login?return_to={back}"));
    }
}

#[tokio::test]
async fn a_sign_in_page_that_is_itself_guarded_does_not_send_in_circles() {
    let world = World::new();
    let app = world.routes(|router| router.route("/login", get(|_user: RequireUser| async {})));
    assert_eq!(Browser::new(&app).get("/login").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_user_passes_and_a_role_or_permission_is_asked_for() {
    let world = World::new();
    let mut browser = Browser::new(&guarded(&world));
    browser.post("/login/alice").await;
    assert_eq!(browser.get("/x/user").await.body, "alice");
    assert_eq!(browser.get("/l/user").await.body, "in");
    assert_eq!(browser.get("/x/maybe").await.body, "true");
    for path in ["/x/role", "/l/role", "/l/permission"] {
        let answer = browser.get(path).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::FORBIDDEN, "FORBIDDEN".into()));
    }
    let mut editor = Browser::new(&guarded(&world));
    editor.post("/login-as/editor").await;
    for path in ["/x/role", "/l/role", "/l/permission"] {
        assert_eq!(editor.get(path).await.body, "in", "{path}");
    }
}

/// Shows B09.
#[tokio::test]
async fn s43_a_role_that_is_taken_away_bites_at_the_next_request() {
    let world = World::new();
    let mut editor = Browser::new(&guarded(&world));
    editor.post("/login-as/editor").await;
    assert_eq!(editor.get("/l/role").await.body, "in");
    let nothing = Some(handstamp_core::roles::Roles::none());
    world.sessions.set_roles(&"editor".parse().unwrap(), nothing, None).await.unwrap();
    assert_eq!(editor.get("/l/role").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_guest_is_no_user() {
    let world = World::new();
    let mut guest = Browser::new(&guarded(&world));
    guest.post("/guest/g1").await;
    assert_eq!(guest.get("/x/maybe").await.body, "false");
    assert_eq!(guest.call(Method::GET, "/l/user").await.status, StatusCode::UNAUTHORIZED);
}

/// Shows B08.
#[tokio::test]
async fn s32_a_sign_in_one_second_too_old_is_asked_to_step_up() {
    let world = World::new();
    let mut browser = Browser::new(&guarded(&world));
    browser.post("/login/alice").await;
    world.clock.advance(Duration::from_secs(299));
    assert_eq!(browser.get("/x/fresh").await.body, "in");
    assert_eq!(browser.get("/l/fresh").await.body, "in");
    world.clock.advance(Duration::from_secs(2));
    for path in ["/x/fresh", "/l/fresh"] {
        let answer = browser.call(Method::GET, path).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::FORBIDDEN, "STEP_UP_REQUIRED".into())
        );
        assert_eq!(answer.json()["max_age_seconds"], 300);
        let page = browser.get(path).await;
        let back = path.replace('/', "%2F");
        assert_eq!(page.header("location"), format!("/step-up?return_to={back}"));
    }
    browser.post("/step-up").await;
    assert_eq!(browser.get("/l/fresh").await.body, "in");
}

/// Shows B05.
#[tokio::test]
async fn a_session_that_ended_says_why() {
    let world = World::new();
    let mut browser = Browser::new(&guarded(&world));
    browser.post("/login/alice").await;
    let mut copy = browser.clone();
    browser.post("/logout").await;
    let answer = copy.call(Method::GET, "/x/user").await;
    assert_eq!((answer.status, answer.code()), (StatusCode::UNAUTHORIZED, "SESSION_ENDED".into()));
    assert_eq!(answer.json()["reason"], "logout");
    assert!(answer.json()["ended_at"].as_str().unwrap().ends_with('Z'));
    assert!(answer.json()["timestamp"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn without_a_sign_in_path_a_browser_gets_the_401_too() {
    let world = World::new();
    let layer = handstamp_axum::SessionLayer::new(world.sessions.clone());
    let app = Router::new().route("/x", get(|_user: RequireUser| async {})).layer(layer);
    assert_eq!(Browser::new(&app).get("/x").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn without_the_layer_every_extractor_says_so_in_the_log_and_500_outside() {
    let app = Router::new()
        .route("/x", get(|_session: handstamp_axum::Session| async {}))
        .route("/l", get(|| async {}).route_layer(require::user()));
    for path in ["/x", "/l"] {
        let answer = Browser::new(&app).get(path).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (500, "INTERNAL".into()));
        assert!(!answer.body.contains("SessionLayer"), "{}", answer.body);
    }
}
